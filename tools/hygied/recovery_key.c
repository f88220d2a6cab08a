/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key pair and its file; see recovery_key.h. The passphrase is as strong as the key,
 * so its KDF need not be slow; it has a count that no reader finds weak.
 */
#include "hygied/recovery_key.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdbool.h>

enum {
	ITERATIONS = 100000,
	ITERATIONS_MAX = 1000 * 1000,
	SALT_SIZE = 16,
};

static void pkcs8_free(PKCS8_PRIV_KEY_INFO **info)
{
	PKCS8_PRIV_KEY_INFO_free(*info);
}

static void sig_free(X509_SIG **locked)
{
	X509_SIG_free(*locked);
}

int recovery_key_new(struct evp_pkey_st **ret_key)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	ERR_clear_error();
	if (!key)
		return -ENOMEM;
	*ret_key = key;
	return 0;
}

int recovery_key_lock(struct evp_pkey_st *key, const struct secret *passphrase,
		      uint8_t **ret_der, size_t *ret_size)
{
	cleanup_with(pkcs8_free) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	X509_ALGOR *algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), ITERATIONS, NULL,
						  SALT_SIZE, NULL, NID_hmacWithSHA256);
	cleanup_with(sig_free) X509_SIG *locked = NULL;
	uint8_t *der = NULL;
	int size = -1;

	if (plain && algorithm)
		locked = PKCS8_set0_pbe((const char *)secret_bytes_const(passphrase),
					(int)secret_size(passphrase), plain, algorithm);
	if (locked)
		size = i2d_X509_SIG(locked, &der);
	else
		X509_ALGOR_free(algorithm);
	ERR_clear_error();
	if (size < 0)
		return -ENOMEM;
	*ret_der = der;
	*ret_size = (size_t)size;
	return 0;
}

/* Whether it is PBES2 by PBKDF2 with a count that can be waited for. */
static bool algorithm_is_bearable(const X509_SIG *locked)
{
	const X509_ALGOR *algorithm, *kdf;
	const ASN1_OBJECT *oid;
	PBKDF2PARAM *pbkdf2 = NULL;
	PBE2PARAM *pbes2 = NULL;
	const void *value;
	long count = 0;
	int type;

	X509_SIG_get0(locked, &algorithm, NULL);
	X509_ALGOR_get0(&oid, &type, &value, algorithm);
	if (OBJ_obj2nid(oid) == NID_pbes2 && type == V_ASN1_SEQUENCE)
		pbes2 = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
	kdf = pbes2 ? pbes2->keyfunc : NULL;
	if (kdf) {
		X509_ALGOR_get0(&oid, &type, &value, kdf);
		if (OBJ_obj2nid(oid) == NID_id_pbkdf2 && type == V_ASN1_SEQUENCE)
			pbkdf2 = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBKDF2PARAM));
	}
	if (pbkdf2)
		count = ASN1_INTEGER_get(pbkdf2->iter);
	PBKDF2PARAM_free(pbkdf2);
	PBE2PARAM_free(pbes2);
	return count >= 1 && count <= ITERATIONS_MAX;
}

int recovery_key_unlock(const void *der, size_t size, const struct secret *passphrase,
			struct evp_pkey_st **ret_key)
{
	cleanup_with(pkcs8_free) PKCS8_PRIV_KEY_INFO *plain = NULL;
	cleanup_with(sig_free) X509_SIG *locked = NULL;
	const uint8_t *at = der;
	EVP_PKEY *key;

	if (size == 0 || size > RECOVERY_FILE_MAX)
		return -EBADMSG;
	locked = d2i_X509_SIG(NULL, &at, (long)size);
	if (!locked || at != (const uint8_t *)der + size ||
	    !algorithm_is_bearable(locked)) {
		ERR_clear_error();
		return -EBADMSG;
	}
	plain = PKCS8_decrypt(locked, (const char *)secret_bytes_const(passphrase),
			      (int)secret_size(passphrase));
	key = plain ? EVP_PKCS82PKEY(plain) : NULL;
	ERR_clear_error();
	if (!key)
		return -EKEYREJECTED;
	*ret_key = key;
	return 0;
}
