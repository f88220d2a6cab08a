/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See subject.h.
 */
#include "hygie-store/subject.h"

#include "hygie-store/mounted.h"
#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int fail(int r, const char *path, const char *what, char *reason, size_t size)
{
	(void)snprintf(reason, size, "%s: %s", path, what);
	return r;
}

static const char *unfit(int r)
{
	switch (-r) {
	case ENODATA:
		return "is not encrypted: it has no policy of fscrypt";
	case ENOTTY:
	case EOPNOTSUPP:
		return "lies on a file system without encryption";
	case EXDEV:
		return "is mounted itself; take a folder in it";
	case EINVAL:
		return "has a policy of fscrypt that is not of version 2";
	default:
		return error_text(-r);
	}
}

/*
 * Its path in its file system: what of its path is below the mount that it is reached by. A
 * folder that is mounted itself would be taken away with the store's own mounts.
 */
static int find_root(struct subject *subject, int fd)
{
	struct mount_line line;
	int r = mount_table_find_of(fd, &line);
	size_t above, base, size;

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	above = strcmp(line.point, "/") == 0 ? 0 : strlen(line.point);
	base = strcmp(line.root, "/") == 0 ? 0 : strlen(line.root);
	if (strncmp(subject->folder, line.point, above) != 0)
		return -ENOENT;
	size = strlen(subject->folder + above);
	if (base + size >= sizeof(subject->root))
		return -ENAMETOOLONG;
	if (size == 0)
		return -EXDEV;
	memcpy(subject->root, line.root, base);
	memcpy(subject->root + base, subject->folder + above, size + 1);
	return 0;
}

int subject_find(struct subject *subject, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	subject->device = status.st_dev;
	subject->top = status.st_ino;
	return find_root(subject, fd);
}

int subject_look(struct subject *subject, char *reason, size_t reason_size)
{
	cleanup_close int fd =
		open(subject->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : fscrypt_key_of(fd, &subject->key);

	if (r == 0)
		r = subject_find(subject, fd);
	return r < 0 ? fail(r, subject->folder, unfit(r), reason, reason_size) : 0;
}

/* A folder of its file system that is not of the store. */
static int open_on_disk(const struct subject *subject, const char *path, int *ret_fd)
{
	cleanup_close int fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (status.st_dev != subject->device || subject_has(subject, fd))
		return -EXDEV;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static bool is_of_its_disk(const struct mount_line *line, const void *context)
{
	const struct subject *subject = context;

	return line->device == subject->device;
}

/* Wherever its file system is mounted. */
static int open_any(const struct subject *subject, int *ret_fd)
{
	struct mount_line lines[MOUNTED_MAX];
	int count = mount_table_list(is_of_its_disk, subject, lines, MOUNTED_MAX);

	for (int i = 0; i < count; i++)
		if (mounted_is_on_top(&lines[i]) &&
		    open_on_disk(subject, lines[i].point, ret_fd) == 0)
			return 0;
	return count < 0 ? count : -ENODEV;
}

int subject_open_disk(const struct subject *subject, int *ret_fd)
{
	char above[HYGIE_PATH_MAX];
	char *slash;

	(void)snprintf(above, sizeof(above), "%s", subject->folder);
	slash = strrchr(above, '/');
	if (slash && slash != above) {
		*slash = '\0';
		if (open_on_disk(subject, above, ret_fd) == 0)
			return 0;
	}
	return open_any(subject, ret_fd);
}

bool subject_has(const struct subject *subject, int fd)
{
	struct fscrypt_key_id key;

	return fscrypt_key_of(fd, &key) == 0 && fscrypt_key_is_same(&key, &subject->key);
}

bool subject_has_at(const struct subject *subject, int fd)
{
	cleanup_close int opened = -1;
	char path[32];
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0 ||
	    makedev(status.stx_dev_major, status.stx_dev_minor) != subject->device ||
	    (status.stx_attributes & STATX_ATTR_ENCRYPTED) == 0 ||
	    !(S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode)))
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return opened >= 0 && subject_has(subject, opened);
}
