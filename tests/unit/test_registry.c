/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: whose card is whose: enrolments, revocations and lists.
 */
#include "unit/registry_scratch.h"

#include <errno.h>

static void an_enrolment_is_found_whole_after_reopening(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment one = make("alice", 1), two = make("bob", 2);
	struct enrolment e;

	assert_int_equal(registry_add(registry, &one, false), 0);
	assert_int_equal(registry_add(registry, &two, false), 0);
	registry_close(registry);
	registry = open_new(state);
	assert_owner(registry, 1, "alice");
	assert_owner(registry, 2, "bob");
	assert_int_equal(registry_find_card(registry, make("x", 3).key_id, &e), -ENOENT);
	registry_close(registry);
}

static void the_largest_enrolment_is_kept_whole(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment big = make("x", 1), e;

	memset(big.user, 'u', sizeof(big.user) - 1);
	memset(big.holder, 'h', sizeof(big.holder) - 1);
	memset(big.person_id, 'p', sizeof(big.person_id) - 1);
	memset(big.scheme, 's', sizeof(big.scheme) - 1);
	big.certificate_size = REGISTRY_CERTIFICATE_MAX;
	memset(big.certificate, 0xA5, REGISTRY_CERTIFICATE_MAX);
	big.not_after = INT64_MAX;
	big.not_before = INT64_MIN;
	assert_int_equal(registry_add(registry, &big, false), 0);
	assert_int_equal(registry_find_card(registry, big.key_id, &e), 0);
	assert_same(&e, &big);
	registry_close(registry);
}

static void an_unfit_enrolment_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment e;

	e = make("", 1);
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a\nb", 1);
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	memset(e.user, 'u', sizeof(e.user)); /* no end */
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	strcpy(e.holder, "\xC3(");
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.certificate_size = 0;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e.certificate_size = REGISTRY_CERTIFICATE_MAX + 1;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.not_after = e.not_before - 1;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.enrolled_by[0] = '\0';
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	assert_int_equal(registry_find_card(registry, e.key_id, &e), -ENOENT);
	registry_close(registry);
}

static void a_user_is_a_cardholder_by_his_cards(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 1);
	const struct enrolment second = make("alice", 2);
	size_t count = 9;

	assert_int_equal(state_of(registry, "alice"), 0);
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_ACTIVE);
	assert_int_equal(state_of(registry, "Alice"), 0);
	assert_int_equal(state_of(registry, ""), 0);
	assert_int_equal(
		registry_revoke(registry, NULL, "alice", "root", "lost", 9, &count), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_REVOKED);
	assert_int_equal(registry_add(registry, &second, false), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_ACTIVE);
	registry_close(registry);
}

static void anothers_active_card_is_not_taken_without_reassign(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment alice = make("alice", 1), bob = make("bob", 1);

	assert_int_equal(registry_add(registry, &alice, false), 0);
	assert_int_equal(registry_add(registry, &bob, false), -EEXIST);
	assert_owner(registry, 1, "alice");
	assert_int_equal(registry_add(registry, &bob, true), 0);
	assert_owner(registry, 1, "bob");
	registry_close(registry);
}

static void the_same_users_card_is_refreshed(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment e = make("alice", 1), found;

	assert_int_equal(registry_add(registry, &e, false), 0);
	memset(e.holder, 0, sizeof(e.holder));
	strcpy(e.holder, "Renewed");
	e.not_after += 100;
	e.certificate_size = 10;
	memset(e.certificate, 0, sizeof(e.certificate));
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(registry_find_card(registry, e.key_id, &found), 0);
	assert_same(&found, &e);
	registry_close(registry);
}

static void a_revoked_card_is_shown_as_such_and_enrolled_anew(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 0xAB), bob = make("bob", 0xAB);
	struct enrolment found;
	size_t count = 0;

	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(registry_revoke(registry, "ABabABab", NULL, "chief", "lost",
					 7777, &count),
			 0);
	assert_int_equal(count, 1);
	assert_int_equal(registry_find_card(registry, e.key_id, &found), 0);
	assert_int_equal(found.state, ENROLMENT_REVOKED);
	assert_string_equal(found.revoked_by, "chief");
	assert_string_equal(found.revoke_reason, "lost");
	assert_int_equal(found.revoked_at, 7777);
	assert_string_equal(found.user, "alice");
	/* Twice is not once more: who revoked it first stays. */
	assert_int_equal(registry_revoke(registry, "abababab", NULL, "x", "y", 8, &count),
			 -ENOENT);
	assert_int_equal(registry_add(registry, &bob, false), 0);
	assert_owner(registry, 0xAB, "bob");
	registry_close(registry);
}

static void revoking_a_user_takes_all_his_cards_and_no_others(void **state)
{
	struct registry *registry = open_new(state);
	size_t count = 0;

	for (uint8_t i = 1; i <= 4; i++) {
		const struct enrolment e = make(i == 4 ? "bob" : "alice", i);

		assert_int_equal(registry_add(registry, &e, false), 0);
	}
	assert_int_equal(registry_revoke(registry, NULL, "alice", "root", "", 9, &count),
			 0);
	assert_int_equal(count, 3);
	assert_owner(registry, 4, "bob");
	assert_int_equal(registry_revoke(registry, NULL, "carol", "root", "", 9, &count),
			 -ENOENT);
	registry_close(registry);
}

static void digits_that_fit_two_cards_revoke_none(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment one = make("alice", 0x11), two = make("bob", 0x11);
	size_t count = 42;

	two.key_id[31] = 0x99;
	assert_int_equal(registry_add(registry, &one, false), 0);
	assert_int_equal(registry_add(registry, &two, false), 0);
	assert_int_equal(
		registry_revoke(registry, "1111111111", NULL, "root", "", 9, &count),
		-ENOTUNIQ);
	assert_int_equal(count, 42);
	assert_owner(registry, 0x11, "alice");
	assert_int_equal(registry_revoke(registry,
					 "11111111111111111111111111111111"
					 "11111111111111111111111111111199",
					 NULL, "root", "", 9, &count),
			 0);
	assert_int_equal(count, 1);
	assert_owner(registry, 0x11, "alice");
	registry_close(registry);
}

static void a_revocation_that_is_not_clear_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 1);
	char long_key[66], long_reason[REGISTRY_REASON_SIZE + 1];
	size_t count = 42;

	memset(long_key, '0', 65);
	long_key[65] = '\0';
	memset(long_reason, 'r', REGISTRY_REASON_SIZE);
	long_reason[REGISTRY_REASON_SIZE] = '\0';
	assert_int_equal(registry_add(registry, &e, false), 0);
	static const char *const keys[] = { "", "0101010", "0101010g", "0101010%",
					    "01 10101" };

	for (size_t i = 0; i < array_size(keys); i++)
		assert_int_equal(
			registry_revoke(registry, keys[i], NULL, "root", "", 9, &count),
			-EINVAL);
	assert_int_equal(registry_revoke(registry, long_key, NULL, "root", "", 9, &count),
			 -EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, NULL, "root", "", 9, &count),
			 -EINVAL);
	assert_int_equal(
		registry_revoke(registry, "01010101", "alice", "root", "", 9, &count),
		-EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, "alice", "", "", 9, &count),
			 -EINVAL);
	assert_int_equal(
		registry_revoke(registry, NULL, "alice", "r", long_reason, 9, &count),
		-EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, "alice", "r", "a\nb", 9, &count),
			 -EINVAL);
	assert_int_equal(count, 42);
	assert_owner(registry, 1, "alice");
	registry_close(registry);
}

static void a_list_is_by_user_then_time_and_can_be_ended(void **state)
{
	struct registry *registry = open_new(state);
	struct listing all = { 0 }, some = { .stop_after = 2 };
	const struct enrolment e[] = { make("bob", 1), make("alice", 9),
				       make("alice", 2) };

	for (size_t i = 0; i < array_size(e); i++)
		assert_int_equal(registry_add(registry, &e[i], false), 0);
	assert_int_equal(registry_list(registry, list_note, &all), 0);
	assert_string_equal(all.users, "alice alice bob ");
	assert_int_equal(registry_list(registry, list_note, &some), 77);
	assert_int_equal(some.count, 2);
	/* A list that was ended leaves the registry usable. */
	assert_int_equal(registry_add(registry, &e[0], false), 0);
	registry_close(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(an_enrolment_is_found_whole_after_reopening),
		scratch_test(the_largest_enrolment_is_kept_whole),
		scratch_test(an_unfit_enrolment_is_refused),
		scratch_test(a_user_is_a_cardholder_by_his_cards),
		scratch_test(anothers_active_card_is_not_taken_without_reassign),
		scratch_test(the_same_users_card_is_refreshed),
		scratch_test(a_revoked_card_is_shown_as_such_and_enrolled_anew),
		scratch_test(revoking_a_user_takes_all_his_cards_and_no_others),
		scratch_test(digits_that_fit_two_cards_revoke_none),
		scratch_test(a_revocation_that_is_not_clear_is_refused),
		scratch_test(a_list_is_by_user_then_time_and_can_be_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
