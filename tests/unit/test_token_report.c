/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a helper says is taken in the right form alone: it is not trusted.
 */
#include "hygied/token_report.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <string.h>

static struct wire_message *new_message(uint16_t type)
{
	struct wire_message *message;

	assert_int_equal(wire_message_new(type, &message), 0);
	return message;
}

static int read_done(struct wire_message *message, struct token_done *ret_done)
{
	int r = token_done_read(message, ret_done);

	wire_message_free(message);
	return r;
}

static void done_without_outcome_is_nonsense(void **state)
{
	struct token_done done;

	(void)state;
	assert_int_equal(read_done(new_message(WIRE_REPORT_DONE), &done), -EBADMSG);
}

static void ok_without_signature_is_nonsense(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_DONE);
	struct token_done done;

	(void)state;
	wire_add_u32(message, TAG_OUTCOME, HYGIE_OK);
	assert_int_equal(read_done(message, &done), -EBADMSG);
}

static void failure_that_says_ok_is_nonsense(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_FAILED);
	struct token_done done;

	(void)state;
	wire_add_u32(message, TAG_OUTCOME, HYGIE_OK);
	wire_add_u32(message, TAG_SIGNATURE_SCHEME, SIGNATURE_RSA_PKCS1_SHA256);
	wire_add_bytes(message, TAG_DATA, "x", 1);
	assert_int_equal(read_done(message, &done), -EBADMSG);
}

static void unknown_outcome_is_a_refusal(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_FAILED);
	struct token_done done;

	(void)state;
	wire_add_u32(message, TAG_OUTCOME, 0xFFFFFFFF);
	assert_int_equal(read_done(message, &done), 0);
	assert_int_equal(done.outcome, HYGIE_REFUSED);
}

/* "Unknown user" would let a PAM stack go on without the card. */
static void outcome_that_is_not_a_tokens_to_give_is_a_broken_token(void **state)
{
	static const enum hygie_outcome not_its[] = {
		HYGIE_USER_UNKNOWN,     HYGIE_NO_CARD,         HYGIE_NO_READER,
		HYGIE_CARD_UNKNOWN,     HYGIE_CARD_OTHER_USER, HYGIE_CARD_REVOKED,
		HYGIE_CARD_UNTRUSTED,   HYGIE_CARD_NOT_PROVEN, HYGIE_PIN_LAST_TRY,
		HYGIE_NOT_ALLOWED,      HYGIE_TOO_MANY,        HYGIE_UNAVAILABLE,
		HYGIE_ALREADY_ENROLLED, HYGIE_NOT_FOUND,       HYGIE_PINS_DIFFER,
	};

	(void)state;
	for (size_t i = 0; i < array_size(not_its); i++)
		for (uint16_t type = WIRE_REPORT_DONE; type <= WIRE_REPORT_FAILED;
		     type++) {
			struct wire_message *message = new_message(type);
			struct token_done done;

			wire_add_u32(message, TAG_OUTCOME, not_its[i]);
			assert_int_equal(read_done(message, &done), 0);
			assert_int_equal(done.outcome, HYGIE_CARD_BROKEN);
		}
}

static void flags_after_a_wrong_pin_are_taken(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_FAILED);
	struct token_done done;

	(void)state;
	wire_add_u32(message, TAG_OUTCOME, HYGIE_PIN_WRONG);
	wire_add_u32(message, TAG_TOKEN_FLAGS, TOKEN_PIN_FINAL_TRY);
	assert_int_equal(read_done(message, &done), 0);
	assert_int_equal(done.outcome, HYGIE_PIN_WRONG);
	assert_true(done.has_flags);
	assert_int_equal(done.flags, TOKEN_PIN_FINAL_TRY);
}

/* A login must be proven, a change of the PIN has nothing to be proven by. */
static void change_that_is_done_needs_no_signature_and_a_login_does(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_DONE);
	struct token_done done;

	(void)state;
	wire_add_u32(message, TAG_OUTCOME, HYGIE_OK);
	assert_int_equal(token_done_read_unsigned(message, &done), 0);
	assert_int_equal(done.outcome, HYGIE_OK);
	assert_null(done.signature);
	assert_int_equal(token_done_read(message, &done), -EBADMSG);
	wire_message_free(message);
}

static int take_certificate(struct token_report *report, const void *id, size_t id_size,
			    const void *der, size_t der_size)
{
	struct wire_message *message = new_message(WIRE_REPORT_CERTIFICATE);
	int r;

	wire_add_bytes(message, TAG_OBJECT_ID, id, id_size);
	wire_add_bytes(message, TAG_CERTIFICATE, der, der_size);
	r = token_report_take_certificate(report, message);
	wire_message_free(message);
	return r;
}

static void certificate_that_cannot_be_parsed_is_passed_over(void **state)
{
	struct token_report report = { .count = 0 };

	(void)state;
	assert_int_equal(take_certificate(&report, "\1", 1, "no certificate", 14), 0);
	assert_int_equal(report.count, 0);
}

static void overlong_object_id_is_nonsense(void **state)
{
	struct token_report report = { .count = 0 };
	uint8_t id[TOKEN_OBJECT_ID_MAX + 1] = { 0 };

	(void)state;
	assert_int_equal(take_certificate(&report, id, sizeof(id), "x", 1), -EBADMSG);
}

static void token_without_flags_is_nonsense(void **state)
{
	struct wire_message *message = new_message(WIRE_REPORT_TOKEN);
	struct token_report report = { .count = 0 };

	(void)state;
	wire_add_u32(message, TAG_PIN_MIN, 4);
	wire_add_u32(message, TAG_PIN_MAX, 8);
	assert_int_equal(token_report_take_token(&report, message), -EBADMSG);
	wire_message_free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(done_without_outcome_is_nonsense),
		cmocka_unit_test(ok_without_signature_is_nonsense),
		cmocka_unit_test(failure_that_says_ok_is_nonsense),
		cmocka_unit_test(unknown_outcome_is_a_refusal),
		cmocka_unit_test(outcome_that_is_not_a_tokens_to_give_is_a_broken_token),
		cmocka_unit_test(flags_after_a_wrong_pin_are_taken),
		cmocka_unit_test(change_that_is_done_needs_no_signature_and_a_login_does),
		cmocka_unit_test(certificate_that_cannot_be_parsed_is_passed_over),
		cmocka_unit_test(overlong_object_id_is_nonsense),
		cmocka_unit_test(token_without_flags_is_nonsense),
	};

	return cmocka_run_group_tests_name("token_report", tests, NULL, NULL);
}
