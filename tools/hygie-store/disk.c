/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See disk.h.
 */
#include "hygie-store/disk.h"

#include "hygie-store/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int disk_find(const char *folder, struct disk *ret_disk)
{
	cleanup_close int fd = open(folder, O_PATH | O_CLOEXEC);
	struct mount_line line;
	int r;

	if (fd < 0)
		return -errno;
	r = mount_table_find_of(fd, &line);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	memcpy(ret_disk->device, line.source, sizeof(ret_disk->device));
	memcpy(ret_disk->type, line.type, sizeof(ret_disk->type));
	return 0;
}

void disk_advise(const struct disk *disk, const char *folder, char *ret_text, size_t size)
{
	static const struct {
		const char *type, *command;
	} commands[] = {
		{ "ext4", "tune2fs -O encrypt" },
		{ "f2fs", "fsck.f2fs -O encrypt" }, /* while it is not mounted */
	};

	for (size_t i = 0; i < array_size(commands); i++) {
		if (strcmp(disk->type, commands[i].type) != 0)
			continue;
		(void)snprintf(
			ret_text, size,
			"%s: the %s on %s does not encrypt yet; to have it, run: %s %s",
			folder, disk->type, disk->device, commands[i].command,
			disk->device);
		return;
	}
	(void)snprintf(ret_text, size,
		       "%s: the %s there (%s) cannot encrypt; fscrypt needs ext4 or f2fs",
		       folder, disk->type, disk->device);
}
