/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See watches.h. What is watched stands in fdinfo (proc(5)): the device, and a handle by
 * which the file is found whatever its name is.
 */
#include "hygie-store/watches.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MINOR_BITS 20 /* of a device, as the kernel itself has its numbers */

static bool is_watcher(int process, const char *descriptor)
{
	char link[NAME_MAX + 4], target[64];
	ssize_t size;

	(void)snprintf(link, sizeof(link), "fd/%s", descriptor);
	size = readlinkat(process, link, target, sizeof(target) - 1);
	if (size < 0)
		return false;
	target[size] = '\0';
	return strcmp(target, "anon_inode:inotify") == 0 ||
	       strcmp(target, "anon_inode:[fanotify]") == 0;
}

struct handle {
	struct file_handle head;
	unsigned char room[MAX_HANDLE_SZ]; /* its bytes */
};

/* The number, in hexadecimal, after such a word; 0 if it is not there. */
static unsigned long number_after(const char *line, const char *word)
{
	const char *text = strstr(line, word);

	return text ? strtoul(text + strlen(word), NULL, 16) : 0;
}

static bool is_on(const char *line, dev_t device)
{
	unsigned long number = number_after(line, " sdev:");

	return number != 0 &&
	       makedev((unsigned)(number >> MINOR_BITS),
		       (unsigned)(number & ((1u << MINOR_BITS) - 1))) == device;
}

/* The last word of a line: the handle's bytes. */
static bool take_handle(const char *line, struct handle *ret_handle)
{
	static const char word[] = " f_handle:";
	const char *text = strstr(line, word);
	size_t size = number_after(line, " fhandle-bytes:");

	if (!text || size == 0 || size > MAX_HANDLE_SZ)
		return false;
	text += sizeof(word) - 1;
	if (strspn(text, "0123456789abcdef") != 2 * size)
		return false;
	ret_handle->head.handle_bytes = (unsigned)size;
	ret_handle->head.handle_type = (int)number_after(line, " fhandle-type:");
	for (size_t i = 0; i < size; i++) {
		const char pair[3] = { text[2 * i], text[2 * i + 1] };

		ret_handle->room[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return true;
}

static bool is_watched(const struct subject *subject, int disk, const char *line)
{
	struct handle handle;
	cleanup_close int fd = -1;

	if (!is_on(line, subject->device) || !take_handle(line, &handle))
		return false;
	fd = open_by_handle_at(disk, &handle.head, O_PATH | O_CLOEXEC);
	return fd >= 0 && subject_has_at(subject, fd);
}

bool watches_subject(const struct subject *subject, int disk, int process,
		     const char *descriptor)
{
	char path[NAME_MAX + 8];
	cleanup_free char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *info;
	int fd;

	if (!is_watcher(process, descriptor))
		return false;
	(void)snprintf(path, sizeof(path), "fdinfo/%s", descriptor);
	fd = openat(process, path, O_RDONLY | O_CLOEXEC);
	info = fd >= 0 ? fdopen(fd, "re") : NULL;
	if (!info) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while (!found && getline(&line, &room, info) >= 0)
		found = is_watched(subject, disk, line);
	(void)fclose(info);
	return found;
}
