/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small rules of hygie-token: what can be a PIN, which slot is the reader, what
 * OpenSC is told, what a PKCS#11 return value means.
 */
#include "hygie-token/failure.h"
#include "hygie-token/opensc_conf.h"
#include "hygie-token/pin_rule.h"
#include "hygie-token/slot.h"
#include "libhygie/protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool accepts(struct pin_rule rule, const char *pin)
{
	cleanup_secret struct secret *secret = NULL;

	assert_int_equal(secret_new_from(pin, strlen(pin), &secret), 0);
	return pin_rule_accepts(&rule, secret);
}

static void pin_has_its_length_in_bytes(void **state)
{
	struct pin_rule rule = { 4, 6, PIN_ANY };

	(void)state;
	assert_false(accepts(rule, "123"));
	assert_true(accepts(rule, "1234"));
	assert_true(accepts(rule, "123456"));
	assert_false(accepts(rule, "1234567"));
	assert_false(accepts(rule, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"));
}

static void empty_pin_is_never_accepted(void **state)
{
	(void)state;
	assert_false(accepts((struct pin_rule){ 0, 8, PIN_ANY }, ""));
	assert_false(accepts((struct pin_rule){ 1, 8, PIN_ANY }, ""));
}

static void pin_keeps_to_its_characters(void **state)
{
	struct pin_rule digits = { 1, 16, PIN_DIGITS };
	struct pin_rule letters = { 1, 16, PIN_ALPHANUMERIC };
	struct pin_rule any = { 1, 16, PIN_ANY };

	(void)state;
	assert_false(accepts(digits, "12 34"));
	assert_false(accepts(digits, "12a4"));
	assert_false(accepts(digits, "\xd9\xa3")); /* an Arabic digit */
	assert_true(accepts(letters, "aZ09"));
	assert_false(accepts(letters, "a-b"));
	assert_true(accepts(any, "a b-\xc3\xa9"));
	assert_false(accepts(any, "a\nb"));
	assert_false(accepts(any, "a\x7f"));
	assert_false(accepts(any, "a\xff"));
	assert_false(accepts(any, "\xc0\xb1")); /* an overlong "1" */
}

static void pin_with_a_nul_is_refused(void **state)
{
	cleanup_secret struct secret *secret = NULL;
	struct pin_rule rule = { 4, 8, PIN_ANY };

	(void)state;
	assert_int_equal(secret_new_from("12\0\00034", 6, &secret), 0);
	assert_false(pin_rule_accepts(&rule, secret));
}

static void narrower_of_profile_and_token_wins(void **state)
{
	struct pin_rule rule = { 4, 8, PIN_DIGITS };

	(void)state;
	pin_rule_narrow(&rule, 0, 0);
	assert_int_equal(rule.min, 4);
	assert_int_equal(rule.max, 8);
	pin_rule_narrow(&rule, 6, 48);
	assert_int_equal(rule.min, 6);
	assert_int_equal(rule.max, 8);
	pin_rule_narrow(&rule, ~0ul, ~0ul);
	assert_true(pin_rule_is_possible(&rule));
	pin_rule_narrow(&rule, 4, 7);
	assert_int_equal(rule.min, 6);
	assert_int_equal(rule.max, 7);
}

static void lengths_without_sense_accept_nothing(void **state)
{
	struct pin_rule rule = { 4, 8, PIN_DIGITS };

	(void)state;
	pin_rule_narrow(&rule, 1ul << 40, 2);
	assert_false(pin_rule_is_possible(&rule));
	assert_false(accepts(rule, "123456"));
}

static void charset_has_three_names(void **state)
{
	enum pin_charset charset;

	(void)state;
	assert_int_equal(pin_charset_from_name("any", &charset), 0);
	assert_int_equal(charset, PIN_ANY);
	assert_int_equal(pin_charset_from_name("digits", &charset), 0);
	assert_int_equal(charset, PIN_DIGITS);
	assert_int_equal(pin_charset_from_name("", &charset), -EBADMSG);
	assert_int_equal(pin_charset_from_name("Digits", &charset), -EBADMSG);
}

static bool matches(const char *description, const char *reader)
{
	unsigned char field[64];

	memset(field, ' ', sizeof(field));
	memcpy(field, description, strnlen(description, sizeof(field)));
	return slot_description_matches(field, reader);
}

static void slot_is_known_by_its_readers_name(void **state)
{
	static const char long_name[] =
		"Generic USB2.0-CRW [Smart Card Reader Interface] (20070818000000000) 00 00";
	static const char cut[] =
		"Generic USB2.0-CRW [Smart Card Reader Interface] (20070818000...";
	static const char other[] =
		"Generic USB2.0-CRW [Smart Card Reader Interface] (20070819000...";

	(void)state;
	assert_true(matches("Reader 00 00", "Reader 00 00"));
	assert_true(matches("Yubico: Reader 00 00 ", "Reader 00 00"));
	assert_false(matches("Reader 00 00", "Reader 00 01"));
	assert_false(matches("Reader 00", "Reader 00 00"));
	assert_false(matches("", "Reader 00 00"));
	assert_false(matches("Reader", ""));
	assert_true(matches(long_name, long_name));
	assert_true(matches(cut, long_name));
	assert_false(matches(other, long_name));
	assert_false(matches("Generic USB2.0-CRW", long_name));
}

static void conf_of(const char *ours, const char *other, char *ret_text)
{
	static struct start_order order;

	memset(&order, 0, sizeof(order));
	strcpy(order.driver, "PIV-II");
	strcpy(order.reader, ours);
	if (other) {
		order.other_reader_count = 1;
		strcpy(order.other_readers[0], other);
	}
	assert_int_equal(opensc_conf_format(&order, ret_text, OPENSC_CONF_MAX), 0);
}

static void opensc_leaves_a_pin_pad_alone_where_told(void **state)
{
	static struct start_order order = { .driver = "PIV-II", .reader = "Ours" };
	char text[OPENSC_CONF_MAX];

	(void)state;
	assert_int_equal(opensc_conf_format(&order, text, sizeof(text)), 0);
	assert_null(strstr(text, "enable_pinpad"));
	order.no_pin_pad = 1;
	assert_int_equal(opensc_conf_format(&order, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "\t\tenable_pinpad = false;\n\t}\n"));
}

static void opensc_keeps_its_lock_and_no_pin(void **state)
{
	char text[OPENSC_CONF_MAX];

	(void)state;
	conf_of("Ours 00 00", NULL, text);
	assert_non_null(strstr(text, "card_drivers = PIV-II;"));
	assert_non_null(strstr(text, "lock_login = true;"));
	assert_non_null(strstr(text, "use_pin_caching = false;"));
	assert_non_null(strstr(text, "use_file_caching = no;"));
	assert_non_null(strstr(text, "disconnect_action = reset;"));
	assert_null(strstr(text, "ignored_readers"));
}

static void opensc_ignores_the_other_readers_but_never_ours(void **state)
{
	char text[OPENSC_CONF_MAX];

	(void)state;
	conf_of("Ours 00 00", "Theirs 00 00", text);
	assert_non_null(strstr(text, "ignored_readers = \"Theirs 00 00\";"));
	conf_of("Ours 00 00 extended", "Ours 00 00", text);
	assert_null(strstr(text, "ignored_readers"));
}

static void name_of_a_reader_cannot_leave_its_quotes(void **state)
{
	char text[OPENSC_CONF_MAX];

	(void)state;
	conf_of("Ours 00 00", "a\"; debug = 9; x = \"b\\c", text);
	assert_null(strstr(text, "debug = 9; x = \"b"));
	assert_non_null(strstr(text, "ignored_readers = \"; debug = 9; x = \";\n"));
	conf_of("Ours 00 00", "\"\n\\\"", text);
	assert_null(strstr(text, "ignored_readers"));
}

static void opensc_conf_that_does_not_fit_is_refused(void **state)
{
	static struct start_order order;
	char text[64];

	(void)state;
	strcpy(order.driver, "PIV-II");
	strcpy(order.reader, "Ours");
	assert_int_equal(opensc_conf_format(&order, text, sizeof(text)), -E2BIG);
}

static void only_ckr_ok_is_a_success(void **state)
{
	(void)state;
	for (CK_RV rv = 1; rv < 0x400; rv++)
		assert_true(outcome_of_rv(rv) != HYGIE_OK && outcome_of_rv(rv) != 0);
	assert_int_equal(outcome_of_rv(CKR_OK), HYGIE_OK);
	assert_int_equal(outcome_of_rv(CKR_VENDOR_DEFINED | 1), HYGIE_CARD_BROKEN);
	assert_int_equal(outcome_of_rv(~0ul), HYGIE_CARD_BROKEN);
}

static void return_values_mean_what_a_person_acts_on(void **state)
{
	(void)state;
	assert_int_equal(outcome_of_rv(CKR_PIN_INCORRECT), HYGIE_PIN_WRONG);
	assert_int_equal(outcome_of_rv(CKR_PIN_LOCKED), HYGIE_PIN_BLOCKED);
	assert_int_equal(outcome_of_rv(CKR_PIN_EXPIRED), HYGIE_PIN_MUST_CHANGE);
	assert_int_equal(outcome_of_rv(CKR_PIN_LEN_RANGE), HYGIE_PIN_MALFORMED);
	assert_int_equal(outcome_of_rv(CKR_DEVICE_REMOVED), HYGIE_CARD_REMOVED);
	assert_int_equal(outcome_of_rv(CKR_FUNCTION_CANCELED), HYGIE_GAVE_UP);
	assert_int_equal(outcome_of_rv(CKR_USER_ALREADY_LOGGED_IN), HYGIE_CARD_BROKEN);
	assert_string_equal(rv_name(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
	assert_string_equal(rv_name(0x7777), "CKR_?");
}

static void failure_text_is_cut_to_fit(void **state)
{
	struct failure failure = { 0 };
	char large[2 * FAILURE_TEXT_MAX];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(failure_set(&failure, HYGIE_FAULT, "%s", large), HYGIE_FAULT);
	assert_int_equal(strlen(failure.text), FAILURE_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pin_has_its_length_in_bytes),
		cmocka_unit_test(empty_pin_is_never_accepted),
		cmocka_unit_test(pin_keeps_to_its_characters),
		cmocka_unit_test(pin_with_a_nul_is_refused),
		cmocka_unit_test(narrower_of_profile_and_token_wins),
		cmocka_unit_test(lengths_without_sense_accept_nothing),
		cmocka_unit_test(charset_has_three_names),
		cmocka_unit_test(slot_is_known_by_its_readers_name),
		cmocka_unit_test(opensc_leaves_a_pin_pad_alone_where_told),
		cmocka_unit_test(opensc_keeps_its_lock_and_no_pin),
		cmocka_unit_test(opensc_ignores_the_other_readers_but_never_ours),
		cmocka_unit_test(name_of_a_reader_cannot_leave_its_quotes),
		cmocka_unit_test(opensc_conf_that_does_not_fit_is_refused),
		cmocka_unit_test(only_ckr_ok_is_a_success),
		cmocka_unit_test(return_values_mean_what_a_person_acts_on),
		cmocka_unit_test(failure_text_is_cut_to_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
