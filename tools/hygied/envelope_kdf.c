/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X9.63 KDF and AES key wrap; see envelope_kdf.h.
 */
#include "hygied/envelope_kdf.h"

#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#define KEK_SIZE 32
#define KEK_BITS 256

static void kdf_ctx_free(EVP_KDF_CTX **context)
{
	EVP_KDF_CTX_free(*context);
}

static void shared_info_free(ENVELOPE_SHARED_INFO **info)
{
	ENVELOPE_SHARED_INFO_free(*info);
}

/* ECC-CMS-SharedInfo in DER: what the key is for and how long it is. */
static int shared_info_encode(uint8_t **ret_der)
{
	static const uint8_t bits[] = { 0, 0, KEK_BITS >> 8, KEK_BITS & 0xff };
	cleanup_with(shared_info_free) ENVELOPE_SHARED_INFO *info =
		ENVELOPE_SHARED_INFO_new();

	if (!info)
		return -ENOMEM;
	X509_ALGOR_free(info->key_info);
	info->key_info = envelope_algorithm_new(ALGORITHM_AES256_WRAP);
	if (!info->key_info || !ASN1_OCTET_STRING_set(info->bits, bits, sizeof(bits)))
		return -ENOMEM;
	return i2d_ENVELOPE_SHARED_INFO(info, ret_der);
}

static int kdf_run(struct secret *shared, uint8_t *info, size_t info_size,
		   struct secret *kek)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
	cleanup_with(kdf_ctx_free) EVP_KDF_CTX *context =
		kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, secret_bytes(shared), secret_size(shared)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, info_size),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_free(kdf);
	if (!context)
		return -ENOMEM;
	if (EVP_KDF_derive(context, secret_bytes(kek), KEK_SIZE, parameters) != 1)
		return -EIO;
	secret_set_size(kek, KEK_SIZE);
	return 0;
}

int envelope_kek_derive(const struct secret *shared, struct secret **ret_kek)
{
	/* OSSL_PARAM does not promise that it only reads. */
	cleanup_secret struct secret *kek = NULL, *copy = NULL;
	cleanup_bytes uint8_t *info = NULL;
	int size = shared_info_encode(&info);
	int r;

	if (size < 0)
		return -ENOMEM;
	r = secret_new(KEK_SIZE, &kek);
	if (r == 0)
		r = secret_new_from(secret_bytes_const(shared), secret_size(shared),
				    &copy);
	if (r == 0)
		r = kdf_run(copy, info, (size_t)size, kek);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_kek = kek;
	kek = NULL;
	return 0;
}

/* A context ready to wrap (encrypt) or unwrap with `kek`; NULL when there is none. */
static EVP_CIPHER_CTX *wrap_context(const struct secret *kek, bool encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (!context)
		return NULL;
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(context, EVP_aes_256_wrap(), secret_bytes_const(kek), NULL,
			       encrypt, NULL) == 1)
		return context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

int envelope_key_wrap(const struct secret *kek, const struct secret *key,
		      uint8_t ret_wrapped[WRAPPED_KEY_SIZE])
{
	cleanup_cipher_ctx EVP_CIPHER_CTX *context = wrap_context(kek, true);
	int size = 0;

	if (!context)
		return -ENOMEM;
	if (EVP_CipherUpdate(context, ret_wrapped, &size, secret_bytes_const(key),
			     (int)secret_size(key)) != 1 ||
	    size != WRAPPED_KEY_SIZE) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}

int envelope_key_unwrap(const struct secret *kek, const uint8_t wrapped[WRAPPED_KEY_SIZE],
			struct secret **ret_key)
{
	cleanup_cipher_ctx EVP_CIPHER_CTX *context = wrap_context(kek, false);
	cleanup_secret struct secret *key = NULL;
	int size = 0;
	int r;

	if (!context)
		return -ENOMEM;
	/* It may write whole blocks more than it tells. */
	r = secret_new(WRAPPED_KEY_SIZE + MAC_SIZE, &key);
	if (r < 0)
		return r;
	if (EVP_CipherUpdate(context, secret_bytes(key), &size, wrapped,
			     WRAPPED_KEY_SIZE) != 1 ||
	    size != CONTENT_KEY_SIZE) {
		ERR_clear_error();
		return -EKEYREJECTED;
	}
	secret_set_size(key, CONTENT_KEY_SIZE);
	*ret_key = key;
	key = NULL;
	return 0;
}
