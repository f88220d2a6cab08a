/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to hygied of the program that locks a session: tells hygied that there is one,
 * and hears what hygied makes of the session (WIRE_REQUEST_WATCH). Where hygied is away it
 * is looked for again.
 */
#pragma once

#include "busy_notice.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct session_link;

/* What hygied tells of the session. */
struct session_view {
	bool known;     /* a card opened it */
	bool locked;    /* hygied saw it to be locked */
	bool ends;      /* it is ended when its card is out, not locked */
	unsigned left;  /* milliseconds of the grace that are left; 0: none runs */
	char phase[32]; /* removal_word(); "" when not known */
	/* What programs of this user keep a store from being closed. */
	struct busy_program busy[HYGIE_HOLDERS_TOLD];
	size_t busy_count;
};

/* The strings are kept; `telling` hears each view. The caller owns the result. */
int session_link_start(sd_event *loop, const char *socket_path, const char *session,
		       void (*telling)(void *context, const struct session_view *view),
		       void *context, struct session_link **ret_link) must_check;
void session_link_free(struct session_link *link);

/*
 * Asks hygied to see to it that the screen is covered: it sends Lock, and without a
 * LockedHint in time it shows the login screen. Nothing comes of it where it is away.
 */
void session_link_cry(struct session_link *link);
