/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hygie-token makes of its orders before it touches anything: fields kept, fields
 * refused. The tests of the whole process are in tests/token.
 */
#include "hygie-token/login_order.h"
#include "hygie-token/pin_order.h"
#include "hygie-token/start_order.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MODULE "/usr/lib/module.so"

static struct wire_message *message_of(uint16_t type)
{
	struct wire_message *message = NULL;

	assert_int_equal(wire_message_new(type, &message), 0);
	return message;
}

static struct wire_message *start_of(const char *module)
{
	struct wire_message *message = message_of(WIRE_ORDER_START);

	wire_add_string(message, TAG_MODULE, module);
	wire_add_u32(message, TAG_USER_ID, 1234);
	wire_add_u32(message, TAG_GROUP_ID, 1235);
	return message;
}

static int start_result(struct wire_message *message)
{
	struct start_order *order = NULL;
	int r = start_order_parse(message, &order);

	assert_true((r == 0) == (order != NULL));
	free(order);
	wire_message_free(message);
	return r;
}

static void start_with_all_fields_is_kept(void **state)
{
	struct wire_message *message = start_of(MODULE);
	struct start_order *order;

	(void)state;
	wire_add_string(message, TAG_READER_NAME, "Reader 00 00");
	wire_add_string(message, TAG_OTHER_READER, "Other 00 00");
	wire_add_string(message, TAG_OTHER_READER, "Third 00 00");
	wire_add_string(message, TAG_DRIVER, "PIV-II");
	wire_add_string(message, TAG_PATH_RW, "/var/lib/softhsm/tokens");
	wire_add_string(message, TAG_ENVIRONMENT, "SOFTHSM2_CONF=/etc/softhsm2.conf");
	wire_add_u32(message, TAG_PIN_MIN, 6);
	wire_add_u32(message, TAG_PIN_MAX, 8);
	wire_add_string(message, TAG_PIN_CHARSET, "alphanumeric");
	assert_int_equal(start_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_string_equal(order->module, MODULE);
	assert_string_equal(order->reader, "Reader 00 00");
	assert_int_equal(order->other_reader_count, 2);
	assert_string_equal(order->other_readers[1], "Third 00 00");
	assert_string_equal(order->driver, "PIV-II");
	assert_string_equal(order->paths_rw[0], "/var/lib/softhsm/tokens");
	assert_int_equal(order->environment_count, 1);
	assert_int_equal(order->pin.min, 6);
	assert_int_equal(order->pin.max, 8);
	assert_int_equal(order->pin.charset, PIN_ALPHANUMERIC);
	assert_int_equal(order->user_id, 1234);
	assert_int_equal(order->group_id, 1235);
	free(order);
}

static void start_without_rules_takes_digits_only(void **state)
{
	struct wire_message *message = start_of(MODULE);
	struct start_order *order;

	(void)state;
	wire_add_string(message, TAG_TOKEN_URI, "pkcs11:token=a");
	assert_int_equal(start_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_int_equal(order->pin.charset, PIN_DIGITS);
	assert_int_equal(order->pin.min, 1);
	assert_int_equal(order->pin.max, HYGIE_PIN_MAX);
	free(order);
}

static void start_skips_fields_that_it_does_not_know(void **state)
{
	struct wire_message *message = start_of(MODULE);

	(void)state;
	wire_add_string(message, TAG_TOKEN_URI, "pkcs11:token=a");
	wire_add_string(message, 0x7777, "later version");
	assert_int_equal(start_result(message), 0);
}

static void start_needs_one_of_reader_and_uri(void **state)
{
	struct wire_message *both = start_of(MODULE);

	(void)state;
	assert_int_equal(start_result(start_of(MODULE)), -EBADMSG);
	wire_add_string(both, TAG_TOKEN_URI, "pkcs11:token=a");
	wire_add_string(both, TAG_READER_NAME, "Reader");
	assert_int_equal(start_result(both), -EBADMSG);
}

static void start_refuses_paths_that_lead_elsewhere(void **state)
{
	static const char *const refused[] = {
		"module.so",     "./module.so", "/",     "//",
		"/usr/../etc/x", "/usr/lib/..", "/../x",
	};
	static const char *const taken[] = { "/usr/lib/a..so", "/usr/..lib/a.so",
					     "/opt/x/m.so" };

	(void)state;
	for (size_t i = 0; i < array_size(refused); i++) {
		struct wire_message *message = start_of(refused[i]);

		wire_add_string(message, TAG_TOKEN_URI, "pkcs11:token=a");
		assert_int_equal(start_result(message), -EBADMSG);
	}
	for (size_t i = 0; i < array_size(taken); i++) {
		struct wire_message *message = start_of(taken[i]);

		wire_add_string(message, TAG_TOKEN_URI, "pkcs11:token=a");
		assert_int_equal(start_result(message), 0);
	}
}

static void start_never_stays_root(void **state)
{
	struct wire_message *message = message_of(WIRE_ORDER_START);

	(void)state;
	wire_add_string(message, TAG_MODULE, MODULE);
	wire_add_string(message, TAG_TOKEN_URI, "pkcs11:token=a");
	assert_int_equal(start_result(message), -EBADMSG);
}

static void environment_takes_only_names_that_steer_nothing_of_ours(void **state)
{
	static const char *const refused[] = {
		"LD_PRELOAD=x",   "LD_LIBRARY_PATH=x",
		"OPENSSL_CONF=x", "OPENSC_CONF=x",
		"PATH=x",         "HOME=x",
		"TMPDIR=x",       "LC_ALL=x",
		"LANG=x",         "GCONV_PATH=x",
		"PCSCLITE_X=1",   "P11_KIT_STRICT=1",
		"lower=x",        "=x",
		"NAME",           "1NAME=x",
		"A B=x",          "MALLOC_CHECK_=3",
		"PKCS11SPY=x",    "GLIBC_TUNABLES=x",
	};

	(void)state;
	for (size_t i = 0; i < array_size(refused); i++)
		assert_false(environment_entry_is_allowed(refused[i]));
	assert_true(environment_entry_is_allowed("SOFTHSM2_CONF=/etc/softhsm2.conf"));
	assert_true(environment_entry_is_allowed("VENDOR_1="));
}

static void operation_add(struct wire_message *message, uint32_t operation,
			  const char *id, const char *data)
{
	wire_add_u32(message, TAG_OPERATION, operation);
	wire_add_string(message, TAG_OBJECT_ID, id);
	wire_add_string(message, TAG_DATA, data);
}

static int login_result(struct wire_message *message)
{
	struct login_order *order = NULL;
	int r = login_order_parse(message, &order);

	assert_true((r == 0) == (order != NULL));
	login_order_free(order);
	wire_message_free(message);
	return r;
}

static void login_with_two_operations_is_kept(void **state)
{
	struct wire_message *message = message_of(WIRE_ORDER_LOGIN);
	struct login_order *order;

	(void)state;
	wire_add_string(message, TAG_PIN, "123456");
	operation_add(message, TOKEN_SIGN, "a", "challenge");
	operation_add(message, TOKEN_DECRYPT, "bc", "wrapped");
	wire_add_u32(message, TAG_OAEP_HASH, 256);
	assert_int_equal(login_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_int_equal(order->operation_count, 2);
	assert_int_equal(secret_size(order->pin), 6);
	assert_int_equal(order->operations[0].operation, TOKEN_SIGN);
	assert_int_equal(order->operations[0].data_size, 9);
	assert_int_equal(order->operations[0].oaep_hash, 0);
	assert_int_equal(order->operations[1].object_id_size, 2);
	assert_int_equal(order->operations[1].oaep_hash, 256);
	login_order_forget_pin(order);
	assert_null(order->pin);
	login_order_free(order);
}

/* P-256's base point (SEC 2) is not needed: a point's size and form are judged here. */
static int derive_result(size_t size, uint8_t form, bool with_hash)
{
	struct wire_message *message = message_of(WIRE_ORDER_LOGIN);
	uint8_t point[256] = { form };

	assert_in_range(size, 0, sizeof(point));
	wire_add_u32(message, TAG_OPERATION, TOKEN_DERIVE);
	wire_add_bytes(message, TAG_OBJECT_ID, "a", 1);
	wire_add_bytes(message, TAG_DATA, point, size);
	if (with_hash)
		wire_add_u32(message, TAG_OAEP_HASH, 256);
	return login_result(message);
}

static void login_derives_from_points_of_two_curves_only(void **state)
{
	(void)state;
	assert_int_equal(derive_result(65, 4, false), 0);
	assert_int_equal(derive_result(97, 4, false), 0);
	for (size_t size = 0; size <= 256; size++)
		if (size != 65 && size != 97)
			assert_int_equal(derive_result(size, 4, false), -EBADMSG);
	for (unsigned form = 0; form < 256; form++)
		if (form != 4)
			assert_int_equal(derive_result(65, (uint8_t)form, false),
					 -EBADMSG);
	assert_int_equal(derive_result(65, 4, true), -EBADMSG);
}

static void login_without_pin_has_none(void **state)
{
	struct wire_message *message = message_of(WIRE_ORDER_LOGIN);
	struct login_order *order;

	(void)state;
	operation_add(message, TOKEN_SIGN, "a", "challenge");
	assert_int_equal(login_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_null(order->pin);
	login_order_free(order);
}

/* An empty TAG_PIN is a PIN of no bytes, not an absent one: it must not reach a pin-pad.
 */
static void login_with_an_empty_pin_is_not_one_without(void **state)
{
	struct wire_message *message = message_of(WIRE_ORDER_LOGIN);
	struct login_order *order;

	(void)state;
	wire_add_bytes(message, TAG_PIN, "", 0);
	operation_add(message, TOKEN_SIGN, "a", "challenge");
	assert_int_equal(login_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_non_null(order->pin);
	assert_int_equal(secret_size(order->pin), 0);
	login_order_free(order);
}

static void login_refuses_what_is_out_of_place(void **state)
{
	struct wire_message *message;

	(void)state;
	assert_int_equal(login_result(message_of(WIRE_ORDER_LOGIN)), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, 3, "a", "x");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, "a", "x");
	wire_add_string(message, TAG_PIN, "123456");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	wire_add_string(message, TAG_DATA, "x");
	operation_add(message, TOKEN_SIGN, "a", "x");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, "a", "x");
	wire_add_string(message, TAG_DATA, "y");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, "a", "x");
	wire_add_u32(message, TAG_OAEP_HASH, 1);
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, "a", "");
	assert_int_equal(login_result(message), -EBADMSG);
}

static void login_bounds_everything(void **state)
{
	char large[LOGIN_DATA_MAX + 2];
	struct wire_message *message;

	(void)state;
	memset(large, 'x', sizeof(large));
	large[LOGIN_DATA_MAX + 1] = '\0';
	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, "a", large);
	assert_int_equal(login_result(message), -EBADMSG);

	large[OBJECT_ID_MAX + 1] = '\0';
	message = message_of(WIRE_ORDER_LOGIN);
	operation_add(message, TOKEN_SIGN, large, "x");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	wire_add_bytes(message, TAG_PIN, large, HYGIE_PIN_MAX + 1);
	operation_add(message, TOKEN_SIGN, "a", "x");
	assert_int_equal(login_result(message), -EBADMSG);

	message = message_of(WIRE_ORDER_LOGIN);
	for (int i = 0; i <= LOGIN_OPERATIONS_MAX; i++)
		operation_add(message, TOKEN_SIGN, "a", "x");
	assert_int_equal(login_result(message), -EBADMSG);
}

static struct wire_message *pin_message(uint32_t operation, const char *old,
					const char *new)
{
	struct wire_message *message = message_of(WIRE_ORDER_PIN);

	wire_add_u32(message, TAG_OPERATION, operation);
	if (operation == TOKEN_PIN_UNBLOCK)
		wire_add_u32(message, TAG_UNBLOCK_BY, UNBLOCK_BY_OFFICER);
	if (old)
		wire_add_string(message, TAG_PIN, old);
	if (new)
		wire_add_string(message, TAG_NEW_PIN, new);
	return message;
}

static int pin_result(struct wire_message *message)
{
	struct pin_order order = { .old = NULL };
	int r = pin_order_parse(message, &order);

	assert_true(r == 0 || (!order.old && !order.new && !order.operation));
	pin_order_end(&order);
	wire_message_free(message);
	return r;
}

static void pin_change_holds_both(void **state)
{
	struct wire_message *message = pin_message(TOKEN_PIN_CHANGE, "123456", "2468");
	struct pin_order order;

	(void)state;
	assert_int_equal(pin_order_parse(message, &order), 0);
	wire_message_free(message);
	assert_int_equal(order.operation, TOKEN_PIN_CHANGE);
	assert_int_equal(secret_size(order.old), 6);
	assert_int_equal(secret_size(order.new), 4);
	pin_order_end(&order);
	assert_null(order.old);
	assert_null(order.new);
}

/* Half an order would have the module ask for the rest by itself. */
static void pin_order_has_both_secrets_or_neither(void **state)
{
	(void)state;
	assert_int_equal(pin_result(pin_message(TOKEN_PIN_UNBLOCK, NULL, NULL)), 0);
	assert_int_equal(pin_result(pin_message(TOKEN_PIN_CHANGE, "123456", NULL)),
			 -EBADMSG);
	assert_int_equal(pin_result(pin_message(TOKEN_PIN_CHANGE, NULL, "123456")),
			 -EBADMSG);
}

static void pin_order_refuses_what_is_out_of_place(void **state)
{
	char large[HYGIE_PIN_MAX + 2];
	struct wire_message *message;

	(void)state;
	assert_int_equal(pin_result(message_of(WIRE_ORDER_PIN)), -EBADMSG);
	assert_int_equal(pin_result(pin_message(TOKEN_SIGN, "123456", "2468")), -EBADMSG);
	assert_int_equal(pin_result(pin_message(5, "123456", "2468")), -EBADMSG);

	message = pin_message(TOKEN_PIN_CHANGE, "123456", "2468");
	wire_add_u32(message, TAG_OPERATION, TOKEN_PIN_CHANGE);
	assert_int_equal(pin_result(message), -EBADMSG);

	message = pin_message(TOKEN_PIN_CHANGE, "123456", "2468");
	wire_add_string(message, TAG_PIN, "123456");
	assert_int_equal(pin_result(message), -EBADMSG);

	message = pin_message(TOKEN_PIN_CHANGE, "123456", "2468");
	wire_add_string(message, TAG_NEW_PIN, "2468");
	assert_int_equal(pin_result(message), -EBADMSG);

	message = pin_message(TOKEN_PIN_CHANGE, "123456", "2468");
	wire_add_u32(message, TAG_UNBLOCK_BY, UNBLOCK_BY_OFFICER);
	assert_int_equal(pin_result(message), -EBADMSG);

	memset(large, '1', sizeof(large));
	large[HYGIE_PIN_MAX + 1] = '\0';
	assert_int_equal(pin_result(pin_message(TOKEN_PIN_CHANGE, large, "2468")),
			 -EBADMSG);
	assert_int_equal(pin_result(pin_message(TOKEN_PIN_CHANGE, "2468", large)),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_with_all_fields_is_kept),
		cmocka_unit_test(start_without_rules_takes_digits_only),
		cmocka_unit_test(start_skips_fields_that_it_does_not_know),
		cmocka_unit_test(start_needs_one_of_reader_and_uri),
		cmocka_unit_test(start_refuses_paths_that_lead_elsewhere),
		cmocka_unit_test(start_never_stays_root),
		cmocka_unit_test(environment_takes_only_names_that_steer_nothing_of_ours),
		cmocka_unit_test(login_with_two_operations_is_kept),
		cmocka_unit_test(login_derives_from_points_of_two_curves_only),
		cmocka_unit_test(login_without_pin_has_none),
		cmocka_unit_test(login_with_an_empty_pin_is_not_one_without),
		cmocka_unit_test(login_refuses_what_is_out_of_place),
		cmocka_unit_test(login_bounds_everything),
		cmocka_unit_test(pin_change_holds_both),
		cmocka_unit_test(pin_order_has_both_secrets_or_neither),
		cmocka_unit_test(pin_order_refuses_what_is_out_of_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
