/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a mounted store is used: a file or folder of it opened, read, written, closed,
 * by whichever mount of it that listen.h hears.
 * A file that only lies open, a working directory, and what is done to a mapped file are not
 * seen. The first use tells all that a span of a quarter of the idle time has to tell
 * (fanotify is deaf until the next), so that a store in use costs nothing; the span counts
 * as used to its end. So it is told after one to one and a half of that time, never before.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <stdint.h>
#include <systemd/sd-event.h>

struct idle;

/* Nobody has used it for so long. Comes again each quarter, until there is a use. */
typedef void (*idle_callback)(void *context);

/* Begins, with a use. `subject` outlives it. The caller frees the result. */
int idle_new(sd_event *loop, const struct subject *subject, uint64_t after_us,
	     idle_callback callback, void *context, struct idle **ret_idle) must_check;

/* Takes NULL. */
void idle_free(struct idle *idle);
