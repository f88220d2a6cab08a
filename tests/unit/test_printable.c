/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printable_copy and printable_is_clean: what a hostile name may look like on a terminal.
 */
#include "libhygie/printable.h"

#include "libhygie/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

struct sample {
	const char *src;
	size_t size;
	const char *expected;
};

#define SAMPLE(src, expected)                                                            \
	{                                                                                \
		src, sizeof(src) - 1, expected                                           \
	}

static void assert_copies(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char dst[256];
		size_t length =
			printable_copy(dst, sizeof(dst), samples[i].src, samples[i].size);

		assert_string_equal(dst, samples[i].expected);
		assert_int_equal(length, strlen(dst));
	}
}

static void plain_text_in_any_script_stays_as_it_is(void **state)
{
	static const char *const texts[] = {
		"",      "Camille SPECIMEN", "Médecin-Élève",
		"Ωμέγα", "日本語",           "\U0001F9EA lab"
	};

	(void)state;
	for (size_t i = 0; i < array_size(texts); i++) {
		char dst[64];

		assert_int_equal(
			printable_copy(dst, sizeof(dst), texts[i], strlen(texts[i])),
			strlen(texts[i]));
		assert_string_equal(dst, texts[i]);
		assert_true(printable_is_clean(texts[i], strlen(texts[i])));
	}
}

static void controls_are_escaped(void **state)
{
	static const struct sample samples[] = {
		SAMPLE("a\x1b[31mb", "a\\x1B[31mb"),
		SAMPLE("a\nb\rc\td", "a\\x0Ab\\x0Dc\\x09d"),
		SAMPLE("a\0b", "a\\x00b"),
		SAMPLE("\x7f", "\\x7F"),
		SAMPLE("\xc2\x9b"
		       "31m",
		       "\\xC2\\x9B31m"),
	};

	(void)state;
	assert_copies(samples, array_size(samples));
	for (size_t i = 0; i < array_size(samples); i++)
		assert_false(printable_is_clean(samples[i].src, samples[i].size));
}

static void malformed_utf8_is_escaped_byte_by_byte(void **state)
{
	static const struct sample samples[] = {
		SAMPLE("M\xe9"
		       "decin",
		       "M\\xE9decin"),                     /* Latin-1 */
		SAMPLE("\xc0\xaf", "\\xC0\\xAF"),          /* overlong slash */
		SAMPLE("\xe0\x80\x8a", "\\xE0\\x80\\x8A"), /* overlong line feed */
		SAMPLE("\xed\xa0\x80", "\\xED\\xA0\\x80"), /* surrogate */
		SAMPLE("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"), /* beyond the last */
		SAMPLE("\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80"),
		SAMPLE("\x80", "\\x80"),
		SAMPLE("ab\xe2\x82", "ab\\xE2\\x82"), /* cut off */
		SAMPLE("\xc3("
		       "A",
		       "\\xC3(A"), /* what follows is not swallowed */
	};

	(void)state;
	assert_copies(samples, array_size(samples));
	for (size_t i = 0; i < array_size(samples); i++)
		assert_false(printable_is_clean(samples[i].src, samples[i].size));
}

static void characters_that_reorder_or_hide_are_escaped(void **state)
{
	static const struct sample samples[] = {
		SAMPLE("\u202a", "\\xE2\\x80\\xAA"),
		SAMPLE("\u202e", "\\xE2\\x80\\xAE"),
		SAMPLE("\u2066", "\\xE2\\x81\\xA6"),
		SAMPLE("\u2069", "\\xE2\\x81\\xA9"),
		SAMPLE("\u200b", "\\xE2\\x80\\x8B"),
		SAMPLE("\u200f", "\\xE2\\x80\\x8F"),
		SAMPLE("\u2028", "\\xE2\\x80\\xA8"),
		SAMPLE("\ufeff", "\\xEF\\xBB\\xBF"),
		SAMPLE("\u00ad", "\\xC2\\xAD"),
		SAMPLE("\u061c", "\\xD8\\x9C"),
		SAMPLE("\U000e0041", "\\xF3\\xA0\\x81\\x81"),
		/* The neighbours of the ranges stay. */
		SAMPLE("\u200a\u2010\u2027\u202f\u205f",
		       "\u200a\u2010\u2027\u202f\u205f"),
	};

	(void)state;
	assert_copies(samples, array_size(samples));
	for (size_t i = 0; i + 1 < array_size(samples); i++)
		assert_false(printable_is_clean(samples[i].src, samples[i].size));
}

static void backslash_is_escaped_so_that_no_two_sources_look_alike(void **state)
{
	static const struct sample samples[] = {
		SAMPLE("\\x1B", "\\x5Cx1B"),
		SAMPLE("\x1b", "\\x1B"),
	};

	(void)state;
	assert_copies(samples, array_size(samples));
	assert_true(printable_is_clean("DOMAIN\\user", 11));
}

static void long_text_is_cut_with_a_mark_between_characters(void **state)
{
	static const struct {
		const char *src;
		size_t room;
		const char *expected;
	} cuts[] = {
		{ "abcdefgh", 9, "abcdefgh" },
		{ "abcdefgh", 8, "abcd..." },
		{ "abcd\x1bxyz", 9, "abcd..." },
		{ "abcdéfgh", 9, "abcd..." },
		{ "ééééé", 8, "éé..." },
		{ "abcdef", 4, "..." },
		{ "abcdef", 3, "" },
		{ "abcdef", 1, "" },
		{ "ab", 3, "ab" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(cuts); i++) {
		char dst[16];

		memset(dst, '#', sizeof(dst));
		assert_int_equal(printable_copy(dst, cuts[i].room, cuts[i].src,
						strlen(cuts[i].src)),
				 strlen(cuts[i].expected));
		assert_string_equal(dst, cuts[i].expected);
		assert_int_equal(dst[cuts[i].room], '#');
	}
}

static void no_room_writes_nothing(void **state)
{
	char dst = '#';

	(void)state;
	assert_int_equal(printable_copy(&dst, 0, "abc", 3), 0);
	assert_int_equal(dst, '#');
}

static void every_byte_value_at_every_size_gives_clean_text(void **state)
{
	uint8_t src[64];

	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		for (size_t size = 0; size <= 8; size++) {
			char dst[PRINTABLE_SIZE(8)];

			for (size_t i = 0; i < size; i++)
				src[i] = (uint8_t)(first + i * 0x25);
			assert_true(printable_copy(dst, sizeof(dst), src, size) <
				    sizeof(dst));
			assert_true(printable_is_clean(dst, strlen(dst)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_in_any_script_stays_as_it_is),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(malformed_utf8_is_escaped_byte_by_byte),
		cmocka_unit_test(characters_that_reorder_or_hide_are_escaped),
		cmocka_unit_test(backslash_is_escaped_so_that_no_two_sources_look_alike),
		cmocka_unit_test(long_text_is_cut_with_a_mark_between_characters),
		cmocka_unit_test(no_room_writes_nothing),
		cmocka_unit_test(every_byte_value_at_every_size_gives_clean_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
