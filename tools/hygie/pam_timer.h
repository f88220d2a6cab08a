/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer of systemd that ends a trial: a transient one, of the installed unit
 * hygie-pam-revert.service.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>

/* Starts it, in place of one that runs. 0, or -EIO and what went wrong. */
int pam_timer_start(unsigned milliseconds, char *reason, size_t reason_size) must_check;

/* Stops it; there may be none. */
void pam_timer_stop(void);
