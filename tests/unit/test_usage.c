/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits by uid: each pays for its own, and nobody keeps root out.
 */
#include "hygied/usage.h"
#include "unit/cmocka_includes.h"

#include <string.h>

#define SECOND 1000000u

static struct usage usage;
static struct settings settings;

static int clear(void **state)
{
	(void)state;
	memset(&usage, 0, sizeof(usage));
	settings_default(&settings);
	settings.connections = 64;
	settings.connections_per_user = 4;
	settings.requests_per_minute = 60;
	return 0;
}

static void user_over_his_connections_is_refused_until_one_ends(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(usage_begin(&usage, &settings, 1000, 0));
	assert_false(usage_begin(&usage, &settings, 1000, 0));
	usage_end(&usage, 1000);
	assert_true(usage_begin(&usage, &settings, 1000, 0));
}

static void one_user_does_not_pay_for_another(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		(void)usage_begin(&usage, &settings, 1000, 0);
	assert_true(usage_begin(&usage, &settings, 1001, 0));
}

static void users_together_leave_places_for_root(void **state)
{
	unsigned admitted = 0;

	(void)state;
	for (uid_t uid = 1000; uid < 1100; uid++)
		admitted += usage_begin(&usage, &settings, uid, 0);
	assert_int_equal(admitted, 32);
	assert_true(usage_begin(&usage, &settings, 0, 0));
}

static void root_is_bound_by_the_total_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++)
		assert_true(usage_begin(&usage, &settings, 0, 0));
	assert_false(usage_begin(&usage, &settings, 0, 0));
}

static void requests_of_a_minute_are_counted_and_leak_away(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		assert_true(usage_begin(&usage, &settings, 1000, 0));
		usage_end(&usage, 1000);
	}
	assert_false(usage_begin(&usage, &settings, 1000, 0));
	assert_false(usage_begin(&usage, &settings, 1000, SECOND / 2));
	assert_true(usage_begin(&usage, &settings, 1000, 2 * SECOND));
}

static void more_uids_than_places_reuse_idle_ones(void **state)
{
	(void)state;
	for (uid_t uid = 1000; uid < 1000 + USAGE_UIDS_MAX; uid++) {
		assert_true(usage_begin(&usage, &settings, uid, 0));
		usage_end(&usage, uid);
	}
	assert_false(usage_begin(&usage, &settings, 5000, SECOND));
	assert_true(usage_begin(&usage, &settings, 5000, 120 * SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			user_over_his_connections_is_refused_until_one_ends, clear),
		cmocka_unit_test_setup(one_user_does_not_pay_for_another, clear),
		cmocka_unit_test_setup(users_together_leave_places_for_root, clear),
		cmocka_unit_test_setup(root_is_bound_by_the_total_alone, clear),
		cmocka_unit_test_setup(requests_of_a_minute_are_counted_and_leak_away,
				       clear),
		cmocka_unit_test_setup(more_uids_than_places_reuse_idle_ones, clear),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
