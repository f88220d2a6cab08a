/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the record stores; see store_file.h.
 */
#include "hygied/store_file.h"

#include "hygied/store_ini.h"
#include "libhygie/durable.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HOLDER_FILE_SIZE (2 * HYGIE_KEY_ID_SIZE + 16) /* "holders/KEYID.der" */

static __attribute__((format(printf, 3, 4))) int
file_fail(struct file_error *error, int fault, const char *format, ...)
{
	va_list arguments;

	if (error) {
		va_start(arguments, format);
		(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
		va_end(arguments);
	}
	return fault;
}

int store_path(const char *folder, const char *name, const char *file,
	       char ret_path[STORE_PATH_SIZE])
{
	int n = snprintf(ret_path, STORE_PATH_SIZE, "%s/%s%s%s", folder, name,
			 file ? "/" : "", file ? file : "");

	return n > 0 && n < STORE_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

/* "NAME"; ".NAME.new": one that is being made; ".NAME.old": one whose time is over. */
static bool place_is_valid(const char *place)
{
	static const char suffix[] = ".new", old[] = ".old";
	char name[STORE_NAME_MAX + 1];
	size_t size = strlen(place), tail = sizeof(suffix) - 1;

	if (place[0] != '.')
		return envelope_name_is_valid(place);
	if (size <= 1 + tail || size - 1 - tail > STORE_NAME_MAX ||
	    (strcmp(place + size - tail, suffix) != 0 &&
	     strcmp(place + size - tail, old) != 0))
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(size - 1 - tail), place + 1);
	return envelope_name_is_valid(name);
}

/* The store's own folder: nobody but its owner gets in. */
static int folder_judge(const char *folder, const char *name, struct file_error *error)
{
	char path[STORE_PATH_SIZE];
	cleanup_close int fd = -1;
	struct stat st;
	int r;

	if (!place_is_valid(name))
		return file_fail(error, -ENOENT, "no store can be called so");
	r = store_path(folder, name, NULL, path);
	if (r < 0)
		return file_fail(error, r, "%s: its path is too long", name);
	r = trusted_folder_open(path, geteuid(), &fd, error);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return file_fail(error, -errno, "%s: %s", path, error_text(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
		return file_fail(error, -EPERM,
				 "%s: belongs to user %u and has mode %04o; it must be "
				 "root's, with mode 0700",
				 path, (unsigned)st.st_uid,
				 (unsigned)(st.st_mode & 07777));
	return 0;
}

int store_file_read(const char *folder, const char *name, const char *file, size_t max,
		    char **ret_bytes, size_t *ret_size, struct file_error *ret_error)
{
	char path[STORE_PATH_SIZE];
	int r = folder_judge(folder, name, ret_error);

	if (r == 0 && store_path(folder, name, file, path) < 0)
		r = file_fail(ret_error, -ENAMETOOLONG, "%s: its path is too long", name);
	if (r < 0)
		return r;
	return trusted_file_read(path, geteuid(), max, ret_bytes, ret_size, ret_error);
}

int store_file_write(const char *folder, const char *name, const char *file,
		     const void *bytes, size_t size)
{
	char path[STORE_PATH_SIZE];
	int r = store_path(folder, name, file, path);

	return r < 0 ? r : durable_write(path, 0600, bytes, size);
}

static int text_hash(const char *text, size_t size, uint8_t ret_hash[HYGIE_KEY_ID_SIZE])
{
	size_t length = 0;

	return EVP_Q_digest(NULL, "SHA256", NULL, text, size, ret_hash, &length) == 1 &&
			       length == HYGIE_KEY_ID_SIZE
		       ? 0
		       : -ENOMEM;
}

int store_load(const char *folder, const char *name, struct store **ret_store,
	       struct file_error *ret_error)
{
	return store_load_at(folder, name, name, ret_store, ret_error);
}

int store_load_at(const char *folder, const char *place, const char *name,
		  struct store **ret_store, struct file_error *ret_error)
{
	cleanup_free char *text = NULL;
	struct file_error why = { "" };
	size_t size;
	int r;

	r = store_file_read(folder, place, "store.ini", STORE_INI_MAX, &text, &size,
			    ret_error);
	if (r < 0)
		return r;
	r = store_ini_parse(text, size, name, ret_store, &why);
	if (r < 0)
		return file_fail(ret_error, r, "%s/%s/%s", folder, place, why.text);
	r = text_hash(text, size, (*ret_store)->seen);
	if (r < 0) {
		store_free(*ret_store);
		*ret_store = NULL;
	}
	return r;
}

int store_save(const char *folder, struct store *store)
{
	return store_save_at(folder, store->name, store);
}

/* Whether store.ini is still the one that `store` came from. */
static int store_is_fresh(const char *folder, const char *place,
			  const struct store *store)
{
	uint8_t now[HYGIE_KEY_ID_SIZE] = { 0 };
	cleanup_free char *text = NULL;
	size_t size;
	int r = store_file_read(folder, place, "store.ini", STORE_INI_MAX, &text, &size,
				NULL);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		r = text_hash(text, size, now);
	else
		r = 0;
	if (r < 0)
		return r;
	return memcmp(now, store->seen, sizeof(now)) == 0 ? 0 : -ESTALE;
}

int store_save_at(const char *folder, const char *place, struct store *store)
{
	uint8_t hash[HYGIE_KEY_ID_SIZE];
	cleanup_free char *text = NULL;
	size_t size;
	int r = store_ini_format(store, &text, &size);

	if (r == 0)
		r = text_hash(text, size, hash);
	if (r == 0)
		r = store_is_fresh(folder, place, store);
	if (r == 0)
		r = store_file_write(folder, place, "store.ini", text, size);
	if (r == 0)
		memcpy(store->seen, hash, sizeof(hash));
	return r;
}

static int call_with_store(const char *folder, const char *name, store_callback callback,
			   void *context)
{
	cleanup_store struct store *store = NULL;
	struct file_error error = { "" };

	if (store_load(folder, name, &store, &error) < 0)
		return callback(context, name, NULL, &error);
	return callback(context, name, store, NULL);
}

int stores_each(const char *folder, store_callback callback, void *context)
{
	cleanup_trusted_names struct trusted_names names = { 0 };
	struct file_error error = { "" };
	int r = trusted_folder_list(folder, "", geteuid(), &names, &error);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = 0;
	for (size_t i = 0; i < names.count && r == 0; i++)
		if (envelope_name_is_valid(names.name[i]))
			r = call_with_store(folder, names.name[i], callback, context);
	return r;
}

int store_envelope_load(const char *folder, const char *name,
			struct envelope **ret_envelope, struct file_error *ret_error)
{
	cleanup_free char *der = NULL;
	size_t size;
	int r = store_file_read(folder, name, "keys.cms", ENVELOPE_SIZE_MAX, &der, &size,
				ret_error);

	if (r < 0)
		return r;
	r = envelope_parse(der, size, ret_envelope);
	if (r < 0)
		return file_fail(ret_error, r,
				 "%s/%s/keys.cms: is damaged, or no envelope of a store; "
				 "restore it from a backup",
				 folder, name);
	return 0;
}

int store_envelope_save(const char *folder, const char *name, const void *der,
			size_t size)
{
	return store_file_write(folder, name, "keys.cms", der, size);
}

static void holder_file(const uint8_t key_id[HYGIE_KEY_ID_SIZE],
			char ret_file[HOLDER_FILE_SIZE])
{
	char digits[2 * HYGIE_KEY_ID_SIZE + 1];

	hex_write(key_id, HYGIE_KEY_ID_SIZE, digits);
	(void)snprintf(ret_file, HOLDER_FILE_SIZE, "holders/%s.der", digits);
}

int store_certificate_load(const char *folder, const char *name,
			   const uint8_t key_id[HYGIE_KEY_ID_SIZE],
			   struct certificate **ret_certificate,
			   struct file_error *ret_error)
{
	cleanup_certificate struct certificate *certificate = NULL;
	cleanup_free char *der = NULL;
	char file[HOLDER_FILE_SIZE];
	size_t size;
	int r;

	holder_file(key_id, file);
	r = store_file_read(folder, name, file, REGISTRY_CERTIFICATE_MAX, &der, &size,
			    ret_error);
	if (r < 0)
		return r;
	r = certificate_parse(der, size, &certificate);
	if (r == -ENOMEM)
		return r;
	if (r < 0 ||
	    memcmp(certificate_key_id(certificate), key_id, HYGIE_KEY_ID_SIZE) != 0)
		return file_fail(ret_error, -EBADMSG,
				 "%s/%s/%s: is no certificate of that key; restore it "
				 "from a backup",
				 folder, name, file);
	*ret_certificate = certificate;
	certificate = NULL;
	return 0;
}

int store_certificate_save(const char *folder, const char *name,
			   const struct certificate *certificate)
{
	char file[HOLDER_FILE_SIZE], path[STORE_PATH_SIZE];
	const uint8_t *der;
	size_t size;
	int r = store_path(folder, name, "holders", path);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0) {
		if (errno != EEXIST)
			return -errno;
	} else {
		r = durable_folder_sync(path);
		if (r < 0)
			return r;
	}
	der = certificate_der(certificate, &size);
	holder_file(certificate_key_id(certificate), file);
	return store_file_write(folder, name, file, der, size);
}

/* Whether holders/ENTRY is the certificate of a holder. */
static bool file_is_wanted(const struct store *store, const char *entry)
{
	char file[HOLDER_FILE_SIZE];

	for (size_t i = 0; i < store->count; i++) {
		holder_file(store->holders[i].key_id, file);
		if (strcmp(strchr(file, '/') + 1, entry) == 0)
			return true;
	}
	return false;
}

int store_certificates_tidy(const char *folder, const struct store *store)
{
	char path[STORE_PATH_SIZE];
	const struct dirent *entry;
	int fd = -1, r = folder_judge(folder, store->name, NULL);
	DIR *holders;

	if (r == 0)
		r = store_path(folder, store->name, "holders", path);
	if (r == 0)
		r = trusted_folder_open(path, geteuid(), &fd, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	holders = fdopendir(fd);
	if (!holders) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(holders)))
		if (entry->d_name[0] != '.' && !file_is_wanted(store, entry->d_name) &&
		    unlinkat(fd, entry->d_name, 0) < 0)
			r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)closedir(holders);
	return r;
}
