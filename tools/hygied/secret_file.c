/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login secrets' files; see secret_file.h.
 */
#include "hygied/secret_file.h"

#include "hygied/store_file.h"
#include "libhygie/durable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "secret"
#define NAME_SIZE (STORE_NAME_MAX + 16)
#define SPARES_MAX 999

static const char *const suffixes[] = {
	[SECRET_ON] = ".cms",
	[SECRET_OFF] = ".off",
	[SECRET_OLD] = ".old",
};

static int name_make(const char *user, enum secret_place place, char ret_name[NAME_SIZE])
{
	if (!envelope_name_is_valid(user))
		return -EINVAL;
	(void)snprintf(ret_name, NAME_SIZE, "%s%s", user, suffixes[place]);
	return 0;
}

static int path_make(const char *home, const char *user, enum secret_place place,
		     char ret_path[STORE_PATH_SIZE])
{
	char name[NAME_SIZE];
	int r = name_make(user, place, name);

	return r < 0 ? r : store_path(home, FOLDER, name, ret_path);
}

int secret_file_load(const char *home, const char *user, enum secret_place place,
		     struct secret_file **ret_file, struct file_error *ret_error)
{
	cleanup_secret_file struct secret_file *file = calloc(1, sizeof(*file));
	char name[NAME_SIZE], path[STORE_PATH_SIZE];
	struct stat st;
	int r;

	if (!file)
		return -ENOMEM;
	if (name_make(user, place, name) < 0 || path_make(home, user, place, path) < 0)
		return -ENOENT; /* a name that no file can have */
	r = store_file_read(home, FOLDER, name, ENVELOPE_SIZE_MAX, &file->der,
			    &file->size, ret_error);
	if (r < 0)
		return r;
	if (lstat(path, &st) == 0)
		file->since = st.st_mtime;
	r = envelope_parse(file->der, file->size, &file->envelope);
	if (r < 0) {
		if (ret_error)
			(void)snprintf(ret_error->text, sizeof(ret_error->text),
				       "%s: is damaged, or no envelope of a secret; "
				       "restore it from a backup",
				       path);
		return r;
	}
	*ret_file = file;
	file = NULL;
	return 0;
}

void secret_file_free(struct secret_file *file)
{
	if (!file)
		return;
	envelope_free(file->envelope);
	free(file->der);
	free(file);
}

/* Only a new folder is made; one that is there is judged as in reading. */
static int folder_make(const char *home)
{
	char path[STORE_PATH_SIZE];
	struct stat st;
	int r = store_path(home, FOLDER, NULL, path);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) == 0)
		return durable_folder_sync(path);
	if (errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
			       (st.st_mode & 07777) == 0700
		       ? 0
		       : -EPERM;
}

int secret_file_save(const char *home, const char *user, enum secret_place place,
		     const void *der, size_t size)
{
	char path[STORE_PATH_SIZE];
	int r = path_make(home, user, place, path);

	if (r == 0)
		r = folder_make(home);
	return r < 0 ? r : durable_write(path, 0600, der, size);
}

int secret_file_spare(const char *home, const char *user, enum secret_place place)
{
	char path[STORE_PATH_SIZE], spare[STORE_PATH_SIZE], name[NAME_SIZE];
	struct stat st;
	int r = path_make(home, user, place, path);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	for (unsigned i = 1; i <= SPARES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s%s.%u", user, suffixes[SECRET_OLD],
			       i);
		r = store_path(home, FOLDER, name, spare);
		if (r < 0)
			return r;
		if (lstat(spare, &st) < 0)
			return errno == ENOENT ? durable_rename(path, spare) : -errno;
	}
	return -EEXIST;
}

int secret_file_move(const char *home, const char *user, enum secret_place from,
		     enum secret_place to)
{
	char old[STORE_PATH_SIZE], new[STORE_PATH_SIZE];
	struct stat st;
	int r = path_make(home, user, from, old);

	if (r == 0)
		r = path_make(home, user, to, new);
	if (r == 0 && lstat(old, &st) < 0)
		r = -errno; /* then what lies in the other place stays there */
	if (r == 0)
		r = secret_file_spare(home, user, to);
	return r < 0 ? r : durable_rename(old, new);
}

bool secret_file_equals(const struct secret_file *one, const struct secret_file *other)
{
	return one->size == other->size && memcmp(one->der, other->der, one->size) == 0;
}
