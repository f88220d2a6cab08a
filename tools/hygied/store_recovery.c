/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recovery key's files; declared in store_file.h. Its public half lies beside it in
 * the open, so that an envelope can be sealed to it while nobody has the passphrase;
 * store.ini names it by its hash.
 */
#include "hygied/recovery_key.h"
#include "hygied/store_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define PUBLIC_MAX 512 /* bytes of DER */

int store_key_id(const struct evp_pkey_st *key, uint8_t ret_id[HYGIE_KEY_ID_SIZE])
{
	uint8_t *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	size_t length = 0;
	int ok;

	if (size <= 0)
		return -ENOMEM;
	ok = EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)size, ret_id, &length);
	OPENSSL_free(der);
	return ok == 1 && length == HYGIE_KEY_ID_SIZE ? 0 : -ENOMEM;
}

int store_recovery_load(const char *folder, const char *name,
			const uint8_t id[HYGIE_KEY_ID_SIZE], struct evp_pkey_st **ret_key,
			struct file_error *ret_error)
{
	uint8_t own[HYGIE_KEY_ID_SIZE];
	cleanup_free char *der = NULL;
	const uint8_t *cursor;
	EVP_PKEY *key;
	size_t size;
	int r;

	r = store_file_read(folder, name, "recovery.pub", PUBLIC_MAX, &der, &size,
			    ret_error);
	if (r < 0)
		return r;
	cursor = (const uint8_t *)der;
	key = d2i_PUBKEY(NULL, &cursor, (long)size);
	if (key && cursor == (const uint8_t *)der + size && store_key_id(key, own) == 0 &&
	    memcmp(own, id, sizeof(own)) == 0) {
		*ret_key = key;
		return 0;
	}
	EVP_PKEY_free(key);
	if (ret_error)
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			       "%s/%s/recovery.pub: is not the key that store.ini names; "
			       "restore it from a backup",
			       folder, name);
	return -EBADMSG;
}

int store_recovery_locked(const char *folder, const char *name, char **ret_der,
			  size_t *ret_size, struct file_error *ret_error)
{
	return store_file_read(folder, name, "recovery.der", RECOVERY_FILE_MAX, ret_der,
			       ret_size, ret_error);
}

int store_recovery_save(const char *folder, const char *name, struct evp_pkey_st *key,
			const void *locked, size_t size,
			uint8_t ret_id[HYGIE_KEY_ID_SIZE])
{
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	int r = length > 0 ? store_key_id(key, ret_id) : -ENOMEM;

	if (r == 0)
		r = store_file_write(folder, name, "recovery.der", locked, size);
	if (r == 0)
		r = store_file_write(folder, name, "recovery.pub", der, (size_t)length);
	OPENSSL_free(der);
	return r;
}
