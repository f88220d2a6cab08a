/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether there is room on a disk for what is about to be copied to it: bytes, and numbers
 * of files (inodes). A look before hours of copying, and no promise: others write there,
 * too.
 */
#pragma once

#include "store_archive.h"

struct store_room {
	uint64_t bytes, files; /* folders and links are files, too */
};

/* One more file of that size, in blocks of `block` bytes. What is too much stays so. */
void store_room_add(struct store_room *room, uint64_t size, uint64_t block);

/*
 * What a folder takes where it lies, with all that is in it; a file with several names
 * once. 0 or -ENOMEM.
 */
int store_room_measure(const char *path, struct store_room *ret_room) must_check;

/* The size of a block where `folder` lies, never 0. 0 or a negative errno. */
int store_room_block(const char *folder, uint64_t *ret_block) must_check;

/*
 * Whether there is room in `folder` for what is `wanted`, of which `there` is there
 * already, and for what the file system needs besides. `what` it is for ends a sentence.
 * 0; -ENOSPC with an error that says how much there is and how much is needed; another
 * errno.
 */
int store_room_look(const char *folder, const struct store_room *wanted,
		    const struct store_room *there, const char *what,
		    struct archive_error *error) must_check;
