/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable changes to files; see durable.h.
 */
#include "libhygie/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int durable_folder_sync(const char *path)
{
	cleanup_free char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	cleanup_close int fd = -1;

	if (!slash)
		return folder ? -EINVAL : -ENOMEM;
	slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int write_all(int fd, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int durable_write(const char *path, mode_t mode, const void *bytes, size_t size)
{
	cleanup_free char *new = NULL;
	int fd, r;

	if (asprintf(&new, "%s.hygie-new", path) < 0)
		return -ENOMEM;
	(void)unlink(new); /* left by one that was killed */
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, size);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = durable_rename(new, path);
	if (r < 0)
		(void)unlink(new);
	return r;
}

int durable_rename(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : durable_folder_sync(to);
}

int durable_remove(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return durable_folder_sync(path);
}
