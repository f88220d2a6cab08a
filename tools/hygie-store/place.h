/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of a store, judged before anything is made or mounted in them.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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

/*
 * Makes it: root:group, 2770. -EEXIST when it is there and not empty; else as above. With
 * `anew` an empty one that is there is removed first, and with it what it was encrypted by.
 */
int place_make_cipher(const char *path, gid_t group, bool anew, char *reason,
		      size_t reason_size) must_check;
