/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths and characters of a PIN; see pin_rule.h. Characters are looked at one by one,
 * without a table, so that the cache keeps no picture of the PIN.
 */
#include "hygie-token/pin_rule.h"

#include "libhygie/protocol.h"
#include "libhygie/wire.h"

#include <errno.h>
#include <string.h>

int pin_charset_from_name(const char *name, enum pin_charset *ret_charset)
{
	static const char *const names[] = {
		[PIN_DIGITS] = "digits",
		[PIN_ALPHANUMERIC] = "alphanumeric",
		[PIN_ANY] = "any",
	};

	for (size_t i = 0; i < array_size(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret_charset = (enum pin_charset)i;
			return 0;
		}
	}
	return -EBADMSG;
}

bool pin_rule_is_possible(const struct pin_rule *rule)
{
	return rule->min >= 1 && rule->min <= rule->max && rule->max <= HYGIE_PIN_MAX;
}

void pin_rule_narrow(struct pin_rule *rule, unsigned long token_min,
		     unsigned long token_max)
{
	if (token_min != ~0UL && token_min > rule->min)
		rule->min = token_min > HYGIE_PIN_MAX ? HYGIE_PIN_MAX + 1
						      : (uint32_t)token_min;
	if (token_max != 0 && token_max < rule->max)
		rule->max = (uint32_t)token_max;
}

static bool byte_fits(enum pin_charset charset, uint8_t byte)
{
	bool digit = byte >= '0' && byte <= '9';
	bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');

	switch (charset) {
	case PIN_DIGITS:
		return digit;
	case PIN_ALPHANUMERIC:
		return digit || letter;
	case PIN_ANY:
		return byte >= 0x20 && byte != 0x7f;
	}
	return false;
}

bool pin_rule_accepts(const struct pin_rule *rule, const struct secret *pin)
{
	const uint8_t *bytes = secret_bytes_const(pin);
	size_t size = secret_size(pin);
	bool fits = true;

	if (!pin_rule_is_possible(rule) || size < rule->min || size > rule->max)
		return false;
	for (size_t i = 0; i < size; i++)
		fits = byte_fits(rule->charset, bytes[i]) && fits;
	return fits && utf8_is_valid(bytes, size);
}
