/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes foreign text fit for a terminal or a log line; declared in printable.h. It knows
 * UTF-8 and a short list of characters that mislead the eye, and no locale.
 */
#include "libhygie/printable.h"

#include "libhygie/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CUT_MARK "..."

/* Length of the well-formed character at `at`, or 0. */
static size_t character_length(const uint8_t *at, size_t left)
{
	size_t length = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;

	return length <= left && utf8_is_valid(at, length) ? length : 0;
}

static uint32_t character_value(const uint8_t *at, size_t length)
{
	static const uint8_t lead_mask[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	uint32_t value = at[0] & lead_mask[length];

	for (size_t i = 1; i < length; i++)
		value = value << 6 | (at[i] & 0x3F);
	return value;
}

/* Controls, and what reorders, hides or breaks a line of text. */
static bool character_misleads(uint32_t value)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0000, 0x001F }, { 0x007F, 0x009F },   { 0x00AD, 0x00AD },
		{ 0x061C, 0x061C }, { 0x180E, 0x180E },   { 0x200B, 0x200F },
		{ 0x2028, 0x202E }, { 0x2060, 0x206F },   { 0xFEFF, 0xFEFF },
		{ 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
	};

	for (size_t i = 0; i < array_size(ranges); i++)
		if (value >= ranges[i].first && value <= ranges[i].last)
			return true;
	return false;
}

/*
 * Writes the piece that stands for the character at `at`; returns how much source it
 * took. The backslash is escaped as well, so that no two sources give the same text.
 */
static size_t piece_make(const uint8_t *at, size_t left, char piece[16],
			 size_t *ret_length)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t length = character_length(at, left);
	size_t taken = length > 0 ? length : 1;
	size_t used = 0;

	if (length > 0 && at[0] != '\\' &&
	    !character_misleads(character_value(at, length))) {
		memcpy(piece, at, length);
		*ret_length = length;
		return length;
	}
	for (size_t i = 0; i < taken; i++) {
		piece[used++] = '\\';
		piece[used++] = 'x';
		piece[used++] = digits[at[i] >> 4];
		piece[used++] = digits[at[i] & 0x0F];
	}
	*ret_length = used;
	return taken;
}

size_t printable_copy(char *dst, size_t dst_size, const void *src, size_t src_size)
{
	const uint8_t *at = src;
	const size_t mark = sizeof(CUT_MARK) - 1;
	size_t used = 0;
	size_t cut = 0; /* where the mark goes if the rest does not fit */

	if (dst_size == 0)
		return 0;
	while (src_size > 0) {
		char piece[16];
		size_t length;
		size_t taken = piece_make(at, src_size, piece, &length);

		if (used + length + 1 > dst_size) {
			used = cut;
			if (used + mark + 1 <= dst_size) {
				memcpy(dst + used, CUT_MARK, mark);
				used += mark;
			}
			break;
		}
		memcpy(dst + used, piece, length);
		used += length;
		if (used + mark + 1 <= dst_size)
			cut = used;
		at += taken;
		src_size -= taken;
	}
	dst[used] = '\0';
	return used;
}

bool printable_is_clean(const void *src, size_t src_size)
{
	const uint8_t *at = src;
	const uint8_t *end = at + src_size;

	while (at < end) {
		size_t length = character_length(at, (size_t)(end - at));

		if (length == 0 || character_misleads(character_value(at, length)))
			return false;
		at += length;
	}
	return true;
}
