/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logind over the system bus: what it tells (a session is locked, is shown, has ended; the
 * machine goes to sleep), and what is asked of it. No call waits for its answer. Where
 * there is no bus, or until it is back, nothing is told and every call is lost, which the
 * log says; see logind_is_there().
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct logind;

struct logind_listener {
	/* Its LockedHint: as it is when first asked for, or as it changed. */
	void (*locked)(void *context, const char *session, bool locked, bool changed);
	void (*active)(void *context, const char *session); /* its screen is shown */
	void (*ended)(void *context, const char *session);
	/* The machine is about to sleep: it waits for logind_let_sleep(); or it woke up. */
	void (*sleep)(void *context, bool begins);
	/* The bus or logind is there (again): everything has to be asked for anew. */
	void (*there)(void *context);
};

/* `listener` is kept. The caller owns the result. */
int logind_start(sd_event *loop, const struct logind_listener *listener, void *context,
		 struct logind **ret_logind) must_check;
void logind_free(struct logind *logind);

bool logind_is_there(const struct logind *logind);

/* Asks for the session's LockedHint; logind_listener.locked tells. */
void logind_ask_locked(struct logind *logind, const char *session);

/* Sends it Lock; ends it; kills all its processes. */
void logind_lock(struct logind *logind, const char *session);
void logind_terminate(struct logind *logind, const char *session);
void logind_kill(struct logind *logind, const char *session);

/*
 * Shows the login screen on that seat: its session, if it has one, else the display
 * manager is asked for one.
 */
void logind_show_greeter(struct logind *logind, const char *seat);

/* Nothing is left to do before the machine sleeps. */
void logind_let_sleep(struct logind *logind);
