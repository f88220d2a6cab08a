/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging folders; see place.h. Only root can change what was judged, since all the way
 * down belongs to root: so a path may be used after it was looked at.
 */
#include "hygie-store/place.h"

#include "libhygie/error_text.h"
#include "libhygie/protocol.h"
#include "libhygie/trusted_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OWNER 0

static int fail(int r, const char *path, const char *what, char *reason, size_t size)
{
	(void)snprintf(reason, size, "%s: %s", path, what);
	return r;
}

/* 1: empty, 0: not. */
static int folder_is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int count = 0;

	if (!folder) {
		int r = -errno;

		if (copy >= 0)
			(void)close(copy);
		return r;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
	while ((entry = readdir(folder)))
		count += strcmp(entry->d_name, ".") != 0 &&
			 strcmp(entry->d_name, "..") != 0;
	(void)closedir(folder);
	return count == 0;
}

/* Opens it where all the way is root's; makes what is missing, if it is to. */
static int open_folder(const char *path, bool make, char *reason, size_t size)
{
	struct file_error error = { "" };
	char part[HYGIE_PATH_MAX];
	int fd = -1, r;

	if (!trusted_path_is_plain(path) || strlen(path) >= sizeof(part))
		return fail(-EINVAL, path, "is no plain absolute path", reason, size);
	for (const char *end = strchr(path + 1, '/'); make; end = strchr(end + 1, '/')) {
		size_t length = end ? (size_t)(end - path) : strlen(path);

		memcpy(part, path, length);
		part[length] = '\0';
		r = trusted_folder_open(part, OWNER, &fd, &error);
		/* On the way down everybody may pass, whatever our umask. */
		if (r == -ENOENT &&
		    (mkdir(part, 0700) < 0 || (end && chmod(part, 0755) < 0)))
			return fail(-errno, part, error_text(errno), reason, size);
		if (r == 0)
			(void)close(fd);
		else if (r != -ENOENT && r != -EPERM)
			break; /* told below */
		if (!end)
			break;
	}
	r = trusted_folder_open(path, OWNER, &fd, &error);
	if (r < 0) {
		(void)snprintf(reason, size, "%s", error.text);
		return r;
	}
	return fd;
}

int place_judge_mount(const char *path, bool make, char *reason, size_t reason_size)
{
	cleanup_close int fd = open_folder(path, make, reason, reason_size);
	struct stat status;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return fail(-errno, path, error_text(errno), reason, reason_size);
	if (status.st_uid != OWNER)
		return fail(-EPERM, path, "does not belong to root", reason, reason_size);
	r = folder_is_empty(fd);
	if (r < 0)
		return fail(r, path, error_text(-r), reason, reason_size);
	if (r == 0)
		return fail(-ENOTEMPTY, path, "is not empty", reason, reason_size);
	return 0;
}

/* The folder that a store's own one lies in, and the last part of the path. */
static int open_parent(const char *path, bool make, const char **ret_name, char *reason,
		       size_t size)
{
	char parent[HYGIE_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat status;
	int fd;

	if (!trusted_path_is_plain(path) || !slash || slash == path ||
	    strlen(path) >= sizeof(parent))
		return fail(-EINVAL, path, "is no place for encrypted files", reason,
			    size);
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	fd = open_folder(parent, make, reason, size);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || status.st_uid != OWNER ||
	    (status.st_mode & 077) != 0) {
		(void)close(fd);
		return fail(-EPERM, parent, "is not root's alone (mode 0700)", reason,
			    size);
	}
	*ret_name = slash + 1;
	return fd;
}

int place_judge_cipher(const char *path, char *reason, size_t reason_size)
{
	const char *name;
	cleanup_close int parent = open_parent(path, false, &name, reason, reason_size);
	struct stat status;

	if (parent < 0)
		return parent;
	if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(-errno, path, error_text(errno), reason, reason_size);
	if (!S_ISDIR(status.st_mode) || status.st_uid != OWNER ||
	    (status.st_mode & 07) != 0)
		return fail(-EPERM, path, "is no folder of root's and the store's group",
			    reason, reason_size);
	return 0;
}

int place_make_cipher(const char *path, gid_t group, bool anew, char *reason,
		      size_t reason_size)
{
	const char *name;
	cleanup_close int parent = open_parent(path, true, &name, reason, reason_size);
	cleanup_close int fd = -1;
	int r;

	if (parent < 0)
		return parent;
	if (anew)
		(void)unlinkat(parent, name,
			       AT_REMOVEDIR); /* if not, that is told below */
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return fail(-errno, path, error_text(errno), reason, reason_size);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, path, error_text(errno), reason, reason_size);
	r = folder_is_empty(fd);
	if (r <= 0)
		return fail(r < 0 ? r : -EEXIST, path,
			    r < 0 ? error_text(-r) : "is not empty", reason, reason_size);
	if (fchown(fd, OWNER, group) < 0 || fchmod(fd, 02770) < 0 || fsync(fd) < 0 ||
	    fsync(parent) < 0)
		return fail(-errno, path, error_text(errno), reason, reason_size);
	return 0;
}
