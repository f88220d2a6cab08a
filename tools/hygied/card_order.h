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
 * WIRE_ORDER_LOGIN: the PIN (NULL at a pin-pad), `count` tasks, and last of all one
 * signature over the challenge: it fails when the card has gone meanwhile. `spare`:
 * milliseconds after which no task begins; 0: they are what it is about.
 */
int card_order_login(const struct secret *pin, const struct card_task *tasks,
		     size_t count, uint32_t spare,
		     const struct token_certificate *certificate,
		     const struct challenge *challenge,
		     struct wire_message **ret_order) must_check;
