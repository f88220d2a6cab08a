/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See show.h. The mount is made as it is to be before anybody sees it.
 */
#include "hygie-fscrypt/show.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

int show_folder(const struct subject *subject, bool read_only)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    (read_only ? MOUNT_ATTR_RDONLY : 0),
		.propagation = MS_PRIVATE,
	};
	cleanup_close int tree =
		open_tree(AT_FDCWD, subject->folder,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	if (tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0 ||
	    move_mount(tree, "", AT_FDCWD, subject->mount, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}
