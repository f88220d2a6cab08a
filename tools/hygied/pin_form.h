/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a PIN: what cannot be one is never sent to a card, where it would cost a try.
 */
#pragma once

#include "hygied/profile.h"
#include "hygied/token_report.h"
#include "libhygie/secret.h"

/* Whether lengths and characters of both profile and token allow that PIN. */
bool pin_form_fits(const struct profile *profile, const struct token_report *token,
		   const struct secret *pin);
