/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences: every template is there, and rendering stays within its room.
 */
#include "libhygie/text.h"

#include "libhygie/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_text_has_a_template(void **state)
{
	(void)state;
	assert_string_equal(text_template(TEXT_NONE), "");
	for (unsigned i = TEXT_NONE + 1; i < TEXT_COUNT; i++) {
		const char *template = text_template((enum hygie_text)i);

		assert_non_null(template);
		assert_true(template[0] != '\0' && strlen(template) < 200);
	}
}

static void unknown_text_is_empty(void **state)
{
	(void)state;
	assert_string_equal(text_template(TEXT_COUNT), "");
	assert_string_equal(text_template((enum hygie_text)UINT32_MAX), "");
}

static void arguments_stand_where_they_belong(void **state)
{
	const char *const arguments[] = { "one", "two", "{1}" };
	char text[64];

	(void)state;
	text_render("{2}-{1} {3}", arguments, 3, text, sizeof(text));
	assert_string_equal(text, "two-one {1}");
}

static void missing_argument_is_a_question_mark(void **state)
{
	const char *const arguments[] = { "one", NULL };
	char text[64];

	(void)state;
	text_render("{1}{2}{3}", arguments, 2, text, sizeof(text));
	assert_string_equal(text, "one??");
	text_render("{1}", NULL, 0, text, sizeof(text));
	assert_string_equal(text, "?");
}

static void other_braces_stay(void **state)
{
	char text[64];

	(void)state;
	text_render("{} {0} {a} {1 {", NULL, 0, text, sizeof(text));
	assert_string_equal(text, "{} {0} {a} {1 {");
}

static void long_argument_is_cut_at_a_character(void **state)
{
	const char *const arguments[] = { "aéé" }; /* 1, 2, 2 bytes */
	char text[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		text_render("{1}!", arguments, 1, text, size);
		assert_true(strlen(text) < size);
		assert_true(utf8_is_valid(text, strlen(text)));
	}
	text_render("{1}!", arguments, 1, text, 5);
	assert_string_equal(text, "aé"); /* and nothing of what follows */
}

static void long_template_is_cut_at_a_character(void **state)
{
	char text[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		text_render("é\xE2\x82\xAC\xF0\x9F\x98\x80", NULL, 0, text, size);
		assert_true(strlen(text) < size);
		assert_true(utf8_is_valid(text, strlen(text)));
	}
}

static void no_room_writes_nothing(void **state)
{
	char text[1] = { 'x' };

	(void)state;
	text_render("abc", NULL, 0, text, 0);
	assert_int_equal(text[0], 'x');
	text_render("abc", NULL, 0, text, 1);
	assert_int_equal(text[0], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_text_has_a_template),
		cmocka_unit_test(unknown_text_is_empty),
		cmocka_unit_test(arguments_stand_where_they_belong),
		cmocka_unit_test(missing_argument_is_a_question_mark),
		cmocka_unit_test(other_braces_stay),
		cmocka_unit_test(long_argument_is_cut_at_a_character),
		cmocka_unit_test(long_template_is_cut_at_a_character),
		cmocka_unit_test(no_room_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
