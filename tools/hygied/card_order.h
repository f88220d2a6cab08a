/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The orders that a helper gets, built from profile, settings and readers.
 */
#pragma once

#include "hygied/card.h"

/* WIRE_ORDER_START; -ENOENT or -EPERM with `reason` when the module is not usable. */
int card_order_start(const struct card_environment *environment,
		     const struct profile *profile, const char *reader,
		     struct wire_message **ret_order, char *reason,
		     size_t reason_size) must_check;

/*
 * WIRE_ORDER_PIN: `pin` is what holds now, or the PUK, as `operation` says; both NULL at
 * a pin-pad.
 */
int card_order_pin(enum token_operation operation, enum token_unblock way,
		   const struct secret *pin, const struct secret *new_pin,
		   struct wire_message **ret_order) must_check;

/*
 * Until when the tasks of a login with that deadline begin, both of deadline.h: a moment,
 * not a span, since at a pin-pad nobody knows how long the typing takes. What is left after
 * it is the signature's, and of a task that runs then: ten seconds, or two thirds of it all.
 */
uint64_t card_order_begin_by(uint64_t now, uint64_t deadline);

/*
 * WIRE_ORDER_LOGIN: the PIN (NULL at a pin-pad), `count` tasks, and last of all one
 * signature over the challenge: it fails when the card has gone meanwhile. `begin_by`:
 * as above; 0: they are what it is about.
 */
int card_order_login(const struct secret *pin, const struct card_task *tasks,
		     size_t count, uint64_t begin_by,
		     const struct token_certificate *certificate,
		     const struct challenge *challenge,
		     struct wire_message **ret_order) must_check;
