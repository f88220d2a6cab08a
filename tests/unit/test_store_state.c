/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store state: what single events come to; every order of the common ones is
 * test_store_walk.c's.
 */
#include "hygied/store_state.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct store_state opened(const char *session, uint64_t due)
{
	struct store_state state = { .count = 0 };
	struct store_reference reference = { .uid = 7, .due = due };

	(void)snprintf(reference.session, sizeof(reference.session), "%s", session);
	assert_int_equal(store_state_prove(&state, &reference), STORE_MOUNT);
	assert_int_equal(store_state_said(&state, KEEPER_OPENED), STORE_NOTHING);
	return state;
}

static void a_ticket_that_no_session_redeems_lets_go(void **unused)
{
	struct store_state state = opened(":abc", 60);

	(void)unused;
	assert_int_equal(store_state_next(&state), 60);
	assert_int_equal(store_state_due(&state, 59), STORE_NOTHING);
	assert_int_equal(store_state_due(&state, 60), STORE_CLOSE);
}

static void a_card_pulled_before_the_session_opens_still_counts(void **unused)
{
	struct store_state state = opened(":abc", 60);
	uint8_t card[HYGIE_KEY_ID_SIZE] = { 0 };

	(void)unused;
	store_state_card_out(&state, card, 30);
	store_state_adopt(&state, ":abc", "s1");
	assert_int_equal(store_state_due(&state, 30), STORE_CLOSE);
}

static void a_ticket_does_not_cut_the_grace_of_its_session(void **unused)
{
	struct store_state state = opened(":abc", 60);
	uint8_t card[HYGIE_KEY_ID_SIZE] = { 0 };

	(void)unused;
	store_state_card_out(&state, card, 600);
	store_state_adopt(&state, ":abc", "s1");
	assert_int_equal(store_state_next(&state), 600);
	assert_int_equal(store_state_due(&state, 599), STORE_NOTHING);
	assert_int_equal(store_state_due(&state, 600), STORE_CLOSE);
}

static void a_card_that_is_back_does_not_make_a_ticket_last(void **unused)
{
	struct store_state state = opened(":abc", 60);
	uint8_t card[HYGIE_KEY_ID_SIZE] = { 0 };

	(void)unused;
	store_state_card_out(&state, card, 600);
	store_state_card_in(&state, card);
	assert_int_equal(store_state_due(&state, 60), STORE_CLOSE);
}

static void one_session_less_keeps_it_open(void **unused)
{
	struct store_state state = opened("s1", 0);
	struct store_reference other = { .session = "s2", .uid = 8 };

	(void)unused;
	assert_int_equal(store_state_prove(&state, &other), STORE_NOTHING);
	assert_int_equal(store_state_close(&state, false, 7), STORE_NOTHING);
	assert_int_equal(store_state_close(&state, false, 8), STORE_CLOSE);
}

static void all_may_be_asked_to_let_go(void **unused)
{
	struct store_state state = opened("s1", 0);
	struct store_reference other = { .session = "s2", .uid = 8 };

	(void)unused;
	assert_int_equal(store_state_prove(&state, &other), STORE_NOTHING);
	assert_int_equal(store_state_close(&state, true, 0), STORE_CLOSE);
}

static void a_session_that_ends_while_it_opens_closes_it_then(void **unused)
{
	struct store_state state = { .count = 0 };
	struct store_reference reference = { .session = "s1" };

	(void)unused;
	assert_int_equal(store_state_prove(&state, &reference), STORE_MOUNT);
	assert_int_equal(store_state_end(&state, "s1"), STORE_NOTHING);
	assert_int_equal(store_state_said(&state, KEEPER_OPENED), STORE_CLOSE);
}

static void what_fails_or_dies_is_held_by_nobody(void **unused)
{
	static const enum keeper_event_kind ends[] = { KEEPER_CLOSED, KEEPER_GONE,
						       KEEPER_ABSENT };
	struct store_state state;
	struct store_reference reference = { .session = "s1" };

	(void)unused;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		state = opened("s1", 0);
		assert_int_equal(store_state_said(&state, ends[i]), STORE_NOTHING);
		assert_int_equal(state.phase, STORE_SHUT);
		assert_int_equal(state.count, 0);
	}
	state = (struct store_state){ .count = 0 };
	assert_int_equal(store_state_prove(&state, &reference), STORE_MOUNT);
	assert_int_equal(store_state_failed(&state, false), STORE_NOTHING);
	assert_int_equal(state.phase, STORE_SHUT);
	assert_int_equal(state.count, 0);
}

static void what_cannot_open_since_it_is_closing_is_not_called_shut(void **unused)
{
	struct store_state state = { .count = 0 };
	struct store_reference reference = { .session = "s1" };

	(void)unused;
	assert_int_equal(store_state_prove(&state, &reference), STORE_MOUNT);
	assert_int_equal(store_state_failed(&state, true), STORE_NOTHING);
	assert_int_equal(state.phase, STORE_CLOSING);
	assert_int_equal(state.count, 0);
	assert_int_equal(store_state_said(&state, KEEPER_CLOSED), STORE_NOTHING);
	assert_int_equal(state.phase, STORE_SHUT);
}

static void all_may_ask_again_for_what_is_closing(void **unused)
{
	struct store_state state = opened("s1", 0);

	(void)unused;
	assert_int_equal(store_state_close(&state, false, 7), STORE_CLOSE);
	assert_int_equal(store_state_close(&state, false, 7), STORE_NOTHING);
	assert_int_equal(store_state_close(&state, true, 0), STORE_CLOSE);
	assert_int_equal(state.phase, STORE_CLOSING);
	assert_int_equal(store_state_said(&state, KEEPER_CLOSED), STORE_NOTHING);
	assert_int_equal(store_state_close(&state, true, 0), STORE_NOTHING);
}

/* What hygied thinks, what the keeper says after a lost connection, what comes of it. */
static void a_lost_connection_loses_no_reference_and_no_closing(void **unused)
{
	static const struct {
		enum store_phase before, told;
		bool can_mount;
		size_t held; /* before */
		enum store_act act;
		enum store_phase after;
		size_t left;
	} cases[] = {
		{ STORE_OPEN, STORE_OPEN, false, 1, STORE_NOTHING, STORE_OPEN, 1 },
		{ STORE_OPEN, STORE_OPEN, false, 0, STORE_CLOSE, STORE_CLOSING, 0 },
		{ STORE_OPEN, STORE_CLOSING, false, 1, STORE_NOTHING, STORE_CLOSING, 1 },
		{ STORE_OPEN, STORE_SHUT, false, 1, STORE_NOTHING, STORE_SHUT, 0 },
		{ STORE_CLOSING, STORE_OPEN, false, 0, STORE_CLOSE, STORE_CLOSING, 0 },
		{ STORE_CLOSING, STORE_CLOSING, false, 0, STORE_NOTHING, STORE_CLOSING,
		  0 },
		{ STORE_CLOSING, STORE_SHUT, false, 0, STORE_NOTHING, STORE_SHUT, 0 },
		{ STORE_OPENING, STORE_OPENING, false, 1, STORE_NOTHING, STORE_OPENING,
		  1 },
		{ STORE_OPENING, STORE_OPEN, true, 1, STORE_NOTHING, STORE_OPEN, 1 },
		{ STORE_OPENING, STORE_OPEN, false, 0, STORE_CLOSE, STORE_CLOSING, 0 },
		{ STORE_OPENING, STORE_SHUT, true, 1, STORE_MOUNT, STORE_OPENING, 1 },
		{ STORE_OPENING, STORE_SHUT, true, 0, STORE_NOTHING, STORE_SHUT, 0 },
		{ STORE_OPENING, STORE_SHUT, false, 1, STORE_NOTHING, STORE_SHUT, 0 },
		{ STORE_OPENING, STORE_CLOSING, true, 1, STORE_MOUNT, STORE_OPENING, 1 },
		{ STORE_OPENING, STORE_CLOSING, false, 1, STORE_NOTHING, STORE_CLOSING,
		  1 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_state state = { .phase = cases[i].before,
					     .count = cases[i].held };

		assert_int_equal(
			store_state_told(&state, cases[i].told, cases[i].can_mount),
			cases[i].act);
		assert_int_equal(state.phase, cases[i].after);
		assert_int_equal(state.count, cases[i].left);
	}
}

static void a_new_proof_takes_a_busy_close_back(void **unused)
{
	struct store_state state = opened("s1", 0);
	struct store_reference again = { .session = "s2" };

	(void)unused;
	assert_int_equal(store_state_end(&state, "s1"), STORE_CLOSE);
	assert_int_equal(store_state_said(&state, KEEPER_BUSY), STORE_NOTHING);
	assert_int_equal(store_state_prove(&state, &again), STORE_MOUNT);
	assert_int_equal(store_state_said(&state, KEEPER_OPENED), STORE_NOTHING);
	assert_int_equal(state.phase, STORE_OPEN);
}

static void a_full_table_gives_up_what_goes_first_or_takes_nobody(void **unused)
{
	struct store_state state = opened(":abc", 60);
	struct store_reference one = { .uid = 1 };

	(void)unused;
	for (int i = 0; i < STORE_REFERENCES_MAX; i++) {
		(void)snprintf(one.session, sizeof(one.session), "s%d", i);
		assert_int_equal(store_state_prove(&state, &one), STORE_NOTHING);
	}
	assert_int_equal(state.count, STORE_REFERENCES_MAX);
	assert_int_equal(store_state_next(&state), 0);
	(void)snprintf(one.session, sizeof(one.session), "more");
	assert_int_equal(store_state_prove(&state, &one), STORE_NOTHING);
	assert_int_equal(state.count, STORE_REFERENCES_MAX);
}

static void the_note_tells_a_restarted_hygied_all(void **unused)
{
	struct store_state state = opened("s1", 0), read = { .phase = STORE_OPEN };
	struct store_reference one = { .due = UINT64_MAX,
				       .uid = UINT32_MAX,

				       .out = UINT64_MAX - 1 };
	char note[HYGIE_NOTE_MAX];
	size_t size;

	(void)unused;
	memset(one.card, 0xff, sizeof(one.card));
	for (int i = 1; i < STORE_REFERENCES_MAX; i++) {
		memset(one.session, 'a' + i, sizeof(one.session) - 1);
		(void)!store_state_prove(&state, &one);
	}
	size = store_state_write(&state, note);
	assert_int_equal(store_state_read(&read, note, size), 0);
	assert_memory_equal(&read, &state, sizeof(state));
	assert_int_equal(store_state_read(&read, "nonsense\n", 9), -EBADMSG);
	assert_int_equal(store_state_read(&read, note, size - 1), -EBADMSG);
	assert_int_equal(store_state_read(&read, "", 0), 0);
	assert_int_equal(read.count, 0);
}

static void nobody_using_it_is_heard_unless_a_proof_crossed_it(void **state)
{
	struct store_state store = { .phase = STORE_SHUT };
	const struct store_reference one = { .session = "s0", .uid = 1 };

	(void)state;
	assert_int_equal(store_state_prove(&store, &one), STORE_MOUNT);
	assert_int_equal(store_state_idle(&store, 900, 600), STORE_NOTHING);
	assert_int_equal(store_state_said(&store, KEEPER_OPENED), STORE_NOTHING);
	assert_int_equal(store_state_idle(&store, 599, 600), STORE_NOTHING);
	assert_true(store.phase == STORE_OPEN && store.count == 1);
	assert_int_equal(store_state_idle(&store, 600, 600), STORE_CLOSE);
	assert_true(store.phase == STORE_CLOSING && store.count == 0);
	assert_int_equal(store_state_idle(&store, 900, 600), STORE_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_that_no_session_redeems_lets_go),
		cmocka_unit_test(a_card_pulled_before_the_session_opens_still_counts),
		cmocka_unit_test(a_ticket_does_not_cut_the_grace_of_its_session),
		cmocka_unit_test(a_card_that_is_back_does_not_make_a_ticket_last),
		cmocka_unit_test(one_session_less_keeps_it_open),
		cmocka_unit_test(all_may_be_asked_to_let_go),
		cmocka_unit_test(a_session_that_ends_while_it_opens_closes_it_then),
		cmocka_unit_test(what_fails_or_dies_is_held_by_nobody),
		cmocka_unit_test(what_cannot_open_since_it_is_closing_is_not_called_shut),
		cmocka_unit_test(all_may_ask_again_for_what_is_closing),
		cmocka_unit_test(a_lost_connection_loses_no_reference_and_no_closing),
		cmocka_unit_test(a_new_proof_takes_a_busy_close_back),
		cmocka_unit_test(nobody_using_it_is_heard_unless_a_proof_crossed_it),
		cmocka_unit_test(a_full_table_gives_up_what_goes_first_or_takes_nobody),
		cmocka_unit_test(the_note_tells_a_restarted_hygied_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
