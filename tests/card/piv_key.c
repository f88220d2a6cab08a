/* SPDX-License-Identifier: Apache-2.0 */
/* Raw private key operations on OpenSSL's EVP interface; see piv_key.h. */
#include "card/piv_key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

static void pkey_ctx_free(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static void pkey_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

#define cleanup_ctx __attribute__((cleanup(pkey_ctx_free)))
#define cleanup_pkey __attribute__((cleanup(pkey_free)))

int piv_key_load(const char *path, EVP_PKEY **ret_key)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (!file)
		return -errno;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	if (!key) {
		ERR_clear_error();
		return -EINVAL;
	}
	*ret_key = key;
	return 0;
}

unsigned piv_key_algorithm(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "RSA"))
		return bits == 1024   ? 0x06
		       : bits == 2048 ? 0x07
		       : bits == 3072 ? 0x05
				      : 0;
	if (EVP_PKEY_is_a(key, "EC"))
		return bits == 256 ? 0x11 : bits == 384 ? 0x14 : 0;
	return 0;
}

static int rsa_private(EVP_PKEY *key, const uint8_t *in, size_t len,
		       struct bytes *ret_out)
{
	cleanup_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t size = (size_t)EVP_PKEY_get_size(key), out_len = 512;
	uint8_t out[512];

	if (!ctx || len != size || size > sizeof(out))
		return -EINVAL;
	if (EVP_PKEY_decrypt_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) <= 0 ||
	    EVP_PKEY_decrypt(ctx, out, &out_len, in, len) <= 0)
		return -EINVAL;
	bytes_add(ret_out, out, out_len);
	return 0;
}

static int ecdsa_sign(EVP_PKEY *key, const uint8_t *in, size_t len, struct bytes *ret_out)
{
	cleanup_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	uint8_t out[256];
	size_t out_len = sizeof(out);

	if (!ctx || EVP_PKEY_sign_init(ctx) <= 0 ||
	    EVP_PKEY_sign(ctx, out, &out_len, in, len) <= 0)
		return -EINVAL;
	bytes_add(ret_out, out, out_len);
	return 0;
}

int piv_key_sign(EVP_PKEY *key, const uint8_t *in, size_t len, struct bytes *ret_out)
{
	int r = EVP_PKEY_is_a(key, "RSA") ? rsa_private(key, in, len, ret_out)
					  : ecdsa_sign(key, in, len, ret_out);

	ERR_clear_error();
	return r;
}

/* A public key on the curve of `key`, from its uncompressed point; NULL if it is none. */
static EVP_PKEY *ec_peer(EVP_PKEY *key, const uint8_t *point, size_t len)
{
	EVP_PKEY *peer = EVP_PKEY_new();

	if (peer && EVP_PKEY_copy_parameters(peer, key) > 0 &&
	    EVP_PKEY_set1_encoded_public_key(peer, point, len) > 0)
		return peer;
	EVP_PKEY_free(peer);
	return NULL;
}

int piv_key_agree(EVP_PKEY *key, const uint8_t *point, size_t len, struct bytes *ret_out)
{
	cleanup_ctx EVP_PKEY_CTX *ctx = NULL;
	cleanup_pkey EVP_PKEY *peer = NULL;
	uint8_t out[128];
	size_t out_len = sizeof(out);

	if (!EVP_PKEY_is_a(key, "EC"))
		return -EINVAL;
	peer = ec_peer(key, point, len);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!peer || !ctx || EVP_PKEY_derive_init(ctx) <= 0 ||
	    EVP_PKEY_derive_set_peer(ctx, peer) <= 0 ||
	    EVP_PKEY_derive(ctx, out, &out_len) <= 0) {
		ERR_clear_error();
		return -EINVAL;
	}
	bytes_add(ret_out, out, out_len);
	return 0;
}
