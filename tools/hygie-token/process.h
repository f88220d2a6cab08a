/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process itself, before any foreign code runs in it: what it inherited is shut, what
 * it may use is bounded. Needs no order from hygied.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>

/*
 * Closes all descriptors but 0 to 3 (0 to 2 become /dev/null where they were shut),
 * empties the environment, sets umask, signals, limits, forbids dumps and asks to die
 * with hygied. 0, or negative errno; -EPERM when too little memory can be locked for a
 * PIN.
 */
int process_tidy(void) must_check;

/* Whether descriptor 3 is a SEQPACKET socket of the unix family. */
bool process_has_socket(void);

/*
 * Undumpable, and dying with hygied: said at the start and again once the uid has
 * changed, since that takes both back. 0 or negative errno.
 */
int process_shield(void) must_check;
