/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a card's PIN can look like, from its profile and from the token itself. A text
 * that cannot be the PIN never reaches the card: it would cost a try.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stdbool.h>
#include <stdint.h>

/* The zero is the narrowest: what no profile names is refused beyond digits. */
enum pin_charset {
	PIN_DIGITS = 0,
	PIN_ALPHANUMERIC, /* ASCII letters and digits */
	PIN_ANY,          /* UTF-8 without control characters */
};

struct pin_rule {
	uint32_t min; /* bytes */
	uint32_t max; /* bytes, at most HYGIE_PIN_MAX */
	enum pin_charset charset;
};

/* "digits", "alphanumeric", "any"; -EBADMSG for another. */
int pin_charset_from_name(const char *name, enum pin_charset *ret_charset) must_check;

/* Whether any PIN at all can satisfy the rule: 1 <= min <= max <= HYGIE_PIN_MAX. */
bool pin_rule_is_possible(const struct pin_rule *rule);

/*
 * Narrows the lengths by what the token says; a maximum of 0 or of all ones (PKCS#11's
 * CK_UNAVAILABLE_INFORMATION) says nothing. The rule may become impossible.
 */
void pin_rule_narrow(struct pin_rule *rule, unsigned long token_min,
		     unsigned long token_max);

/* Whether these bytes can be a PIN under the rule. An empty one never can. */
bool pin_rule_accepts(const struct pin_rule *rule, const struct secret *pin);
