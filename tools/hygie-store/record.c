/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a mount; see record.h.
 */
#include "hygie-store/record.h"

#include "hygie-store/keep.h"
#include "hygie-store/place.h"
#include "libhygie/log.h"
#include "libhygie/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

#define LAYERS_MAX 16

int record_open(const char *name, int *ret_fd)
{
	char path[sizeof(KEEP_FOLDER) + KEEP_NAME_SIZE + 16];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), KEEP_FOLDER "/%s.mount", name);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EALREADY : -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int record_write(int fd, const char *mount)
{
	size_t size = strlen(mount);

	if (ftruncate(fd, 0) < 0)
		return -errno;
	if (size > 0 && pwrite(fd, mount, size, 0) != (ssize_t)size)
		return -EIO;
	return 0;
}

int record_clear(int fd, const char *name)
{
	char mount[HYGIE_PATH_MAX], source[KEEP_NAME_SIZE + 8];
	ssize_t size = pread(fd, mount, sizeof(mount) - 1, 0);
	dev_t device;
	int r = 0;

	if (size < 0)
		return -errno;
	mount[size] = '\0';
	(void)snprintf(source, sizeof(source), "hygie-%s", name);
	for (int i = 0; i < LAYERS_MAX && size > 0; i++) {
		r = place_find_mount(mount, source, &device);
		if (r <= 0)
			break;
		log_warning("%s: the mount of a gocryptfs that is gone is taken away",
			    mount);
		if (umount2(mount, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return -errno;
	}
	return r < 0 ? r : record_write(fd, "");
}

/* The first `size` bytes of it. */
static bool is_store_name(const char *name, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-.";

	return size > 0 && size <= KEEP_NAME_MAX && name[0] != '-' && name[0] != '.' &&
	       strspn(name, allowed) >= size;
}

bool keep_name_is_side(const char *name)
{
	static const size_t end = sizeof(".old") - 1;
	size_t size = strlen(name);
	const char *last = size > end ? name + size - end : "";

	return name[0] == '.' &&
	       (strcmp(last, ".old") == 0 || strcmp(last, ".new") == 0) &&
	       is_store_name(name + 1, size - end - 1);
}

bool keep_name_is_valid(const char *name)
{
	return is_store_name(name, strlen(name)) || keep_name_is_side(name);
}

int keep_clear(const char *name)
{
	cleanup_close int record = -1;
	int r = record_open(name, &record);

	return r < 0 ? r : record_clear(record, name);
}
