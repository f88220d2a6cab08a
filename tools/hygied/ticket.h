/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-use tickets: authenticate hands one to the PAM application, open_session hands it
 * back, so that a session is tied to the card that opened it even when both calls come
 * from different processes (sshd).
 */
#pragma once

#include "hygied/binding.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

struct tickets;

int tickets_new(struct tickets **ret_tickets) must_check;
void tickets_free(struct tickets *tickets);

/*
 * Makes a ticket, good once and for 60 seconds; the oldest goes when 64 are out. Negative
 * errno without randomness.
 */
int tickets_issue(struct tickets *tickets, const struct binding *binding,
		  char ret_name[HYGIE_TICKET_MAX]) must_check;

/*
 * Takes a ticket in: 0 and the binding that it stood for, which names no session yet; or
 * -ENOENT (unknown, used, too old).
 */
int tickets_redeem(struct tickets *tickets, const char *name,
		   struct binding *ret_binding) must_check;
