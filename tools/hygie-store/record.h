/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives a keeper that is killed: where its store is mounted, and how its mount and
 * its key are known, in a locked file under /run. By it they are found and taken away.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

/*
 * Opens and locks the store's record, made if it is missing. 0 and a descriptor, which
 * the caller closes; -EALREADY while another process has it; else a negative errno.
 */
int record_open(const char *name, int *ret_fd) must_check;

/* Puts it down, before anything is mounted; NULL: nothing is. */
int record_write(int fd, const struct subject *subject) must_check;

/* What was put down last by the store's `name`. 1; 0: nothing; negative errno. */
int record_read(int fd, const char *name, struct subject *ret_subject) must_check;

/*
 * Unmounts what is left of the recorded store, which is called `name`: its gocryptfs is
 * gone, so nobody loses more than he has lost already. Of an fscrypt the key is taken out,
 * too. 0; -EBUSY: the key is gone, but files of it are in use, and readable to who has them:
 * the record stays, to be cleared again; else a negative errno.
 */
int record_clear(int fd, const char *name) must_check;
