/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file under $XDG_RUNTIME_DIR for each session: who holds its lock makes it the only
 * hygie session-lock there; what it says is which processes lock the screen, for the one
 * that comes after it was killed.
 */
#pragma once

#include "libhygie/attributes.h"
#include "locker_run.h"

struct locker_record;

/*
 * Opens the session's. -EWOULDBLOCK where another process has it; -ENOENT without
 * XDG_RUNTIME_DIR; another errno of open().
 */
int locker_record_open(const char *session, struct locker_record **ret_record) must_check;
void locker_record_close(struct locker_record *record);

/* These processes lock the screen; none do. */
void locker_record_write(struct locker_record *record, const pid_t pids[], size_t count);

/*
 * Those that the file names and that still run, as descriptors (pidfd_open(2)), which the
 * caller closes; gives their number. None unless all of them run.
 */
size_t locker_record_read(const struct locker_record *record,
			  int ret_fds[LOCKER_PIDS_MAX]);
