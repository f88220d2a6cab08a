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
		cmocka_unit_test(every_number_has_a_sentence),
	};

	return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
