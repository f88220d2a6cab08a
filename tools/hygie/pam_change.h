/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of which of our profiles are in force, by pam-auth-update, all or nothing; and
 * their undoing.
 */
#pragma once

#include "libhygie/attributes.h"
#include "pam_managed.h"

#include <stdbool.h>

#define PAM_REASON_MAX 1024

/*
 * Keeps other changes, and interruptions by the keyboard, away until the process ends.
 * 0 or a negative errno.
 */
int pam_change_begin(void) must_check;

/*
 * Has pam-auth-update enable exactly `wanted` of ours, and looks at what came of it. 0;
 * -EIO and what went wrong, for a person, when it is not as wanted (it may then be
 * anything: pam_copy_restore).
 */
int pam_change_apply(unsigned wanted, char reason[PAM_REASON_MAX]) must_check;

enum pam_settled {
	PAM_SETTLED_NOTHING,   /* there was nothing to do */
	PAM_SETTLED_RUNNING,   /* a trial runs: left alone */
	PAM_SETTLED_CONFIRMED, /* somebody logged in: tidied up */
	PAM_SETTLED_UNDONE,    /* an interrupted change was undone */
	PAM_SETTLED_REVERTED,  /* a trial was undone */
};

/*
 * Ends what was left behind: a confirmed trial, a change that was interrupted; with
 * `revert` also a trial that runs. 0, or a negative errno and what went wrong.
 */
int pam_change_settle(bool revert, enum pam_settled *ret_settled,
		      char reason[PAM_REASON_MAX]) must_check;
