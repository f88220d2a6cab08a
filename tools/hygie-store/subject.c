/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See subject.h.
 */
#include "hygie-store/subject.h"

#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int fail(int r, const char *path, const char *what, char *reason, size_t size)
{
	(void)snprintf(reason, size, "%s: %s", path, what);
	return r;
}

static const char *key_error(int r)
{
	switch (-r) {
	case ENODATA:
		return "is not encrypted: it has no policy of fscrypt";
	case ENOTTY:
	case EOPNOTSUPP:
		return "lies on a file system without encryption";
	case EINVAL:
		return "has a policy of fscrypt that is not of version 2";
	default:
		return error_text(-r);
	}
}

/* Its path in its file system: what of its path is below the mount that it is reached by. */
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
	if (base + size == 0) /* all that is mounted of that disk would be the store's */
		return -EINVAL;
	memcpy(subject->root, line.root, base);
	memcpy(subject->root + base, subject->folder + above, size + 1);
	return 0;
}

int subject_look(struct subject *subject, char *reason, size_t reason_size)
{
	cleanup_close int fd =
		open(subject->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0)
		return fail(-errno, subject->folder, error_text(errno), reason,
			    reason_size);
	subject->device = status.st_dev;
	subject->top = status.st_ino;
	r = fscrypt_key_of(fd, &subject->key);
	if (r < 0)
		return fail(r, subject->folder, key_error(r), reason, reason_size);
	r = find_root(subject, fd);
	return r < 0 ? fail(r, subject->folder, error_text(-r), reason, reason_size) : 0;
}

int subject_open_disk(const struct subject *subject, int *ret_fd)
{
	char above[HYGIE_PATH_MAX];
	char *slash;
	struct stat status;
	int fd;

	(void)snprintf(above, sizeof(above), "%s", subject->folder);
	slash = strrchr(above, '/');
	if (!slash || slash == above)
		return -EINVAL;
	*slash = '\0';
	fd = open(above, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || status.st_dev != subject->device) {
		(void)close(fd);
		return -EXDEV;
	}
	*ret_fd = fd;
	return 0;
}

bool subject_has(const struct subject *subject, int fd)
{
	struct fscrypt_key_id key;

	return fscrypt_key_of(fd, &key) == 0 && fscrypt_key_is_same(&key, &subject->key);
}
