/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of outcomes: no row is missing, and no refusal has the code of a success.
 */
#include "libhygie/outcome.h"

#include <ctype.h>
#include <security/_pam_types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void zero_is_refusal(void **state)
{
	enum hygie_outcome cleared;

	(void)state;
	memset(&cleared, 0, sizeof(cleared));
	assert_int_equal(cleared, HYGIE_REFUSED);
	assert_int_equal(outcome_pam_code(cleared), PAM_AUTH_ERR);
}

static void every_outcome_has_a_row(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HYGIE_OUTCOME_COUNT; i++) {
		enum hygie_outcome outcome = (enum hygie_outcome)i;

		assert_non_null(outcome_name(outcome));
		assert_non_null(outcome_text(outcome));
		assert_true(strlen(outcome_text(outcome)) > 4);
		assert_true(strlen(outcome_text(outcome)) < 300);
		assert_non_null(strchr(
			".?", outcome_text(outcome)[strlen(outcome_text(outcome)) - 1]));
	}
}

static void names_are_words_and_differ(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HYGIE_OUTCOME_COUNT; i++) {
		const char *name = outcome_name((enum hygie_outcome)i);

		for (const char *at = name; *at; at++)
			assert_true(islower((unsigned char)*at) || *at == '-');
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(name,
						outcome_name((enum hygie_outcome)k));
	}
}

static void only_ok_is_success(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HYGIE_OUTCOME_COUNT; i++) {
		enum hygie_outcome outcome = (enum hygie_outcome)i;
		bool ok = outcome == HYGIE_OK;

		assert_int_equal(outcome_pam_code(outcome) == PAM_SUCCESS, ok);
		assert_int_equal(outcome_exit_status(outcome) == 0, ok);
		assert_int_not_equal(outcome_pam_code(outcome), PAM_IGNORE);
	}
}

static void exit_statuses_leave_usage_and_signals_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HYGIE_OUTCOME_COUNT; i++) {
		int status = outcome_exit_status((enum hygie_outcome)i);

		assert_true(status >= 0 && status <= 8);
		assert_int_not_equal(status, 2);
	}
}

static void pam_codes_are_those_of_the_table(void **state)
{
	static const struct {
		enum hygie_outcome outcome;
		int code;
	} rows[] = {
		{ HYGIE_USER_UNKNOWN, PAM_USER_UNKNOWN },
		{ HYGIE_NO_CARD, PAM_AUTHINFO_UNAVAIL },
		{ HYGIE_UNAVAILABLE, PAM_AUTHINFO_UNAVAIL },
		{ HYGIE_PIN_WRONG, PAM_AUTH_ERR },
		{ HYGIE_CARD_REMOVED, PAM_AUTH_ERR },
		{ HYGIE_PIN_BLOCKED, PAM_MAXTRIES },
		{ HYGIE_GAVE_UP, PAM_CONV_ERR },
		{ HYGIE_BROKEN_SETUP, PAM_SYSTEM_ERR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(outcome_pam_code(rows[i].outcome), rows[i].code);
}

static void unknown_number_is_refused(void **state)
{
	static const unsigned numbers[] = { HYGIE_OUTCOME_COUNT, 255, 0x80000000u,
					    UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(outcome_from_wire(numbers[i]), HYGIE_REFUSED);
		assert_string_equal(outcome_name((enum hygie_outcome)numbers[i]),
				    "refused");
		assert_int_equal(outcome_pam_code((enum hygie_outcome)numbers[i]),
				 PAM_AUTH_ERR);
	}
	assert_int_equal(outcome_from_wire(1), HYGIE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_is_refusal),
		cmocka_unit_test(every_outcome_has_a_row),
		cmocka_unit_test(names_are_words_and_differ),
		cmocka_unit_test(only_ok_is_success),
		cmocka_unit_test(exit_statuses_leave_usage_and_signals_alone),
		cmocka_unit_test(pam_codes_are_those_of_the_table),
		cmocka_unit_test(unknown_number_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
