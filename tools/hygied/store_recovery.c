/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recovery key's files; declared in store_file.h. Its public half lies beside it in
 * the open, so that an envelope can be sealed to it while nobody has the passphrase;
 * store.ini names it by its hash.
 */
#include "hygied/recovery_key.h"
#include "hygied/store_file.h"

#include "libhygie/durable.h"
#include "libhygie/hex.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define PUBLIC_MAX 512 /* bytes of DER */
#define NEXT "recovery-"
#define NEXT_FILE_SIZE (2 * HYGIE_KEY_ID_SIZE + 16) /* "recovery-KEYID.der" */

/* The name of a key's file while it is not, or was not until now, the store's. */
static void next_file(const uint8_t id[HYGIE_KEY_ID_SIZE], const char *suffix,
		      char ret_file[NEXT_FILE_SIZE])
{
	char digits[2 * HYGIE_KEY_ID_SIZE + 1];

	hex_write(id, HYGIE_KEY_ID_SIZE, digits);
	(void)snprintf(ret_file, NEXT_FILE_SIZE, NEXT "%s%s", digits, suffix);
}

/* Reads a key's file under its own name, or under the plain one. */
static int key_file_read(const char *folder, const char *name,
			 const uint8_t id[HYGIE_KEY_ID_SIZE], const char *suffix,
			 size_t max, char **ret_bytes, size_t *ret_size,
			 struct file_error *ret_error)
{
	char file[NEXT_FILE_SIZE], plain[16];
	int r;

	next_file(id, suffix, file);
	r = store_file_read(folder, name, file, max, ret_bytes, ret_size, ret_error);
	if (r != -ENOENT)
		return r;
	(void)snprintf(plain, sizeof(plain), "recovery%s", suffix);
	return store_file_read(folder, name, plain, max, ret_bytes, ret_size, ret_error);
}

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

	r = key_file_read(folder, name, id, ".pub", PUBLIC_MAX, &der, &size, ret_error);
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

int store_recovery_locked(const char *folder, const char *name,
			  const uint8_t id[HYGIE_KEY_ID_SIZE], char **ret_der,
			  size_t *ret_size, struct file_error *ret_error)
{
	return key_file_read(folder, name, id, ".der", RECOVERY_FILE_MAX, ret_der,
			     ret_size, ret_error);
}

/* Writes both under these names. */
static int key_save(const char *folder, const char *name, const char *locked_file,
		    const char *public_file, struct evp_pkey_st *key, const void *locked,
		    size_t size)
{
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	int r = length > 0 ? 0 : -ENOMEM;

	if (r == 0)
		r = store_file_write(folder, name, locked_file, locked, size);
	if (r == 0)
		r = store_file_write(folder, name, public_file, der, (size_t)length);
	OPENSSL_free(der);
	return r;
}

int store_recovery_save(const char *folder, const char *name, struct evp_pkey_st *key,
			const void *locked, size_t size,
			uint8_t ret_id[HYGIE_KEY_ID_SIZE])
{
	int r = store_key_id(key, ret_id);

	return r < 0 ? r
		     : key_save(folder, name, "recovery.der", "recovery.pub", key, locked,
				size);
}

int store_recovery_save_next(const char *folder, const char *name,
			     struct evp_pkey_st *key, const void *locked, size_t size,
			     uint8_t ret_id[HYGIE_KEY_ID_SIZE])
{
	char locked_file[NEXT_FILE_SIZE], public_file[NEXT_FILE_SIZE];
	uint8_t id[HYGIE_KEY_ID_SIZE];
	int r = store_key_id(key, id);

	if (r < 0)
		return r;
	next_file(id, ".der", locked_file);
	next_file(id, ".pub", public_file);
	r = key_save(folder, name, locked_file, public_file, key, locked, size);
	if (r == 0)
		memcpy(ret_id, id, sizeof(id));
	return r;
}

bool store_recovery_is_pending(const struct store *store)
{
	static const uint8_t none[HYGIE_KEY_ID_SIZE];

	return memcmp(store->recovery_next, none, sizeof(none)) != 0;
}

/* One file of the store's folder: put in its place, left, or removed. */
static int file_tidy(const char *folder, const struct store *store, const char *file)
{
	static const char *const suffixes[] = { ".der", ".pub" };
	char path[STORE_PATH_SIZE], plain_path[STORE_PATH_SIZE];
	char next[NEXT_FILE_SIZE], plain[16];
	int r = store_path(folder, store->name, file, path);

	for (size_t i = 0; r == 0 && i < array_size(suffixes); i++) {
		next_file(store->recovery_next, suffixes[i], next);
		if (store_recovery_is_pending(store) && strcmp(file, next) == 0)
			return 0;
		next_file(store->recovery, suffixes[i], next);
		if (strcmp(file, next) != 0)
			continue;
		(void)snprintf(plain, sizeof(plain), "recovery%s", suffixes[i]);
		r = store_path(folder, store->name, plain, plain_path);
		return r < 0 ? r : durable_rename(path, plain_path);
	}
	return r < 0 ? r : durable_remove(path);
}

int store_recovery_tidy(const char *folder, const struct store *store)
{
	char path[STORE_PATH_SIZE];
	const struct dirent *entry;
	int r = store_path(folder, store->name, NULL, path);
	DIR *files;

	if (r < 0)
		return r;
	files = opendir(path);
	if (!files)
		return -errno;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(files)))
		if (strncmp(entry->d_name, NEXT, strlen(NEXT)) == 0)
			r = file_tidy(folder, store, entry->d_name);
	(void)closedir(files);
	return r;
}
