/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal digits, and the words of an errno.
 */
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <string.h>

static void each_byte_becomes_two_small_digits_and_a_nul_ends_them(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x09, 0xAF, 0xFF };
	char text[] = "xxxxxxxxxxx";

	(void)state;
	hex_write(bytes, sizeof(bytes), text);
	assert_string_equal(text, "0009afff");
	assert_string_equal(text + 9, "xx");
}

static void no_bytes_are_an_empty_text(void **state)
{
	char text[] = "xx";

	(void)state;
	hex_write((const uint8_t *)"", 0, text);
	assert_string_equal(text, "");
}

static void digits_of_either_case_become_their_bytes(void **state)
{
	uint8_t bytes[3] = { 0 };

	(void)state;
	assert_true(hex_parse("0aFf80", sizeof(bytes), bytes));
	assert_memory_equal(bytes, ((uint8_t[]){ 0x0A, 0xFF, 0x80 }), sizeof(bytes));
}

static void what_is_not_exactly_so_many_digits_is_refused(void **state)
{
	static const char *const wrong[] = { "",       "0aff8",   "0aff8000", "0aff8g",
					     " 0aff8", "0aff8\n", "0x0aff",   "/0:0@0" };
	uint8_t bytes[3];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(hex_parse(wrong[i], sizeof(bytes), bytes));
}

static void every_number_has_a_sentence(void **state)
{
	(void)state;
	assert_string_equal(error_text(EACCES), "Permission denied");
	for (int error = -1; error < 5000; error++)
		assert_true(strlen(error_text(error)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_becomes_two_small_digits_and_a_nul_ends_them),
		cmocka_unit_test(no_bytes_are_an_empty_text),
		cmocka_unit_test(digits_of_either_case_become_their_bytes),
		cmocka_unit_test(what_is_not_exactly_so_many_digits_is_refused),
		cmocka_unit_test(every_number_has_a_sentence),
	};

	return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
