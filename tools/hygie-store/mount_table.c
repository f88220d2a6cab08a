/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading mountinfo; see mount_table.h.
 */
#include "hygie-store/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* mountinfo writes a blank, tab, line feed and backslash as three octal digits. */
static void unescape(char *text)
{
	char *to = text;
	unsigned code;

	for (const char *from = text; *from; from++) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own digits */
		if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
			*to++ = (char)code;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static bool read_line(const char *text, struct mount_line *ret_line)
{
	unsigned long id;
	unsigned major_number, minor_number;
	const char *rest = strstr(text, " - ");

	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own digits */
	if (sscanf(text, "%lu %*u %u:%u %1023s %1023s", &id, &major_number, &minor_number,
		   ret_line->root, ret_line->point) != 5 ||
	    !rest || sscanf(rest, " - %63s %255s", ret_line->type, ret_line->source) != 2)
		return false;
	ret_line->id = id;
	ret_line->device = makedev(major_number, minor_number);
	unescape(ret_line->root);
	unescape(ret_line->point);
	unescape(ret_line->source);
	return true;
}

/* With `max` 0 the last one alone. */
static int search(mount_choice wanted, const void *context, struct mount_line *ret_lines,
		  size_t max)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *text = NULL;
	struct mount_line line = { 0 };
	size_t room = 0, count = 0;

	if (!table)
		return -errno;
	while (getline(&text, &room, table) >= 0) {
		if (!read_line(text, &line) || !wanted(&line, context))
			continue;
		if (max == 0) {
			ret_lines[0] = line;
			count = 1;
		} else if (count < max) {
			ret_lines[count++] = line;
		}
	}
	(void)fclose(table);
	return (int)count;
}

int mount_table_find(mount_choice wanted, const void *context,
		     struct mount_line *ret_line)
{
	return search(wanted, context, ret_line, 0);
}

int mount_table_list(mount_choice wanted, const void *context,
		     struct mount_line *ret_lines, size_t max)
{
	return search(wanted, context, ret_lines, max);
}

static bool has_id(const struct mount_line *line, const void *context)
{
	return line->id == *(const uint64_t *)context;
}

int mount_table_find_of(int fd, struct mount_line *ret_line)
{
	struct statx status;
	uint64_t id;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) < 0)
		return -errno;
	id = status.stx_mnt_id;
	return mount_table_find(has_id, &id, ret_line);
}
