/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper's orders: until when a login's tasks may begin.
 */
#include "hygied/card_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S 1000000ull
#define NOW (7000 * S)

static void the_signature_has_its_time_whatever_the_typing_took(void **state)
{
	(void)state;
	/* A PIN that was typed before; a pin-pad's minute; the shortest of a pin-pad. */
	assert_int_equal(card_order_begin_by(NOW, NOW + 15 * S), NOW + 5 * S);
	assert_int_equal(card_order_begin_by(NOW, NOW + 60 * S), NOW + 50 * S);
	assert_int_equal(card_order_begin_by(NOW, NOW + 6 * S), NOW + 2 * S);
}

static void after_the_deadline_no_task_begins(void **state)
{
	(void)state;
	assert_int_equal(card_order_begin_by(NOW, NOW), NOW);
	assert_int_equal(card_order_begin_by(NOW, NOW - S), NOW - S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_signature_has_its_time_whatever_the_typing_took),
		cmocka_unit_test(after_the_deadline_no_task_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
