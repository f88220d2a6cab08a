/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of a store, judged before anything is made or mounted in them, and what is
 * mounted there.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PLACE_POINT_SIZE 1024 /* bytes of a mount point */

/*
 * Whether a store may be mounted on `path`: absolute, each component a folder of root's
 * that nobody else can write (no symbolic link), the last one empty. With `make`, what is
 * missing is made, the last one for root alone: what somebody writes there while the
 * store is closed would lie in the open. 0; -ENOENT, -EPERM, -ELOOP, -ENOTEMPTY or
 * another errno, and `reason`.
 */
int place_judge_mount(const char *path, bool make, char *reason,
		      size_t reason_size) must_check;

/*
 * Whether `path` may hold encrypted files: root's, in a folder that root alone can enter
 * (the group may write in it, and is not to reach it but by the mount point). Errors as
 * above.
 */
int place_judge_cipher(const char *path, char *reason, size_t reason_size) must_check;

/* Makes it: root:group, 2770. -EEXIST when it is there and not empty; else as above. */
int place_make_cipher(const char *path, gid_t group, char *reason,
		      size_t reason_size) must_check;

/*
 * Looks among this namespace's mounts for the store's own: a gocryptfs on `path` that
 * calls itself `source`. 1 and its device's numbers; 0: there is none; negative errno.
 */
int place_find_mount(const char *path, const char *source, dev_t *ret_device) must_check;

/*
 * Where that device can be reached by its path: at `path`, else at a copy of it. 1; 0:
 * nowhere, or something else lies over it; negative errno.
 */
int place_find_point(const char *path, const char *source, dev_t device,
		     char ret_point[PLACE_POINT_SIZE]) must_check;

/*
 * Takes away all that is mounted of that device under that name in this namespace: copies
 * of it, and the one at `path` last. 0: nothing of it is mounted here; -EBUSY: it is in
 * use, and `ret_point` says where, or something else is mounted over it, which is left
 * alone, and `ret_point` is ""; else a negative errno.
 */
int place_unmount(const char *path, const char *source, dev_t device,
		  char ret_point[PLACE_POINT_SIZE]) must_check;
