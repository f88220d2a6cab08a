/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which PINs are sent to a card at all: by profile and token, the narrower of both.
 */
#include "hygied/pin_form.h"
#include "libhygie/attributes.h"
#include "unit/cmocka_includes.h"

#include <string.h>

static bool fits(int charset, uint32_t token_min, uint32_t token_max, const char *text)
{
	const struct profile profile = { .pin_min = 4,
					 .pin_max = 8,
					 .pin_charset = charset };
	const struct token_report token = { .pin_min = token_min, .pin_max = token_max };
	cleanup_secret struct secret *pin = NULL;

	assert_int_equal(secret_new_from(text, strlen(text), &pin), 0);
	return pin_form_fits(&profile, &token, pin);
}

static void lengths_of_the_profile_hold_where_the_token_names_none(void **state)
{
	(void)state;
	assert_false(fits(PROFILE_PIN_DIGITS, 0, 0, "123"));
	assert_true(fits(PROFILE_PIN_DIGITS, 0, 0, "1234"));
	assert_true(fits(PROFILE_PIN_DIGITS, 0, 0, "12345678"));
	assert_false(fits(PROFILE_PIN_DIGITS, 0, 0, "123456789"));
}

static void the_token_may_only_narrow_them(void **state)
{
	(void)state;
	assert_false(fits(PROFILE_PIN_DIGITS, 6, 0, "12345"));
	assert_false(fits(PROFILE_PIN_DIGITS, 0, 6, "1234567"));
	assert_false(fits(PROFILE_PIN_DIGITS, 1, 0, "123"));
	assert_false(fits(PROFILE_PIN_DIGITS, 0, 64, "123456789"));
}

static void characters_are_those_of_the_profile(void **state)
{
	(void)state;
	assert_false(fits(PROFILE_PIN_DIGITS, 0, 0, "12a4"));
	assert_true(fits(PROFILE_PIN_ALPHANUMERIC, 0, 0, "12aZ"));
	assert_false(fits(PROFILE_PIN_ALPHANUMERIC, 0, 0, "12-4"));
	assert_true(fits(PROFILE_PIN_ANY, 0, 0, "12-4"));
	assert_false(fits(PROFILE_PIN_ANY, 0, 0, "12\n4"));
}

static void an_empty_pin_never_fits(void **state)
{
	(void)state;
	assert_false(fits(PROFILE_PIN_ANY, 0, 0, ""));
}

static bool puk_fits(const char *text)
{
	const struct profile profile = { .pin_min = 4,
					 .pin_max = 4,
					 .puk_min = 8,
					 .puk_max = 10,
					 .puk_charset = PROFILE_PIN_DIGITS };
	struct pin_form form = pin_form_of_puk(&profile);
	cleanup_secret struct secret *puk = NULL;

	assert_int_equal(secret_new_from(text, strlen(text), &puk), 0);
	return pin_form_is(&form, puk);
}

static void a_puk_has_the_profiles_form_of_its_own(void **state)
{
	(void)state;
	assert_false(puk_fits(""));
	assert_false(puk_fits("1234"));
	assert_false(puk_fits("1234567"));
	assert_true(puk_fits("12345678"));
	assert_true(puk_fits("1234567890"));
	assert_false(puk_fits("12345678901"));
	assert_false(puk_fits("1234567a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_of_the_profile_hold_where_the_token_names_none),
		cmocka_unit_test(the_token_may_only_narrow_them),
		cmocka_unit_test(characters_are_those_of_the_profile),
		cmocka_unit_test(an_empty_pin_never_fits),
		cmocka_unit_test(a_puk_has_the_profiles_form_of_its_own),
	};

	return cmocka_run_group_tests_name("pin_form", tests, NULL, NULL);
}
