/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login secrets' files; see secret_file.h.
 */
#include "hygied/secret_file.h"

#include "hygied/store_file.h"
#include "libhygie/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The user whose file that is, if it is one in that place. */
static bool user_read(const char *name, enum secret_place place,
		      char ret_user[STORE_NAME_MAX + 1])
{
	size_t length = strlen(name), tail = strlen(suffixes[place]);

	if (length <= tail || length - tail > STORE_NAME_MAX ||
	    strcmp(name + length - tail, suffixes[place]) != 0)
		return false;
	memcpy(ret_user, name, length - tail);
	ret_user[length - tail] = '\0';
	return envelope_name_is_valid(ret_user);
}

static int by_byte(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* Each user once: what was put aside does not count beside one in use. */
static int call_with_user(int folder, const char *name, secret_user_callback callback,
			  void *context)
{
	char user[STORE_NAME_MAX + 1], on[NAME_SIZE];

	if (user_read(name, SECRET_ON, user))
		return callback(context, user);
	if (!user_read(name, SECRET_OFF, user) || name_make(user, SECRET_ON, on) < 0 ||
	    faccessat(folder, on, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return callback(context, user);
}

int secret_files_each(const char *home, secret_user_callback callback, void *context,
		      struct file_error *ret_error)
{
	struct dirent **entries = NULL;
	char path[STORE_PATH_SIZE];
	int count, fd = -1, r;

	r = store_path(home, FOLDER, NULL, path);
	if (r == 0)
		r = trusted_folder_open(path, geteuid(), &fd, ret_error);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	count = scandirat(fd, ".", &entries, NULL, by_byte);
	r = count < 0 ? -errno : 0;
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = call_with_user(fd, entries[i]->d_name, callback, context);
		free(entries[i]);
	}
	free(entries);
	(void)close(fd);
	return r;
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
