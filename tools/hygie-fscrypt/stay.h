/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staying as long as the folder is shown, and until its key is gone.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <stdbool.h>

/* What became of the key. */
enum stay_end {
	STAY_GONE = 1, /* the kernel has nothing of it */
	STAY_HELD,     /* it is gone, but files are in use; we were to end all the same */
};

/*
 * Blocks the signals that it takes: SIGTERM, to take mount and key away, whoever uses them,
 * and end; SIGHUP, to look at once (its parent has blocked them already). A descriptor that tells of them, which the caller closes.
 */
int stay_prepare(int *ret_signals) must_check;

/* Whether SIGTERM has come. */
bool stay_is_over(void);

/*
 * Waits for the end of the last mount, takes the key out of the file system that `disk` lies
 * on, and stays while files of it are in use. `held`, once, when that lasts. Returns an
 * enum stay_end, or a negative errno.
 */
int stay_shown(const struct subject *subject, int disk, int signals,
	       void (*held)(void)) must_check;

/* The same, after taking all mounts away, whoever uses them. */
int stay_closing(const struct subject *subject, int disk, int signals,
		 void (*held)(void)) must_check;
