/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygied's end of a keeper: which errors say that there is none.
 */
#include "hygied/keeper.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void only_who_refuses_or_has_no_socket_is_gone(void **state)
{
	(void)state;
	assert_true(keeper_is_gone(-ECONNREFUSED));
	assert_true(keeper_is_gone(-ENOENT));
	assert_false(keeper_is_gone(-EAGAIN)); /* too many wait to be let in */
	assert_false(keeper_is_gone(-EMFILE));
	assert_false(keeper_is_gone(-ENFILE));
	assert_false(keeper_is_gone(-ENOMEM));
	assert_false(keeper_is_gone(-EACCES));
	assert_false(keeper_is_gone(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_refuses_or_has_no_socket_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
