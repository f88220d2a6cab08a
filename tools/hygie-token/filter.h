/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that are left to the module, in two steps that only narrow.
 */
#pragma once

#include "libhygie/attributes.h"

/* What the module must reach during a login. */
enum filter_kind {
	FILTER_CARD, /* pcscd's socket, connected already: no file, no new socket */
	FILTER_FILE, /* a token in files below paths_rw (SoftHSM) */
};

/* Before the module is loaded: for dlopen, C_Initialize, reading. 0 or negative errno. */
int filter_for_loading(void) must_check;

/* After the token was read, for all threads: for one login. 0 or negative errno. */
int filter_for_login(enum filter_kind kind) must_check;
