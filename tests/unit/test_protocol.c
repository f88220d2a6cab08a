/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may say what when: the whole table, each type in each state.
 */
#include "libhygie/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALLOWED_MAX 32

/* The types allowed in a state; each list ends in zero. */
static const uint16_t allowed[][ALLOWED_MAX] = {
	[PROTOCOL_CLIENT_NEW] = { WIRE_REQUEST_AUTHENTICATE,
				  WIRE_REQUEST_OPEN_SESSION,
				  WIRE_REQUEST_CLOSE_SESSION,
				  WIRE_REQUEST_STATUS,
				  WIRE_REQUEST_CARDS,
				  WIRE_REQUEST_ENROL,
				  WIRE_REQUEST_REVOKE,
				  WIRE_REQUEST_PIN_CHANGE,
				  WIRE_REQUEST_PIN_UNBLOCK,
				  WIRE_REQUEST_WATCH,
				  WIRE_REQUEST_STORE_CREATE,
				  WIRE_REQUEST_STORE_ADD,
				  WIRE_REQUEST_STORE_REMOVE,
				  WIRE_REQUEST_STORE_ROTATE,
				  WIRE_REQUEST_STORE_RECOVER,
				  WIRE_REQUEST_STORE_RECOVERY,
				  WIRE_REQUEST_STORE_IMPORT,
				  WIRE_REQUEST_STORE_CHECK,
				  WIRE_REQUEST_LOCK,
				  WIRE_REQUEST_STORE_OPEN,
				  WIRE_REQUEST_STORE_CLOSE,
				  WIRE_REQUEST_STORE_STATUS,
				  WIRE_REQUEST_SECRET_ENABLE,
				  WIRE_REQUEST_SECRET_DISABLE,
				  WIRE_REQUEST_SECRET_LIST,
				  WIRE_REQUEST_SECRET_SHOW,
				  WIRE_REQUEST_STORE_REENCRYPT },
	[PROTOCOL_CLIENT_RUNNING] = { WIRE_CANCEL },
	[PROTOCOL_CLIENT_ASKED] = { WIRE_CANCEL, WIRE_ANSWER },
	[PROTOCOL_SERVER] = { WIRE_INFO, WIRE_WARNING, WIRE_PROMPT, WIRE_PROGRESS,
			      WIRE_ITEM, WIRE_RESULT },
	[PROTOCOL_TOKEN_NEW] = { WIRE_ORDER_START },
	[PROTOCOL_TOKEN_READY] = { WIRE_ORDER_LOGIN, WIRE_ORDER_PIN },
	[PROTOCOL_TOKEN_WARMING] = { WIRE_REPORT_TOKEN, WIRE_REPORT_CERTIFICATE,
				     WIRE_REPORT_READY, WIRE_REPORT_FAILED },
	[PROTOCOL_TOKEN_WORKING] = { WIRE_REPORT_DONE, WIRE_REPORT_FAILED },
	[PROTOCOL_KEEPER] = { WIRE_KEEPER_INIT, WIRE_KEEPER_OPEN, WIRE_KEEPER_NOTE,
			      WIRE_KEEPER_STATUS, WIRE_KEEPER_CLOSE },
	[PROTOCOL_KEEPER_REPORTS] = { WIRE_KEEPER_DONE, WIRE_KEEPER_FAILED,
				      WIRE_KEEPER_OPENED, WIRE_KEEPER_BUSY,
				      WIRE_KEEPER_CLOSED, WIRE_KEEPER_STATE,
				      WIRE_KEEPER_IDLE, WIRE_KEEPER_FORCED },
};

static bool listed(size_t state, uint16_t type)
{
	for (size_t i = 0; i < ALLOWED_MAX && allowed[state][i]; i++)
		if (allowed[state][i] == type)
			return true;
	return false;
}

static void each_state_allows_its_messages_and_no_other(void **unused)
{
	(void)unused;
	for (size_t state = 0; state < sizeof(allowed) / sizeof(allowed[0]); state++)
		for (unsigned type = 0; type <= UINT16_MAX; type++)
			assert_int_equal(protocol_allows((enum protocol_state)state,
							 (uint16_t)type),
					 listed(state, (uint16_t)type));
}

static void unknown_state_allows_nothing(void **unused)
{
	(void)unused;
	for (unsigned type = 0; type <= UINT16_MAX; type++)
		assert_false(protocol_allows((enum protocol_state)99, (uint16_t)type));
}

static void each_backend_has_a_word_and_no_other_word_is_one(void **unused)
{
	static const char *const none[] = { "",           "gocryptfs ", "Fscrypt",
					    "gocryptfsx", "luks",       "fscrypt\n" };

	(void)unused;
	assert_string_equal(backend_word(BACKEND_GOCRYPTFS), "gocryptfs");
	assert_string_equal(backend_word(BACKEND_FSCRYPT), "fscrypt");
	assert_int_equal(backend_from_word("gocryptfs"), BACKEND_GOCRYPTFS);
	assert_int_equal(backend_from_word("fscrypt"), BACKEND_FSCRYPT);
	assert_null(backend_word((enum backend)0));
	assert_null(backend_word((enum backend)(BACKEND_FSCRYPT + 1)));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(backend_from_word(none[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_allows_its_messages_and_no_other),
		cmocka_unit_test(unknown_state_allows_nothing),
		cmocka_unit_test(each_backend_has_a_word_and_no_other_word_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
