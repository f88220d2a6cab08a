/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys may be recipients, by what, and under which name; agreement between two.
 */
#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define SHARED_SIZE_MAX 48 /* P-384 */

size_t envelope_point_size(const EVP_PKEY *key)
{
	char group[32];
	size_t size;

	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1) {
		ERR_clear_error();
		return 0;
	}
	if (strcmp(group, SN_X9_62_prime256v1) == 0)
		return POINT_SIZE_P256;
	return strcmp(group, SN_secp384r1) == 0 ? POINT_SIZE_P384 : 0;
}

bool envelope_key_takes(const EVP_PKEY *key, enum envelope_wrap wrap)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (wrap) {
	case ENVELOPE_WRAP_RSA_OAEP_SHA256:
	case ENVELOPE_WRAP_RSA_OAEP_SHA1:
	case ENVELOPE_WRAP_RSA_PKCS1:
		return EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN &&
		       bits <= RSA_BITS_MAX;
	case ENVELOPE_WRAP_EC:
		return envelope_point_size(key) > 0;
	case ENVELOPE_WRAP_NONE:
		break;
	}
	return false;
}

enum envelope_wrap envelope_wrap_for(const struct evp_pkey_st *key)
{
	if (envelope_key_takes(key, ENVELOPE_WRAP_RSA_OAEP_SHA256))
		return ENVELOPE_WRAP_RSA_OAEP_SHA256;
	return envelope_key_takes(key, ENVELOPE_WRAP_EC) ? ENVELOPE_WRAP_EC
							 : ENVELOPE_WRAP_NONE;
}

int envelope_key_id(const struct evp_pkey_st *key, uint8_t ret_id[ENVELOPE_KEY_ID_SIZE])
{
	cleanup_bytes uint8_t *spki = NULL;
	int spki_size = i2d_PUBKEY(key, &spki), size;
	X509_PUBKEY *parts = NULL;
	const uint8_t *at = spki, *bits;
	int r = -ENOMEM;

	if (spki_size > 0)
		parts = d2i_X509_PUBKEY(NULL, &at, spki_size);
	if (parts && X509_PUBKEY_get0_param(NULL, &bits, &size, NULL, parts) == 1 &&
	    EVP_Digest(bits, (size_t)size, ret_id, NULL, EVP_sha1(), NULL) == 1)
		r = 0;
	X509_PUBKEY_free(parts);
	ERR_clear_error();
	return r;
}

EVP_PKEY *envelope_peer_new(const EVP_PKEY *key, const uint8_t *point, size_t size)
{
	EVP_PKEY *peer = EVP_PKEY_new();

	if (peer && size == envelope_point_size(key) &&
	    EVP_PKEY_copy_parameters(peer, key) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(peer, point, size) == 1)
		return peer;
	ERR_clear_error();
	EVP_PKEY_free(peer);
	return NULL;
}

bool envelope_padding_set(EVP_PKEY_CTX *context, enum envelope_wrap wrap)
{
	const EVP_MD *hash =
		wrap == ENVELOPE_WRAP_RSA_OAEP_SHA256 ? EVP_sha256() : EVP_sha1();

	if (wrap == ENVELOPE_WRAP_RSA_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(context, hash) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) == 1;
}

int envelope_agree(EVP_PKEY *key, EVP_PKEY *peer, struct secret **ret_shared)
{
	cleanup_pkey_ctx EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	cleanup_secret struct secret *shared = NULL;
	size_t size = SHARED_SIZE_MAX;
	int r;

	if (!context)
		return -ENOMEM;
	r = secret_new(SHARED_SIZE_MAX, &shared);
	if (r < 0)
		return r;
	if (EVP_PKEY_derive_init(context) != 1 ||
	    EVP_PKEY_derive_set_peer(context, peer) != 1 ||
	    EVP_PKEY_derive(context, secret_bytes(shared), &size) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	secret_set_size(shared, size);
	*ret_shared = shared;
	shared = NULL;
	return 0;
}
