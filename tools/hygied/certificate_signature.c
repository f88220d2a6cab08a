/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks signatures, as PKCS#11 tokens give them, with a certificate's key; declared in
 * certificate.h. It makes none, and it believes nothing that the token says about the
 * format.
 */
#include "hygied/certificate.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct scheme {
	enum key_type key_type;
	const EVP_MD *(*hash)(void);
	int padding; /* RSA only */
};

static const struct scheme schemes[] = {
	[SIGNATURE_RSA_PKCS1_SHA256] = { KEY_TYPE_RSA, EVP_sha256, RSA_PKCS1_PADDING },
	[SIGNATURE_RSA_PSS_SHA256] = { KEY_TYPE_RSA, EVP_sha256, RSA_PKCS1_PSS_PADDING },
	[SIGNATURE_ECDSA_SHA256] = { KEY_TYPE_EC, EVP_sha256, 0 },
	[SIGNATURE_ECDSA_SHA384] = { KEY_TYPE_EC, EVP_sha384, 0 },
};

static void md_ctx_free_function(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= bytes[i];
	return any == 0;
}

/* Bytes of one number of this key: the modulus, or each of r and s. */
static size_t number_size(const struct certificate *c)
{
	return (certificate_key_bits(c) + 7) / 8;
}

/* The r || s of PKCS#11 (v3.1, 6.3.1) as the DER that OpenSSL wants; freed by the caller.
 */
static int ecdsa_to_der(const uint8_t *sig, size_t half, uint8_t **ret_der,
			size_t *ret_size)
{
	ECDSA_SIG *ecdsa = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(sig + half, (int)half, NULL);
	int size = -1;

	if (ecdsa == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(ecdsa, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		size = i2d_ECDSA_SIG(ecdsa, ret_der);
	}
	ECDSA_SIG_free(ecdsa);
	if (size <= 0)
		return -ENOMEM;
	*ret_size = (size_t)size;
	return 0;
}

static int set_padding(EVP_PKEY_CTX *ctx, const struct scheme *scheme)
{
	if (scheme->key_type != KEY_TYPE_RSA)
		return 0;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, scheme->padding) != 1)
		return -EIO;
	if (scheme->padding != RSA_PKCS1_PSS_PADDING)
		return 0;
	if (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, scheme->hash()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1)
		return -EIO;
	return 0;
}

static int verify_with_key(EVP_PKEY *key, const struct scheme *scheme, const void *data,
			   size_t size, const uint8_t *sig, size_t sig_size)
{
	cleanup_with(md_ctx_free_function) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_ctx; /* belongs to ctx */
	int r;

	if (ctx == NULL)
		return -ENOMEM;
	if (EVP_DigestVerifyInit(ctx, &key_ctx, scheme->hash(), NULL, key) != 1)
		return -EIO;
	r = set_padding(key_ctx, scheme);
	if (r < 0)
		return r;
	/* 0 and negative alike: whatever went wrong, the signature was not seen to be
	 * good. */
	return EVP_DigestVerify(ctx, sig, sig_size, data, size) == 1 ? 0 : -EKEYREJECTED;
}

static int verify_ecdsa(const struct certificate *c, EVP_PKEY *key,
			const struct scheme *scheme, const void *data, size_t size,
			const uint8_t *sig, size_t sig_size)
{
	size_t half = number_size(c);
	uint8_t *der = NULL;
	size_t der_size;
	int r;

	if (sig_size != 2 * half || all_zero(sig, half) || all_zero(sig + half, half))
		return -EKEYREJECTED;
	r = ecdsa_to_der(sig, half, &der, &der_size);
	if (r < 0)
		return r;
	r = verify_with_key(key, scheme, data, size, der, der_size);
	OPENSSL_free(der);
	return r;
}

static int verify_rsa(const struct certificate *c, EVP_PKEY *key,
		      const struct scheme *scheme, const void *data, size_t size,
		      const uint8_t *sig, size_t sig_size)
{
	if (sig_size != number_size(c) || all_zero(sig, sig_size))
		return -EKEYREJECTED;
	return verify_with_key(key, scheme, data, size, sig, sig_size);
}

int certificate_verify_signature(const struct certificate *c,
				 enum signature_scheme scheme, const void *data,
				 size_t size, const void *sig, size_t sig_size)
{
	const struct scheme *s;
	EVP_PKEY *key;
	int r;

	if (data == NULL || size == 0)
		return -EINVAL;
	if (scheme <= SIGNATURE_NONE || (size_t)scheme >= array_size(schemes))
		return -EKEYREJECTED;
	s = &schemes[scheme];
	if (s->key_type != certificate_key_type(c))
		return -EKEYREJECTED;
	if (sig == NULL || sig_size == 0 || sig_size > SIGNATURE_SIZE_MAX)
		return -EKEYREJECTED;
	key = X509_get0_pubkey(certificate_x509(c));
	if (key == NULL)
		return -EKEYREJECTED;
	r = s->key_type == KEY_TYPE_EC
		    ? verify_ecdsa(c, key, s, data, size, sig, sig_size)
		    : verify_rsa(c, key, s, data, size, sig, sig_size);
	ERR_clear_error();
	return r;
}
