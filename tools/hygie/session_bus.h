/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of logind's, over the system bus: hears Lock, tells LockedHint. No call
 * waits for its answer. Where the bus is lost it is looked for again.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct session_bus;

struct session_listener {
	void (*lock)(void *context);   /* Lock */
	void (*unlock)(void *context); /* Unlock */
	/* Its LockedHint: once at the beginning, and when the bus or logind came again. */
	void (*hint)(void *context, bool locked);
	void (*told)(void *context);  /* logind took a LockedHint, or refused it */
	void (*ended)(void *context); /* the session has, or its first process */
};

/* The strings and `listener` are kept. The caller owns the result. */
int session_bus_start(sd_event *loop, const char *session,
		      const struct session_listener *listener, void *context,
		      struct session_bus **ret_bus) must_check;
void session_bus_free(struct session_bus *bus);

/* Sets the session's LockedHint. */
void session_bus_tell(struct session_bus *bus, bool locked);
