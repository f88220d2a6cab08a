/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges: fresh, and bound to purpose, user and service.
 */
#include "hygied/challenge.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <string.h>

static const char purpose[] = "hygie-auth-v1";

static struct challenge make(const char *user, const char *service)
{
	struct challenge challenge;

	assert_int_equal(challenge_new(purpose, user, service, &challenge), 0);
	return challenge;
}

static void challenge_begins_with_its_purpose_and_a_nul(void **state)
{
	struct challenge challenge = make("alice", "login");

	(void)state;
	assert_memory_equal(challenge.bytes, purpose, sizeof(purpose));
}

static void two_challenges_for_the_same_login_differ(void **state)
{
	struct challenge first = make("alice", "login");
	struct challenge second = make("alice", "login");

	(void)state;
	assert_int_equal(first.size, second.size);
	assert_memory_not_equal(first.bytes + sizeof(purpose),
				second.bytes + sizeof(purpose), 32);
}

static void user_and_service_are_in_it_and_cannot_be_shifted(void **state)
{
	struct challenge first = make("ab", "c");
	struct challenge second = make("a", "bc");
	const uint8_t end_first[] = { 2, 'a', 'b', 1, 'c' };
	const uint8_t end_second[] = { 1, 'a', 2, 'b', 'c' };

	(void)state;
	assert_memory_equal(first.bytes + first.size - 5, end_first, 5);
	assert_memory_equal(second.bytes + second.size - 5, end_second, 5);
}

static void longest_names_fit(void **state)
{
	char name[300];
	struct challenge challenge;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	challenge = make(name, name);
	assert_true(challenge.size <= CHALLENGE_MAX);
}

static void overlong_purpose_is_refused(void **state)
{
	char name[300];
	struct challenge challenge;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(challenge_new(name, "a", "b", &challenge), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenge_begins_with_its_purpose_and_a_nul),
		cmocka_unit_test(two_challenges_for_the_same_login_differ),
		cmocka_unit_test(user_and_service_are_in_it_and_cannot_be_shifted),
		cmocka_unit_test(longest_names_fit),
		cmocka_unit_test(overlong_purpose_is_refused),
	};

	return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
