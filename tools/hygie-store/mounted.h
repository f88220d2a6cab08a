/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mounted of a store in this mount namespace: at its place, copies (bind mounts),
 * moved ones.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <stddef.h>

#define MOUNTED_MAX 16 /* looked at, at a time */

/* At its place. 1 and its device's numbers; 0: it is not; negative errno. */
int mounted_find(const struct subject *subject, dev_t *ret_device) must_check;

/* All that is of it, covered or not: how many, at most MOUNTED_MAX; negative errno. */
int mounted_list(const struct subject *subject,
		 struct mount_line ret_lines[MOUNTED_MAX]) must_check;

/* Whether it is what is seen there: nothing is mounted over it. */
bool mounted_is_on_top(const struct mount_line *line);

/*
 * Takes it all away: copies first, and the one at its place last. 0: nothing of it is
 * mounted here; -EBUSY: it is in use, or something else is mounted over it, which is left
 * alone; else a negative errno.
 */
int mounted_unmount(const struct subject *subject) must_check;

/*
 * The same, whoever uses it, and with what is mounted over it (MNT_DETACH): it is seen
 * nowhere here any more.
 */
int mounted_detach(const struct subject *subject) must_check;
