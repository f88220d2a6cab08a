/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translated sentences: what is looked up, what is filled in, and what stays English.
 * tests/pam has the languages and the other character sets.
 */
#include "libhygie/translate.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct pair {
	const char *english, *translation;
};

static const char *find_in_pair(const void *context, const char *english)
{
	const struct pair *pair = context;

	return strcmp(english, pair->english) == 0 ? pair->translation : english;
}

static const char *translate(const char *english, const char *translation,
			     const struct client_text *text)
{
	static char result[HYGIE_TEXT_MAX];
	const struct pair pair = { english, translation };
	const struct translator translator = { .find = find_in_pair, .context = &pair };

	translate_text(&translator, text, result);
	return result;
}

static const struct text_arguments zoe = { .count = 1, .text = { "Zo\xC3\xA9" } };

static void template_of_the_number_is_translated_and_filled_in(void **state)
{
	const struct client_text text = { TEXT_PIN_PROMPT, "said by hygied", &zoe, NULL };

	(void)state;
	assert_string_equal(translate("PIN of {1}: ", "{1}, code : ", &text),
			    "Zo\xC3\xA9, code : ");
}

static void untranslated_sentence_is_as_hygied_said_it(void **state)
{
	const struct client_text text = { TEXT_PIN_PROMPT, "said by hygied", &zoe, NULL };

	(void)state;
	assert_string_equal(translate("other", "autre", &text), "said by hygied");
}

static void sentence_without_a_number_is_its_own_key(void **state)
{
	const struct client_text text = { TEXT_NONE, "Gone.", &zoe, NULL };
	const struct client_text newer = { TEXT_COUNT + 7, "Gone.", &zoe, NULL };

	(void)state;
	assert_string_equal(translate("Gone.", "Parti.", &text), "Parti.");
	assert_string_equal(translate("Gone.", "Parti.", &newer), "Parti.");
}

static void argument_that_is_missing_is_a_question_mark(void **state)
{
	static const struct text_arguments none = { .count = 0 };
	const struct client_text text = { TEXT_PIN_PROMPT, "PIN of Zoe: ", &none, NULL };

	(void)state;
	assert_string_equal(translate("PIN of {1}: ", "Code de {1} : ", &text),
			    "Code de ? : ");
}

static void long_translation_is_cut_between_characters(void **state)
{
	char longer[2 * HYGIE_TEXT_MAX];
	const struct client_text text = { TEXT_NONE, "Gone.", &zoe, NULL };
	const char *cut;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xC3\xA9", 2);
	longer[sizeof(longer) - 2] = '\0';
	cut = translate("Gone.", longer, &text);
	assert_int_equal(strlen(cut), HYGIE_TEXT_MAX - 2);
	assert_true(utf8_is_valid(cut, strlen(cut)));
}

static void result_says_its_text_or_else_the_outcomes(void **state)
{
	const struct pair pair = { outcome_text(HYGIE_CARD_REMOVED), "Partie." };
	const struct translator translator = { .find = find_in_pair, .context = &pair };
	struct client_result result = { .outcome = HYGIE_CARD_REMOVED };
	char text[HYGIE_TEXT_MAX];

	(void)state;
	translate_result(&translator, &result, text);
	assert_string_equal(text, "Partie.");
	(void)snprintf(result.text, sizeof(result.text), "It went.");
	translate_result(&translator, &result, text);
	assert_string_equal(text, "It went.");
	client_result_set(&result, HYGIE_CARD_REMOVED);
	translate_result(&translator, &result, text);
	assert_string_equal(text, "Partie.");
}

static void locale_that_nobody_chose_takes_utf8(void **state)
{
	char text[8];

	(void)state;
	assert_non_null(setlocale(LC_ALL, "C"));
	translate_encode("Zo\xC3\xA9 M", text, sizeof(text));
	assert_string_equal(text, "Zo\xC3\xA9 M");
	translate_encode("1234Zo\xC3\xA9", text, sizeof(text));
	assert_string_equal(text, "1234Zo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(template_of_the_number_is_translated_and_filled_in),
		cmocka_unit_test(untranslated_sentence_is_as_hygied_said_it),
		cmocka_unit_test(sentence_without_a_number_is_its_own_key),
		cmocka_unit_test(argument_that_is_missing_is_a_question_mark),
		cmocka_unit_test(long_translation_is_cut_between_characters),
		cmocka_unit_test(result_says_its_text_or_else_the_outcomes),
		cmocka_unit_test(locale_that_nobody_chose_takes_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
