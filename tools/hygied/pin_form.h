/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a PIN or PUK: what cannot be one is never sent to a card, where it would
 * cost a try.
 */
#pragma once

#include "hygied/profile.h"
#include "hygied/token_report.h"
#include "libhygie/secret.h"

struct pin_form {
	unsigned min, max; /* bytes */
	int charset;       /* enum profile_pin_charset */
};

/* A PIN of the card: its profile's lengths, narrowed by what the token says. */
struct pin_form pin_form_of_pin(const struct profile *profile,
				const struct token_report *token);

/* Its PUK: the profile's alone, for what a token says is about the PIN. */
struct pin_form pin_form_of_puk(const struct profile *profile);

/* Whether it has that form; what is empty or over HYGIE_PIN_MAX never has. */
bool pin_form_is(const struct pin_form *form, const struct secret *pin);

/* Whether lengths and characters of both profile and token allow that PIN. */
bool pin_form_fits(const struct profile *profile, const struct token_report *token,
		   const struct secret *pin);
