/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a locker is started, started again, and believed.
 */
#include "hygie/screen_lock.h"

#include "unit/cmocka_includes.h"

#define MS 1000ull
#define BEGIN (1000 * 1000 * MS) /* any moment */

static void is(struct screen_lock *lock, enum lock_event event, uint64_t now,
	       unsigned acts, enum lock_state state)
{
	assert_int_equal(screen_lock_step(lock, event, now), acts);
	assert_int_equal(lock->state, state);
}

static struct screen_lock held(uint64_t now)
{
	struct screen_lock lock = { .state = LOCK_OPEN };

	is(&lock, LOCK_ASKED, now, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_SEEN, now, LOCK_TELL_YES, LOCK_HELD);
	return lock;
}

static void lock_is_told_when_it_is_seen_and_not_when_it_is_started(void **state)
{
	struct screen_lock lock = { .state = LOCK_OPEN };

	(void)state;
	is(&lock, LOCK_ASKED, BEGIN, LOCK_START, LOCK_STARTING);
	assert_false(lock.told);
	is(&lock, LOCK_ASKED, BEGIN, 0, LOCK_STARTING);
	is(&lock, LOCK_SEEN, BEGIN, LOCK_TELL_YES, LOCK_HELD);
	assert_int_equal(lock.due, 0);
	is(&lock, LOCK_ENDED_WELL, BEGIN, LOCK_TELL_NO, LOCK_OPEN);
	assert_int_equal(lock.due, 0);
}

static void lock_asked_for_while_it_holds_is_told_again(void **state)
{
	struct screen_lock lock = held(BEGIN);

	(void)state;
	is(&lock, LOCK_ASKED, BEGIN, LOCK_TELL_YES, LOCK_HELD);
}

static void broken_locker_is_started_at_once_and_nothing_is_taken_back(void **state)
{
	struct screen_lock lock = held(BEGIN);

	(void)state;
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	assert_true(lock.told);
	is(&lock, LOCK_SEEN, BEGIN, LOCK_TELL_YES, LOCK_HELD);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
}

static void third_break_in_ten_seconds_is_told_and_then_it_goes_on_slowly(void **state)
{
	struct screen_lock lock = held(BEGIN);
	uint64_t now = BEGIN;

	(void)state;
	is(&lock, LOCK_BROKE, now, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, now += MS, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, now += MS, LOCK_TELL_NO | LOCK_COMPLAIN, LOCK_WAITING);
	assert_int_equal(lock.due, now + LOCK_AGAIN_MS * MS);
	/* Complained of once; tried once a second. */
	for (int i = 0; i < 20; i++) {
		is(&lock, LOCK_DUE, now += LOCK_AGAIN_MS * MS, LOCK_START, LOCK_STARTING);
		is(&lock, LOCK_BROKE, now, 0, LOCK_WAITING);
		assert_int_equal(lock.due, now + LOCK_AGAIN_MS * MS);
	}
	is(&lock, LOCK_DUE, now += LOCK_AGAIN_MS * MS, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_SEEN, now, LOCK_TELL_YES, LOCK_HELD);
	assert_false(lock.complained);
}

static void breaks_that_lie_far_apart_are_not_too_many(void **state)
{
	struct screen_lock lock = held(BEGIN);
	uint64_t now = BEGIN;

	(void)state;
	for (int i = 0; i < 10; i++) {
		now += (LOCK_BREAKS_MS / 2 + 1) * MS;
		is(&lock, LOCK_BROKE, now, LOCK_START, LOCK_STARTING);
		is(&lock, LOCK_SEEN, now, LOCK_TELL_YES, LOCK_HELD);
	}
}

static void locker_that_holds_and_breaks_over_and_over_is_not_believed(void **state)
{
	struct screen_lock lock = held(BEGIN);

	(void)state;
	for (int i = 1; i < LOCK_BREAKS; i++) {
		is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
		is(&lock, LOCK_SEEN, BEGIN, LOCK_TELL_YES, LOCK_HELD);
	}
	is(&lock, LOCK_BROKE, BEGIN, LOCK_TELL_NO | LOCK_COMPLAIN, LOCK_WAITING);
}

static void locker_not_seen_in_time_is_complained_of_and_may_be_seen_later(void **state)
{
	struct screen_lock lock = { .state = LOCK_OPEN };
	uint64_t now = BEGIN + LOCK_SEEN_TIMEOUT_MS * MS;

	(void)state;
	is(&lock, LOCK_ASKED, BEGIN, LOCK_START, LOCK_STARTING);
	assert_int_equal(lock.due, now);
	is(&lock, LOCK_DUE, now, LOCK_COMPLAIN, LOCK_STARTING);
	assert_int_equal(lock.due, 0);
	is(&lock, LOCK_SEEN, now, LOCK_TELL_YES, LOCK_HELD);
}

static void restart_that_is_not_seen_in_time_takes_it_back(void **state)
{
	struct screen_lock lock = held(BEGIN);
	uint64_t now = BEGIN + LOCK_SEEN_TIMEOUT_MS * MS;

	(void)state;
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_DUE, now, LOCK_TELL_NO | LOCK_COMPLAIN, LOCK_STARTING);
	assert_false(lock.told);
}

static void good_end_that_was_never_seen_to_hold_is_not_tried_for_ever(void **state)
{
	struct screen_lock lock = { .state = LOCK_OPEN };

	(void)state;
	is(&lock, LOCK_ASKED, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_ENDED_WELL, BEGIN, 0, LOCK_OPEN);
}

static void good_end_of_a_restart_that_was_not_seen_opens_nothing(void **state)
{
	struct screen_lock lock = held(BEGIN);

	(void)state;
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_ENDED_WELL, BEGIN, LOCK_START, LOCK_STARTING);
	assert_true(lock.told);
}

static void blind_locker_is_run_without_a_clock(void **state)
{
	struct screen_lock lock = { .blind = true };

	(void)state;
	is(&lock, LOCK_ASKED, BEGIN, LOCK_START, LOCK_STARTING);
	assert_int_equal(lock.due, 0);
	is(&lock, LOCK_ENDED_WELL, BEGIN, 0, LOCK_OPEN);
}

static void what_was_told_before_the_beginning_is_made_true(void **state)
{
	struct screen_lock lock = { .state = LOCK_OPEN };

	(void)state;
	is(&lock, LOCK_MISSED, BEGIN, LOCK_START, LOCK_STARTING);
	assert_true(lock.told);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_TELL_NO | LOCK_COMPLAIN, LOCK_WAITING);
}

static void locker_of_before_is_believed_until_it_ends(void **state)
{
	struct screen_lock lock = { .state = LOCK_OPEN };

	(void)state;
	is(&lock, LOCK_FOUND, BEGIN, LOCK_TELL_YES, LOCK_HELD);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	assert_true(lock.told);
	is(&lock, LOCK_FOUND, BEGIN, 0, LOCK_STARTING);
}

static void who_came_in_by_another_way_ends_the_trying_and_no_lock(void **state)
{
	struct screen_lock lock = held(BEGIN);

	(void)state;
	is(&lock, LOCK_RELENTED, BEGIN, 0, LOCK_HELD);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_START, LOCK_STARTING);
	is(&lock, LOCK_BROKE, BEGIN, LOCK_TELL_NO | LOCK_COMPLAIN, LOCK_WAITING);
	is(&lock, LOCK_RELENTED, BEGIN, 0, LOCK_OPEN);
	assert_int_equal(lock.due, 0);
}

/* In whatever order things happen, "locked" is only ever said of a lock that was seen. */
static void no_order_of_events_tells_what_was_not_seen(void **state)
{
	static const enum lock_event events[] = { LOCK_ASKED, LOCK_SEEN, LOCK_ENDED_WELL,
						  LOCK_BROKE, LOCK_DUE,  LOCK_RELENTED };
	const size_t count = sizeof(events) / sizeof(events[0]);
	size_t orders = 1;

	(void)state;
	for (int i = 0; i < 7; i++)
		orders *= count;
	for (size_t order = 0; order < orders; order++) {
		struct screen_lock lock = { .state = LOCK_OPEN };
		size_t rest = order;

		for (int i = 0; i < 7; i++, rest /= count) {
			enum lock_event event = events[rest % count];
			enum lock_state before = lock.state;
			unsigned acts =
				screen_lock_step(&lock, event, BEGIN + (unsigned)i * MS);

			if (acts & LOCK_TELL_YES)
				assert_true(event == LOCK_SEEN || before == LOCK_HELD);
			assert_false((acts & LOCK_TELL_YES) && (acts & LOCK_TELL_NO));
			assert_true(lock.state != LOCK_HELD || lock.told);
			assert_true(lock.state != LOCK_OPEN || !lock.told);
			assert_true(lock.state != LOCK_WAITING ||
				    (lock.due && !lock.told));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_is_told_when_it_is_seen_and_not_when_it_is_started),
		cmocka_unit_test(lock_asked_for_while_it_holds_is_told_again),
		cmocka_unit_test(
			broken_locker_is_started_at_once_and_nothing_is_taken_back),
		cmocka_unit_test(
			third_break_in_ten_seconds_is_told_and_then_it_goes_on_slowly),
		cmocka_unit_test(breaks_that_lie_far_apart_are_not_too_many),
		cmocka_unit_test(
			locker_that_holds_and_breaks_over_and_over_is_not_believed),
		cmocka_unit_test(
			locker_not_seen_in_time_is_complained_of_and_may_be_seen_later),
		cmocka_unit_test(restart_that_is_not_seen_in_time_takes_it_back),
		cmocka_unit_test(
			good_end_that_was_never_seen_to_hold_is_not_tried_for_ever),
		cmocka_unit_test(good_end_of_a_restart_that_was_not_seen_opens_nothing),
		cmocka_unit_test(blind_locker_is_run_without_a_clock),
		cmocka_unit_test(what_was_told_before_the_beginning_is_made_true),
		cmocka_unit_test(locker_of_before_is_believed_until_it_ends),
		cmocka_unit_test(who_came_in_by_another_way_ends_the_trying_and_no_lock),
		cmocka_unit_test(no_order_of_events_tells_what_was_not_seen),
	};

	return cmocka_run_group_tests_name("screen_lock", tests, NULL, NULL);
}
