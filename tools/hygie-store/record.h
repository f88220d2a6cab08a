/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives a keeper that is killed: where its store is mounted, in a locked file
 * under /run. By it the dead mount is found and taken away.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>

/*
 * Opens and locks the store's record, made if it is missing. 0 and a descriptor, which
 * the caller closes; -EALREADY while another process has it; else a negative errno.
 */
int record_open(const char *name, int *ret_fd) must_check;

/* Puts the mount point down, before anything is mounted; "" for none. */
int record_write(int fd, const char *mount) must_check;

/*
 * Unmounts whatever mount of the store `name` is left at the recorded place: its
 * gocryptfs is gone, so nobody loses more than he has lost already. 0 or negative errno.
 */
int record_clear(int fd, const char *name) must_check;
