/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a busy store to come free: for each program that holds something its end
 * (pidfd), and every file of it that is closed, by whichever mount of it (listen.h). A program that changes its working directory tells nobody, nor does whoever
 * unmounts something: so it is looked after every ten seconds as well.
 */
#pragma once

#include "hygie-store/holders.h"
#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <systemd/sd-event.h>

struct vigil;

/* The store may have come free: try. */
typedef void (*vigil_callback)(void *context);

/*
 * Begins. Keeps nothing of the store open. `subject` outlives it; with NULL closed files are
 * not waited for: it is mounted no more. The caller frees the result.
 */
int vigil_new(sd_event *loop, const struct subject *subject, vigil_callback callback,
	      void *context, struct vigil **ret_vigil) must_check;

/*
 * It is still busy: these hold it. Called after each try, also within the callback.
 */
void vigil_go_on(struct vigil *vigil, const struct holders *holders);

/*
 * Whether a try that failed should look for the holders anew: not at each of many files
 * that are closed one after the other.
 */
bool vigil_wants_holders(const struct vigil *vigil);

/* Takes NULL. */
void vigil_free(struct vigil *vigil);
