/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hygie-token process, seen from hygied: started in namespaces of its own, spoken to
 * over a socket, killed at will. What it says is checked for form only; card.c judges it.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/wire.h"

#include <systemd/sd-event.h>

struct helper;

struct helper_callbacks {
	/*
	 * A message that protocol.h allows at this point. The helper must not be freed in
	 * this call; killing it is fine.
	 */
	void (*report)(void *context, const struct wire_message *message);
	/*
	 * The process has ended and is reaped; `why` says how, for the log. Free it here.
	 */
	void (*ended)(void *context, const char *why);
};

/*
 * Starts `program` as root in new mount, PID, IPC and network namespaces with its socket
 * on descriptor 3, and sends it `order` (WIRE_ORDER_START). Negative errno on failure.
 * The caller owns the result.
 */
int helper_start(sd_event *loop, const char *program, const struct wire_message *order,
		 const struct helper_callbacks *callbacks, void *context,
		 struct helper **ret_helper) must_check;

/* Sends WIRE_ORDER_LOGIN or WIRE_ORDER_PIN, once. */
int helper_login(struct helper *helper, const struct wire_message *order) must_check;

/*
 * Kills the process; `ended` comes when it is gone. Harmless when it has ended already.
 */
void helper_kill(struct helper *helper);

/* Kills, reaps and frees without a callback; takes NULL. */
void helper_free(struct helper *helper);
