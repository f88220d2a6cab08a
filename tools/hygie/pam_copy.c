/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of files; see pam_copy.h.
 */
#include "pam_copy.h"

#include "libhygie/durable.h"
#include "pam_managed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NEW_PATH PAM_COPY_PATH ".new"
#define OLD_PATH PAM_COPY_PATH ".old"
#define FILE_SIZE_MAX ((off_t)1 << 20)
#define PATH_SIZE 256

/* What is copied: for each managed file two, and the list of profiles seen. */
#define COPIED_FILES (2 * PAM_MANAGED_FILES + 1)

/* The i-th file, and its name in the copy. */
static void copied_file(size_t i, char ret_path[PATH_SIZE], char ret_name[PATH_SIZE])
{
	const char *name = i < COPIED_FILES - 1 ? pam_managed_files[i / 2] : "seen";
	bool config = i < COPIED_FILES - 1 && i % 2 == 0;

	(void)snprintf(ret_name, PATH_SIZE, "%s%s", config ? "common-" : "", name);
	(void)snprintf(ret_path, PATH_SIZE, "%s/%s",
		       config ? pam_managed_system.folder : pam_managed_system.state,
		       ret_name);
}

/* A small file whole, malloc'ed, and its mode. 0 or a negative errno. */
static int file_read(const char *path, uint8_t **ret_bytes, size_t *ret_size,
		     mode_t *ret_mode)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	cleanup_free uint8_t *bytes = NULL;
	size_t used = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX)
		return -EINVAL;
	bytes = calloc(1, (size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	while (used < (size_t)st.st_size && n > 0) {
		n = read(fd, bytes + used, (size_t)st.st_size - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (n < 0)
		return -errno;
	*ret_size = used;
	*ret_mode = st.st_mode & 07777;
	*ret_bytes = bytes;
	bytes = NULL;
	return 0;
}

/* Copies `from` to `to` unless they are alike. -ENOENT: there is no `from`. */
static int file_copy(const char *from, const char *to)
{
	cleanup_free uint8_t *bytes = NULL, *there = NULL;
	size_t size = 0, there_size = 0;
	mode_t mode = 0, there_mode = 0;
	int r = file_read(from, &bytes, &size, &mode);

	if (r < 0 || !bytes)
		return r;
	if (file_read(to, &there, &there_size, &there_mode) == 0 && mode == there_mode &&
	    there && size == there_size && memcmp(bytes, there, size) == 0)
		return 0;
	return durable_write(to, mode, bytes, size);
}

/* Removes a folder of the copy with what it holds. */
static int folder_remove(const char *folder)
{
	for (size_t i = 0; i < COPIED_FILES; i++) {
		char path[PATH_SIZE], name[PATH_SIZE], copy[3 * PATH_SIZE];

		copied_file(i, path, name);
		(void)snprintf(copy, sizeof(copy), "%s/%s", folder, name);
		(void)unlink(copy);
		(void)snprintf(copy, sizeof(copy), "%s/%s.hygie-new", folder, name);
		(void)unlink(copy);
	}
	return rmdir(folder) < 0 && errno != ENOENT ? -errno : 0;
}

bool pam_copy_exists(void)
{
	return access(PAM_COPY_PATH, F_OK) == 0;
}

int pam_copy_take(void)
{
	int r = folder_remove(NEW_PATH);

	if (r < 0)
		return r;
	if (mkdir(NEW_PATH, 0700) < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < COPIED_FILES; i++) {
		char path[PATH_SIZE], name[PATH_SIZE], copy[3 * PATH_SIZE];

		copied_file(i, path, name);
		(void)snprintf(copy, sizeof(copy), NEW_PATH "/%s", name);
		r = file_copy(path, copy);
		if (r == -ENOENT && strcmp(name, "seen") == 0)
			r = 0;
	}
	return r < 0 ? r : durable_rename(NEW_PATH, PAM_COPY_PATH);
}

int pam_copy_restore(void)
{
	int first = 0;

	/* All of them, whatever becomes of one. */
	for (size_t i = 0; i < COPIED_FILES; i++) {
		char path[PATH_SIZE], name[PATH_SIZE], copy[3 * PATH_SIZE];
		int r;

		copied_file(i, path, name);
		(void)snprintf(copy, sizeof(copy), PAM_COPY_PATH "/%s", name);
		r = file_copy(copy, path);
		if (r < 0 && !(r == -ENOENT && strcmp(name, "seen") == 0) && first == 0)
			first = r;
	}
	return first;
}

int pam_copy_drop(void)
{
	int r = folder_remove(OLD_PATH);

	if (r < 0)
		return r;
	/* First out of sight whole, so that half a copy is never put back. */
	r = durable_rename(PAM_COPY_PATH, OLD_PATH);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : folder_remove(OLD_PATH);
}
