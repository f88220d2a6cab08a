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
	void (*settled)(void *context); /* see session_bus_is_settled() */
	void (*ended)(void *context);   /* the session has, or its first process */
};

/* The strings and `listener` are kept. The caller owns the result. */
int session_bus_start(sd_event *loop, const char *session,
		      const struct session_listener *listener, void *context,
		      struct session_bus **ret_bus) must_check;
void session_bus_free(struct session_bus *bus);

/*
 * Sets the session's LockedHint. logind looks at who says so when it comes to it: whoever
 * says it must not end before it is settled.
 */
void session_bus_tell(struct session_bus *bus, bool locked);

/* Whether all that was told has been taken, refused or lost. */
bool session_bus_is_settled(const struct session_bus *bus);
