/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Could these characters be the card's PIN? See pin_form.h.
 */
#include "hygied/pin_form.h"

#include "libhygie/protocol.h"

static bool character_fits(uint8_t character, int charset)
{
	bool digit = character >= '0' && character <= '9';
	bool letter = (character >= 'a' && character <= 'z') ||
		      (character >= 'A' && character <= 'Z');

	switch (charset) {
	case PROFILE_PIN_DIGITS:
		return digit;
	case PROFILE_PIN_ALPHANUMERIC:
		return digit || letter;
	default:
		return character >= 0x20 && character != 0x7F;
	}
}

static unsigned narrower(uint32_t token, unsigned profile, bool smallest)
{
	if (token == 0)
		return profile;
	return (token < profile) == smallest ? token : profile;
}

bool pin_form_fits(const struct profile *profile, const struct token_report *token,
		   const struct secret *pin)
{
	size_t size = secret_size(pin);

	if (size == 0 || size > HYGIE_PIN_MAX)
		return false;
	if (size < narrower(token->pin_min, profile->pin_min, false) ||
	    size > narrower(token->pin_max, profile->pin_max, true))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!character_fits(secret_bytes_const(pin)[i], profile->pin_charset))
			return false;
	return true;
}
