/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See mounted.h.
 */
#include "hygie-store/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define GOCRYPTFS "fuse.gocryptfs"

/* No field is asked for: the file system is not asked, it may be dead. */
static int look_at(const char *point, struct statx *ret_status)
{
	return statx(AT_FDCWD, point,
		     AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, 0,
		     ret_status);
}

/* `root` is the folder, or lies in it. */
static bool is_within(const char *root, const char *folder)
{
	size_t size = strlen(folder);

	return strncmp(root, folder, size) == 0 &&
	       (root[size] == '\0' || root[size] == '/');
}

/* Its path may have been changed since: then it is known by its number. */
static bool is_the_folder(const struct mount_line *line, const struct subject *subject)
{
	struct statx status;

	return look_at(line->point, &status) == 0 &&
	       makedev(status.stx_dev_major, status.stx_dev_minor) == subject->device &&
	       status.stx_ino == subject->top;
}

static bool is_of(const struct mount_line *line, const struct subject *subject)
{
	if (subject->backend == BACKEND_FSCRYPT)
		return line->device == subject->device &&
		       (is_within(line->root, subject->root) ||
			is_the_folder(line, subject));
	return strcmp(line->type, GOCRYPTFS) == 0 &&
	       strcmp(line->source, subject->source) == 0 &&
	       (!subject->device || line->device == subject->device);
}

static bool is_any(const struct mount_line *line, const void *context)
{
	return is_of(line, context);
}

static bool is_at_place(const struct mount_line *line, const void *context)
{
	const struct subject *subject = context;

	return strcmp(line->point, subject->mount) == 0 && is_of(line, subject);
}

static bool is_elsewhere(const struct mount_line *line, const void *context)
{
	const struct subject *subject = context;

	return strcmp(line->point, subject->mount) != 0 && is_of(line, subject);
}

int mounted_find(const struct subject *subject, dev_t *ret_device)
{
	struct mount_line line;
	int r = mount_table_find(is_at_place, subject, &line);

	if (r > 0)
		*ret_device = line.device;
	return r;
}

int mounted_list(const struct subject *subject, struct mount_line ret_lines[MOUNTED_MAX])
{
	return mount_table_list(is_any, subject, ret_lines, MOUNTED_MAX);
}

bool mounted_is_on_top(const struct mount_line *line)
{
	struct statx status;

	return look_at(line->point, &status) == 0 && status.stx_mnt_id == line->id;
}

/*
 * The one at its place last: as long as a copy is busy the store is where it belongs, and
 * can be opened again.
 */
static int take_away(const struct subject *subject, int flags)
{
	struct mount_line line;

	for (int i = 0; i < MOUNTED_MAX; i++) {
		int r = mount_table_find(is_elsewhere, subject, &line);

		if (r == 0)
			r = mount_table_find(is_at_place, subject, &line);
		if (r <= 0)
			return r;
		if (!flags && !mounted_is_on_top(&line))
			return -EBUSY;
		if (umount2(line.point, flags | UMOUNT_NOFOLLOW) < 0)
			return -errno;
	}
	return -EBUSY;
}

int mounted_unmount(const struct subject *subject)
{
	return take_away(subject, 0);
}

int mounted_detach(const struct subject *subject)
{
	return take_away(subject, MNT_DETACH);
}
