/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-use tickets: authenticate hands one to the PAM application, open_session hands it
 * back, so that a session is tied to the card that opened it even when both calls come
 * from different processes (sshd).
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdint.h>

struct tickets;

struct ticket {
	char user[HYGIE_USER_MAX];
	uint8_t key_id[HYGIE_KEY_ID_SIZE]; /* the card's key */
};

int tickets_new(struct tickets **ret_tickets) must_check;
void tickets_free(struct tickets *tickets);

/*
 * Makes a ticket, good once and for 60 seconds; the oldest goes when 64 are out. Negative
 * errno without randomness.
 */
int tickets_issue(struct tickets *tickets, const struct ticket *ticket,
		  char ret_name[HYGIE_TICKET_MAX]) must_check;

/* Takes a ticket in: 0 and what it stood for, or -ENOENT (unknown, used, too old). */
int tickets_redeem(struct tickets *tickets, const char *name,
		   struct ticket *ret_ticket) must_check;
