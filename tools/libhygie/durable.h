/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to files that are whole and on the disk when the call returns: after a power
 * cut there is the old state or the new one.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>
#include <sys/types.h>

/* Puts `size` bytes in place of what `path` holds, or makes it. 0 or a negative errno. */
int durable_write(const char *path, mode_t mode, const void *bytes,
		  size_t size) must_check;

/* Renames within one folder. 0; -ENOENT when `from` is not there; another errno. */
int durable_rename(const char *from, const char *to) must_check;

/* Removes a file; one that is not there is fine. 0 or a negative errno. */
int durable_remove(const char *path) must_check;

/* Writes all of it to a blocking descriptor, whatever interrupts. 0 or a negative errno. */
int write_all(int fd, const void *bytes, size_t size) must_check;

/* Flushes the folder that `path` lies in. 0 or a negative errno. */
int durable_folder_sync(const char *path) must_check;
