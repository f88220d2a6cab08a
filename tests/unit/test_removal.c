/* SPDX-License-Identifier: Apache-2.0 */
/*
 * removal: a session whose card is gone. First what people live through, then every order
 * of six events under every rule, against what must hold whatever happens.
 */
#include "unit/cmocka_includes.h"

#include "hygied/removal.h"
#include "libhygie/attributes.h"

#include <stdio.h>

#define MS 1000ull

static const struct removal_rule at_once = { .action = REMOVAL_BY_LOCK,
					     .lock_timeout = 1500,
					     .card_return = 1000 };

static struct removal removal;
static uint64_t clock_us;

static void begin(void)
{
	removal_begin(&removal);
	clock_us = 1000 * MS;
}

static enum removal_act step(const struct removal_rule *rule, enum removal_event event)
{
	return removal_step(&removal, rule, event, clock_us);
}

/* Lets the time pass until it is due. */
static enum removal_act wait_due(const struct removal_rule *rule)
{
	assert_true(removal.due > clock_us);
	clock_us = removal.due;
	return step(rule, REMOVAL_DUE);
}

static void card_out_locks_at_once_and_the_lock_is_seen(void **unused)
{
	(void)unused;
	begin();
	assert_int_equal(step(&at_once, REMOVAL_CARD_OUT), REMOVAL_LOCK);
	assert_int_equal(removal.since, clock_us);
	clock_us += 40 * MS;
	assert_int_equal(step(&at_once, REMOVAL_SEEN_LOCKED), REMOVAL_NOTE);
	assert_int_equal(removal.phase, REMOVAL_SETTLED);
	assert_int_equal(removal.due, 0);
	assert_string_equal(removal_word(removal.phase, removal.locked), "locked");
}

static void card_put_back_does_not_open_what_it_locked(void **unused)
{
	(void)unused;
	begin();
	(void)!step(&at_once, REMOVAL_CARD_OUT);
	(void)!step(&at_once, REMOVAL_SEEN_LOCKED);
	assert_int_equal(step(&at_once, REMOVAL_CARD_IN), REMOVAL_NOTHING);
	assert_int_equal(removal.phase, REMOVAL_SETTLED);
	assert_int_equal(step(&at_once, REMOVAL_PROVEN), REMOVAL_NOTHING);
	assert_int_equal(removal.phase, REMOVAL_CALM);
	assert_int_equal(step(&at_once, REMOVAL_SEEN_UNLOCKED), REMOVAL_NOTHING);
	assert_int_equal(step(&at_once, REMOVAL_CARD_OUT), REMOVAL_LOCK);
}

static void session_not_seen_to_lock_is_covered_or_ended(void **unused)
{
	struct removal_rule rule = at_once;

	(void)unused;
	begin();
	(void)!step(&rule, REMOVAL_CARD_OUT);
	assert_int_equal(wait_due(&rule), REMOVAL_ESCALATE);
	/* Whoever switches back to it sees the login screen again. */
	assert_int_equal(step(&rule, REMOVAL_SEEN_ACTIVE), REMOVAL_ESCALATE);
	assert_int_equal(step(&rule, REMOVAL_SEEN_LOCKED), REMOVAL_NOTE);
	rule.escalate_by_logout = true;
	begin();
	(void)!step(&rule, REMOVAL_CARD_OUT);
	assert_int_equal(wait_due(&rule), REMOVAL_END);
	assert_int_equal(wait_due(&rule), REMOVAL_KILL);
}

static void card_back_in_the_grace_is_as_if_it_had_been_in(void **unused)
{
	struct removal_rule rule = at_once;

	(void)unused;
	rule.grace = 10000;
	begin();
	assert_int_equal(step(&rule, REMOVAL_CARD_OUT), REMOVAL_WARN);
	clock_us += 9000 * MS;
	assert_int_equal(step(&rule, REMOVAL_CARD_IN), REMOVAL_RELENT);
	assert_int_equal(removal.phase, REMOVAL_CALM);
	assert_int_equal(step(&rule, REMOVAL_CARD_OUT), REMOVAL_WARN);
	assert_int_equal(wait_due(&rule), REMOVAL_LOCK);
}

static void pcscd_that_comes_back_with_the_card_locks_nothing(void **unused)
{
	(void)unused;
	begin();
	assert_int_equal(step(&at_once, REMOVAL_CARD_DOUBTED), REMOVAL_NOTHING);
	assert_int_equal(step(&at_once, REMOVAL_CARD_OUT), REMOVAL_NOTHING);
	clock_us += 900 * MS;
	assert_int_equal(step(&at_once, REMOVAL_CARD_IN), REMOVAL_RELENT);
	assert_int_equal(step(&at_once, REMOVAL_CARD_DOUBTED), REMOVAL_NOTHING);
	assert_int_equal(wait_due(&at_once), REMOVAL_LOCK);
}

static void card_pulled_while_its_pin_opens_the_screen_locks_it_again(void **unused)
{
	(void)unused;
	begin();
	(void)!step(&at_once, REMOVAL_CARD_OUT);
	(void)!step(&at_once, REMOVAL_SEEN_LOCKED);
	(void)!step(&at_once, REMOVAL_CARD_IN);
	(void)!step(&at_once, REMOVAL_PROVEN);
	/* The old locker still holds the screen: that it does proves nothing. */
	assert_int_equal(step(&at_once, REMOVAL_CARD_OUT), REMOVAL_LOCK);
	assert_int_equal(removal.phase, REMOVAL_LOCKING);
	assert_int_equal(step(&at_once, REMOVAL_SEEN_UNLOCKED), REMOVAL_LOCK);
	assert_int_equal(step(&at_once, REMOVAL_SEEN_LOCKED), REMOVAL_NOTE);
}

static void opened_without_the_card_is_released_or_locked_again(void **unused)
{
	struct removal_rule rule = at_once;

	(void)unused;
	begin();
	(void)!step(&rule, REMOVAL_CARD_OUT);
	(void)!step(&rule, REMOVAL_SEEN_LOCKED);
	assert_int_equal(step(&rule, REMOVAL_SEEN_UNLOCKED), REMOVAL_RELEASE);
	rule.lock_without_card = true;
	begin();
	(void)!step(&rule, REMOVAL_CARD_OUT);
	(void)!step(&rule, REMOVAL_SEEN_LOCKED);
	assert_int_equal(step(&rule, REMOVAL_SEEN_UNLOCKED), REMOVAL_LOCK);
}

static void lock_by_request_needs_no_removal_and_a_removal_then_counts(void **unused)
{
	(void)unused;
	begin();
	assert_int_equal(step(&at_once, REMOVAL_ASKED), REMOVAL_LOCK);
	assert_int_equal(wait_due(&at_once), REMOVAL_ESCALATE);
	assert_int_equal(step(&at_once, REMOVAL_CARD_OUT), REMOVAL_LOCK);
}

static void nothing_is_done_where_the_site_wants_nothing(void **unused)
{
	struct removal_rule rule = at_once;

	(void)unused;
	rule.action = REMOVAL_BY_NOTHING;
	rule.grace = 1000;
	begin();
	assert_int_equal(step(&rule, REMOVAL_CARD_OUT), REMOVAL_NOTHING);
	assert_string_equal(removal_word(removal.phase, removal.locked), "open");
	assert_int_equal(removal.due, 0);
}

/* --- every order ------------------------------------------------------------------- */

#define DEPTH 6

static bool waits(enum removal_phase phase)
{
	return phase == REMOVAL_DOUBT || phase == REMOVAL_GRACE ||
	       phase == REMOVAL_LOCKING || phase == REMOVAL_ENDING;
}

/* What must hold after each event; `owed`: the card went, and nothing was done yet. */
static void judge(const struct removal_rule *rule, enum removal_event event,
		  enum removal_act act, bool owed)
{
	bool acts = rule->action != REMOVAL_BY_NOTHING;

	assert_int_equal(waits(removal.phase), removal.due != 0);
	if (removal.phase == REMOVAL_CALM)
		assert_true(removal.card_in);
	if (act == REMOVAL_RELENT)
		assert_true(event == REMOVAL_CARD_IN || event == REMOVAL_PROVEN);
	/* A card that is out leaves a session open for as long as it waits, no longer. */
	if (!removal.card_in && acts && act != REMOVAL_RELEASE &&
	    removal.phase == REMOVAL_SETTLED)
		assert_true(removal.locked);
	/* Nothing but a grace, a doubt or the card's return keeps us from acting. */
	if (owed && acts)
		assert_true(removal.phase == REMOVAL_DOUBT ||
			    removal.phase == REMOVAL_GRACE);
}

/* Only time passes: what is owed is done, and in time. */
static void run_out(const struct removal_rule *rule, bool owed)
{
	uint64_t lost = clock_us;
	struct removal before = removal;

	while (owed && removal.due) {
		enum removal_act act = wait_due(rule);

		owed = act != REMOVAL_LOCK && act != REMOVAL_END;
	}
	assert_false(owed && rule->action != REMOVAL_BY_NOTHING);
	assert_true(clock_us - lost <= (rule->grace + rule->card_return + 1) * MS);
	removal = before;
	clock_us = lost;
}

static void walk(const struct removal_rule *rule, unsigned depth, bool owed)
{
	struct removal before = removal;
	uint64_t moment = clock_us;

	run_out(rule, owed);
	if (depth == 0)
		return;
	for (int event = REMOVAL_CARD_OUT; event <= REMOVAL_DUE; event++) {
		bool lost, now_owed;
		enum removal_act act;

		removal = before;
		clock_us = moment + MS;
		if (event == REMOVAL_DUE) {
			if (!removal.due)
				continue;
			clock_us = removal.due;
		} else if (removal.due && removal.due < clock_us) {
			continue;
		}
		act = step(rule, (enum removal_event)event);
		if (act == REMOVAL_RELEASE)
			continue;
		lost = before.card_in && !removal.card_in;
		now_owed = (owed ||
			    (lost && !before.locked && before.phase != REMOVAL_LOCKING &&
			     before.phase != REMOVAL_ENDING)) &&
			   !removal.card_in && act != REMOVAL_LOCK && act != REMOVAL_END;
		/* Asked for meanwhile, or about to end. */
		if (removal.phase == REMOVAL_LOCKING || removal.phase == REMOVAL_ENDING)
			now_owed = false;
		judge(rule, (enum removal_event)event, act, now_owed);
		walk(rule, depth - 1, now_owed);
	}
}

static void every_order_of_six_events_keeps_its_promises(void **unused)
{
	static const enum removal_action actions[] = { REMOVAL_BY_LOCK, REMOVAL_BY_LOGOUT,
						       REMOVAL_BY_NOTHING };

	(void)unused;
	for (unsigned i = 0; i < array_size(actions) * 8; i++) {
		struct removal_rule rule = at_once;

		rule.action = actions[i / 8];
		rule.grace = i & 1 ? 5000 : 0;
		rule.escalate_by_logout = i & 2;
		rule.lock_without_card = i & 4;
		begin();
		walk(&rule, DEPTH, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(card_out_locks_at_once_and_the_lock_is_seen),
		cmocka_unit_test(card_put_back_does_not_open_what_it_locked),
		cmocka_unit_test(session_not_seen_to_lock_is_covered_or_ended),
		cmocka_unit_test(card_back_in_the_grace_is_as_if_it_had_been_in),
		cmocka_unit_test(pcscd_that_comes_back_with_the_card_locks_nothing),
		cmocka_unit_test(
			card_pulled_while_its_pin_opens_the_screen_locks_it_again),
		cmocka_unit_test(opened_without_the_card_is_released_or_locked_again),
		cmocka_unit_test(
			lock_by_request_needs_no_removal_and_a_removal_then_counts),
		cmocka_unit_test(nothing_is_done_where_the_site_wants_nothing),
		cmocka_unit_test(every_order_of_six_events_keeps_its_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
