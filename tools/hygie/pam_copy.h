/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of what pam-auth-update may change, taken before it is asked to. While the copy
 * lies there, a change is under way or on trial: whoever finds it after a power cut puts
 * it back.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>

#define PAM_COPY_PATH "/var/lib/hygie/pam-before"

/* Whether there is one. */
bool pam_copy_exists(void);

/* Takes one; there must be none. It is there whole or not at all. 0, negative errno. */
int pam_copy_take(void) must_check;

/*
 * Puts back what differs from it, each file whole. 0 or a negative errno; it can be called
 * again after a failure.
 */
int pam_copy_restore(void) must_check;

/* Removes it. 0 or a negative errno. */
int pam_copy_drop(void) must_check;
