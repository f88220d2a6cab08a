/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of this namespace, as /proc/self/mountinfo has them (proc(5)).
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNT_PATH_SIZE 1024 /* bytes of a path; what is longer is no mount of ours */

struct mount_line {
	uint64_t id; /* as statx() tells it */
	dev_t device;
	char root[MOUNT_PATH_SIZE];  /* of it, in its file system */
	char point[MOUNT_PATH_SIZE]; /* where it is */
	char type[64];
	char source[256];
};

/* Wanted or not. */
typedef bool (*mount_choice)(const struct mount_line *line, const void *context);

/*
 * The latest mount that is wanted: what was mounted within another goes before it. 1; 0:
 * there is none; negative errno.
 */
int mount_table_find(mount_choice wanted, const void *context,
		     struct mount_line *ret_line) must_check;

/* Every mount that is wanted, at most `max`. How many, or a negative errno. */
int mount_table_list(mount_choice wanted, const void *context,
		     struct mount_line *ret_lines, size_t max) must_check;

/*
 * The mount by which a path is reached that was opened as `fd`. 1; 0: none of this
 * namespace; negative errno.
 */
int mount_table_find_of(int fd, struct mount_line *ret_line) must_check;
