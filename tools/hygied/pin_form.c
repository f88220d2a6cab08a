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

struct pin_form pin_form_of_pin(const struct profile *profile,
				const struct token_report *token)
{
	return (struct pin_form){
		.min = narrower(token->pin_min, profile->pin_min, false),
		.max = narrower(token->pin_max, profile->pin_max, true),
		.charset = profile->pin_charset,
	};
}

struct pin_form pin_form_of_puk(const struct profile *profile)
{
	return (struct pin_form){ profile->puk_min, profile->puk_max,
				  profile->puk_charset };
}

bool pin_form_is(const struct pin_form *form, const struct secret *pin)
{
	size_t size = secret_size(pin);

	if (size == 0 || size > HYGIE_PIN_MAX || size < form->min || size > form->max)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!character_fits(secret_bytes_const(pin)[i], form->charset))
			return false;
	return true;
}

bool pin_form_fits(const struct profile *profile, const struct token_report *token,
		   const struct secret *pin)
{
	struct pin_form form = pin_form_of_pin(profile, token);

	return pin_form_is(&form, pin);
}
