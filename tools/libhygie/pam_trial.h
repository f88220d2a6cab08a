/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PAM set-up on trial: a file says until when and what was enabled before. hygied takes
 * it away when somebody has logged in with a card; the command, its timer and the start of
 * the machine act on one that is still there.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define PAM_TRIAL_FOLDER "/var/lib/hygie"

enum pam_trial_state {
	PAM_TRIAL_NONE,
	PAM_TRIAL_RUNNING,
	PAM_TRIAL_REVERTING, /* being undone */
	PAM_TRIAL_CONFIRMED, /* somebody has logged in; the copy is still to be removed */
};

struct pam_trial {
	uint64_t until;  /* seconds since 1970 */
	unsigned before; /* the profiles that were enabled: the command's bits */
};

/* How it stands; *ret_trial (may be NULL) is filled for RUNNING and REVERTING. */
enum pam_trial_state pam_trial_look(struct pam_trial *ret_trial);

/* Begins one; durable. 0 or a negative errno. */
int pam_trial_begin(const struct pam_trial *trial) must_check;

/* RUNNING -> CONFIRMED: 1; there is none: 0; a negative errno. */
int pam_trial_confirm(void) must_check;

/* RUNNING -> REVERTING: 1; there is none (it was confirmed): 0; a negative errno. */
int pam_trial_take(void) must_check;

/* Whatever it is -> NONE. 0 or a negative errno. */
int pam_trial_clear(void) must_check;

/* Whether a login at this service is one that people use: a trial of ours is not. */
bool pam_trial_counts(const char *service);
