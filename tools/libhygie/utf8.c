/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as RFC 3629 section 4 defines it, for strings from outside; declared in wire.h.
 */
#include "libhygie/wire.h"

/* Length of the sequence that begins at `bytes`, or 0 when it is not valid. */
static size_t sequence_length(const uint8_t *bytes, size_t left)
{
	static const struct {
		uint8_t first_low, first_high, second_low, second_high;
		size_t length;
	} forms[] = {
		{ 0x01, 0x7F, 0x00, 0xFF, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 },
		{ 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
		{ 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
		{ 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 },
		{ 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};

	for (size_t i = 0; i < array_size(forms); i++) {
		if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
			continue;
		if (forms[i].length > left)
			return 0;
		if (forms[i].length > 1 &&
		    (bytes[1] < forms[i].second_low || bytes[1] > forms[i].second_high))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((bytes[k] & 0xC0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

bool utf8_is_valid(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	const uint8_t *end = at + size;

	while (at < end) {
		size_t length = sequence_length(at, (size_t)(end - at));

		if (length == 0)
			return false;
		at += length;
	}
	return true;
}
