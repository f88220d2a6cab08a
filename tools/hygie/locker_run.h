/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The locker's processes: started, seen to hold the screen, and waited for. One locker at
 * a time; what it leaves behind is reaped.
 */
#pragma once

#include "libhygie/attributes.h"
#include "locker.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define LOCKER_PIDS_MAX 8

struct locker_run;

struct locker_listener {
	void (*seen)(void *context); /* it holds the screen; at most once for a start */
	/*
	 * It ended: `well` as one does that was unlocked (each process with status 0). Else
	 * at the first of its processes that ended otherwise; the others are killed.
	 */
	void (*ended)(void *context, bool well);
};

/*
 * Makes this process the parent of what its children leave behind, and blocks SIGCHLD. All
 * children are reaped. The caller owns the result.
 */
int locker_run_new(sd_event *loop, const struct locker_listener *listener, void *context,
		   struct locker_run **ret_run) must_check;

/* Its processes go on. */
void locker_run_free(struct locker_run *run);

/* Starts it, in a session of its own: no terminal can end it. None may run. */
int locker_run_start(struct locker_run *run, const struct locker *locker) must_check;

/* The processes that hold the screen; gives their number. */
size_t locker_run_pids(const struct locker_run *run, pid_t ret_pids[LOCKER_PIDS_MAX]);
