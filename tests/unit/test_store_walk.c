/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a store is open: two holders' cards and two sessions, and everything that can
 * happen to them, in every order of five steps, with a keeper that answers at once, late,
 * or finds the store busy. What should be is computed in another way: see should_be_open.
 */
#include "hygied/store_state.h"
#include "unit/cmocka_includes.h"

#include <stdio.h>
#include <string.h>

#define GRACE 600
#define STEPS 5

enum what { LOGIN, UNLOCK, LOCK, SWITCH, LOGOUT, CARD_OUT, CARD_IN, GRACE_OVER };

struct step {
	enum what what;
	int holder, session;
};

static const struct step steps[] = {
	{ LOGIN, 0, 0 },   { LOGIN, 0, 1 },   { LOGIN, 1, 0 },      { LOGIN, 1, 1 },
	{ UNLOCK, 0, 0 },  { UNLOCK, 0, 1 },  { UNLOCK, 1, 0 },     { UNLOCK, 1, 1 },
	{ LOCK, 0, 0 },    { LOCK, 0, 1 },    { SWITCH, 0, 0 },     { SWITCH, 0, 1 },
	{ LOGOUT, 0, 0 },  { LOGOUT, 0, 1 },  { CARD_OUT, 0, 0 },   { CARD_OUT, 1, 0 },
	{ CARD_IN, 0, 0 }, { CARD_IN, 1, 0 }, { GRACE_OVER, 0, 0 },
};

enum { COUNT = sizeof(steps) / sizeof(steps[0]) };

/* The keeper: what is mounted, and what it has not said yet. */
enum pace { PROMPT, LATE, BUSY, PACES };

struct keeper_model {
	enum pace pace;
	bool mounted, closing; /* closing: told to, and busy */
	enum keeper_event_kind unsaid[8];
	size_t unsaid_count;
};

struct world {
	struct store_state state;
	struct keeper_model keeper;
	uint64_t now;
	/* What should be. */
	bool alive[2], valid[2][2], out[2];
};

static const char *const session_name[] = { "s0", "s1" };

static void card_of(int holder, uint8_t card[HYGIE_KEY_ID_SIZE])
{
	memset(card, holder + 1, HYGIE_KEY_ID_SIZE);
}

static void do_act(struct world *world, enum store_act act)
{
	struct keeper_model *keeper = &world->keeper;

	if (act == STORE_MOUNT) {
		keeper->mounted = true;
		keeper->closing = false;
		keeper->unsaid[keeper->unsaid_count++] = KEEPER_OPENED;
	} else if (act == STORE_CLOSE) {
		assert_true(keeper->mounted);
		keeper->closing = keeper->pace == BUSY;
		keeper->mounted = keeper->closing;
		keeper->unsaid[keeper->unsaid_count++] =
			keeper->closing ? KEEPER_BUSY : KEEPER_CLOSED;
	}
}

/* The first `count` of what is unsaid. */
static void say(struct world *world, size_t count)
{
	struct keeper_model *keeper = &world->keeper;

	for (; count > 0; count--) {
		enum keeper_event_kind said = keeper->unsaid[0];

		memmove(keeper->unsaid, keeper->unsaid + 1,
			--keeper->unsaid_count * sizeof(said));
		do_act(world, store_state_said(&world->state, said));
	}
}

static void say_all(struct world *world)
{
	while (world->keeper.unsaid_count > 0)
		say(world, world->keeper.unsaid_count);
}

static void prove(struct world *world, const struct step *step, bool by_ticket)
{
	struct store_reference reference = { .uid = 1000u + (unsigned)step->holder };

	card_of(step->holder, reference.card);
	(void)snprintf(reference.session, sizeof(reference.session), "%s",
		       by_ticket ? ":ticket" : session_name[step->session]);
	reference.due = by_ticket ? world->now + 60 : 0;
	do_act(world, store_state_prove(&world->state, &reference));
	if (by_ticket)
		store_state_adopt(&world->state, ":ticket", session_name[step->session]);
}

/* False: it cannot happen now (a card that is out proves nothing). */
static bool step_is_possible(const struct world *world, const struct step *step)
{
	switch (step->what) {
	case LOGIN:
		return !world->alive[step->session] && !world->out[step->holder];
	case UNLOCK:
		return world->alive[step->session] && !world->out[step->holder];
	case LOCK:
	case SWITCH:
	case LOGOUT:
		return world->alive[step->session];
	case CARD_OUT:
		return !world->out[step->holder];
	case CARD_IN:
		return world->out[step->holder];
	default:
		return true;
	}
}

/* What it means, in the plainest words. */
static void expect(struct world *world, const struct step *step)
{
	int h = step->holder, s = step->session;

	switch (step->what) {
	case LOGIN:
	case UNLOCK:
		world->alive[s] = true;
		world->valid[h][s] = true;
		break;
	case LOGOUT:
		world->alive[s] = false;
		world->valid[0][s] = world->valid[1][s] = false;
		break;
	case CARD_OUT:
	case CARD_IN:
		world->out[h] = step->what == CARD_OUT;
		break;
	case GRACE_OVER:
		for (int holder = 0; holder < 2; holder++)
			if (world->out[holder])
				world->valid[holder][0] = world->valid[holder][1] = false;
		break;
	default:
		break;
	}
}

static bool should_be_open(const struct world *world)
{
	return world->valid[0][0] || world->valid[0][1] || world->valid[1][0] ||
	       world->valid[1][1];
}

static void do_step(struct world *world, const struct step *step)
{
	uint8_t card[HYGIE_KEY_ID_SIZE];

	card_of(step->holder, card);
	switch (step->what) {
	case LOGIN:
	case UNLOCK:
		prove(world, step, step->what == LOGIN);
		break;
	case LOGOUT:
		do_act(world,
		       store_state_end(&world->state, session_name[step->session]));
		break;
	case CARD_OUT:
		store_state_card_out(&world->state, card, world->now + GRACE);
		break;
	case CARD_IN:
		store_state_card_in(&world->state, card);
		break;
	case GRACE_OVER:
		world->now += GRACE;
		do_act(world, store_state_due(&world->state, world->now));
		break;
	default:
		break; /* locked, or another user in front: nothing to a store */
	}
	world->now++;
}

static void judge(const struct world *world, const int *order, int count)
{
	bool open = world->keeper.mounted && !world->keeper.closing;

	if (open == should_be_open(world) && (world->state.phase == STORE_OPEN) == open)
		return;
	for (int i = 0; i < count; i++)
		print_error("%d:%d.%d ", steps[order[i]].what, steps[order[i]].holder,
			    steps[order[i]].session);
	print_error("pace %d: open %d, should be %d, phase %d\n", world->keeper.pace,
		    open, should_be_open(world), world->state.phase);
	fail();
}

static unsigned long tried;

static void walk(const struct world *before, int *order, int depth)
{
	for (int i = 0; i < COUNT; i++) {
		struct world world = *before, settled;
		size_t unsaid;

		if (!step_is_possible(&world, &steps[i]))
			continue;
		order[depth] = i;
		expect(&world, &steps[i]);
		unsaid = world.keeper.unsaid_count;
		do_step(&world, &steps[i]);
		if (world.keeper.pace == LATE)
			say(&world, unsaid); /* of the step before: it crossed this one */
		else
			say_all(&world);
		settled = world;
		say_all(&settled);
		judge(&settled, order, depth + 1);
		tried++;
		if (depth + 1 < STEPS)
			walk(&world, order, depth + 1);
	}
}

static void the_mount_is_there_exactly_when_it_should_be(void **unused)
{
	(void)unused;
	for (enum pace pace = 0; pace < PACES; pace++) {
		struct world world = { .keeper.pace = pace, .now = 1000 };
		int order[STEPS];

		walk(&world, order, 0);
	}
	/* The walk did go everywhere. */
	assert_true(tried > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mount_is_there_exactly_when_it_should_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
