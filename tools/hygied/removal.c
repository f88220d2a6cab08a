/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a session whose card may be gone; see removal.h.
 */
#include "hygied/removal.h"

#define END_MS 5000 /* for a session to end by itself */

static void wait_for(struct removal *removal, enum removal_phase phase, uint64_t now,
		     unsigned milliseconds)
{
	removal->phase = phase;
	removal->due = now + milliseconds * 1000ull;
}

static void rest(struct removal *removal, enum removal_phase phase)
{
	removal->phase = phase;
	removal->due = 0;
}

void removal_begin(struct removal *ret_removal)
{
	*ret_removal = (struct removal){ .phase = REMOVAL_CALM, .card_in = true };
}

static enum removal_act end(struct removal *removal, uint64_t now)
{
	wait_for(removal, REMOVAL_ENDING, now, END_MS);
	return REMOVAL_END;
}

/*
 * A lock that was seen before counts, unless a PIN is about to undo it: then the screen
 * opens after our signal, and is locked once more.
 */
static enum removal_act lock(struct removal *removal, const struct removal_rule *rule,
			     uint64_t now)
{
	if (removal->locked && !removal->proven)
		rest(removal, REMOVAL_SETTLED);
	else
		wait_for(removal, REMOVAL_LOCKING, now, rule->lock_timeout);
	return REMOVAL_LOCK;
}

/* The card is gone, and no grace is left. */
static enum removal_act act(struct removal *removal, const struct removal_rule *rule,
			    uint64_t now)
{
	switch (rule->action) {
	case REMOVAL_BY_LOGOUT:
		return end(removal, now);
	case REMOVAL_BY_NOTHING:
		rest(removal, REMOVAL_SETTLED);
		return REMOVAL_NOTHING;
	default:
		return lock(removal, rule, now);
	}
}

/* The card is not in, or did not show itself in time: the grace, if any, begins. */
static enum removal_act lose(struct removal *removal, const struct removal_rule *rule,
			     uint64_t now)
{
	if (rule->grace == 0 || rule->action == REMOVAL_BY_NOTHING)
		return act(removal, rule, now);
	wait_for(removal, REMOVAL_GRACE, now, rule->grace);
	return REMOVAL_WARN;
}

static enum removal_act on_out(struct removal *removal, const struct removal_rule *rule,
			       uint64_t now)
{
	bool locked =
		removal->phase == REMOVAL_SETTLED && removal->locked && !removal->proven;

	/* In doubt a reader may look empty for a moment. */
	if (!removal->card_in)
		return REMOVAL_NOTHING;
	removal->card_in = false;
	if (locked || removal->phase == REMOVAL_LOCKING ||
	    removal->phase == REMOVAL_ENDING)
		return REMOVAL_NOTHING;
	removal->since = now;
	return lose(removal, rule, now);
}

static enum removal_act on_doubted(struct removal *removal,
				   const struct removal_rule *rule, uint64_t now)
{
	bool waits =
		removal->phase == REMOVAL_LOCKING || removal->phase == REMOVAL_ENDING;

	if (!removal->card_in)
		return REMOVAL_NOTHING;
	removal->card_in = false;
	if (waits)
		return REMOVAL_NOTHING; /* it is locked anyhow */
	removal->since = now;
	wait_for(removal, REMOVAL_DOUBT, now, rule->card_return);
	return REMOVAL_NOTHING;
}

/* Where it waits for the card: CALM with a screen that is locked is still calm. */
static enum removal_act on_in(struct removal *removal)
{
	bool waiting = removal->phase == REMOVAL_DOUBT || removal->phase == REMOVAL_GRACE;

	removal->card_in = true;
	if (waiting || (removal->phase == REMOVAL_SETTLED && !removal->locked))
		rest(removal, REMOVAL_CALM);
	return waiting ? REMOVAL_RELENT : REMOVAL_NOTHING;
}

static enum removal_act on_locked(struct removal *removal)
{
	bool awaited =
		removal->phase == REMOVAL_LOCKING || removal->phase == REMOVAL_ESCALATED;

	removal->locked = true;
	removal->proven = false;
	if (!awaited)
		return REMOVAL_NOTHING;
	rest(removal, REMOVAL_SETTLED);
	return REMOVAL_NOTE;
}

static enum removal_act on_unlocked(struct removal *removal,
				    const struct removal_rule *rule, uint64_t now)
{
	bool proven = removal->proven;

	removal->locked = false;
	removal->proven = false;
	if (removal->phase == REMOVAL_LOCKING)
		return lock(removal, rule, now);
	if (removal->phase != REMOVAL_SETTLED)
		return REMOVAL_NOTHING;
	if (removal->card_in) {
		rest(removal, REMOVAL_CALM);
		return REMOVAL_NOTHING;
	}
	if (rule->action == REMOVAL_BY_NOTHING)
		return REMOVAL_NOTHING;
	/* The PIN was that of a card that is out by now; or the site wants no other way. */
	if (proven || rule->lock_without_card) {
		removal->since = now;
		return act(removal, rule, now);
	}
	return REMOVAL_RELEASE;
}

static enum removal_act on_asked(struct removal *removal, const struct removal_rule *rule,
				 uint64_t now)
{
	if (removal->phase == REMOVAL_LOCKING || removal->phase == REMOVAL_ENDING)
		return REMOVAL_NOTHING;
	removal->since = now;
	return lock(removal, rule, now);
}

static enum removal_act on_due(struct removal *removal, const struct removal_rule *rule,
			       uint64_t now)
{
	removal->due = 0;
	switch (removal->phase) {
	case REMOVAL_DOUBT:
		return lose(removal, rule, now);
	case REMOVAL_GRACE:
		return act(removal, rule, now);
	case REMOVAL_LOCKING:
		if (removal->locked) { /* the PIN did not open it after all */
			rest(removal, REMOVAL_SETTLED);
			return REMOVAL_NOTE;
		}
		if (rule->escalate_by_logout)
			return end(removal, now);
		rest(removal, REMOVAL_ESCALATED);
		return REMOVAL_ESCALATE;
	case REMOVAL_ENDING:
		wait_for(removal, REMOVAL_ENDING, now, END_MS);
		return REMOVAL_KILL;
	default:
		return REMOVAL_NOTHING;
	}
}

static enum removal_act on_proven(struct removal *removal)
{
	bool relents = removal->phase == REMOVAL_DOUBT || removal->phase == REMOVAL_GRACE;

	if (removal->phase == REMOVAL_ENDING)
		return REMOVAL_NOTHING;
	removal->card_in = true;
	removal->proven = true;
	rest(removal, REMOVAL_CALM);
	return relents ? REMOVAL_RELENT : REMOVAL_NOTHING;
}

enum removal_act removal_step(struct removal *removal, const struct removal_rule *rule,
			      enum removal_event event, uint64_t now)
{
	switch (event) {
	case REMOVAL_CARD_OUT:
		return on_out(removal, rule, now);
	case REMOVAL_CARD_DOUBTED:
		return on_doubted(removal, rule, now);
	case REMOVAL_CARD_IN:
		return on_in(removal);
	case REMOVAL_PROVEN:
		return on_proven(removal);
	case REMOVAL_SEEN_LOCKED:
		return on_locked(removal);
	case REMOVAL_SEEN_UNLOCKED:
		return on_unlocked(removal, rule, now);
	case REMOVAL_SEEN_ACTIVE:
		return removal->phase == REMOVAL_ESCALATED ? REMOVAL_ESCALATE
							   : REMOVAL_NOTHING;
	case REMOVAL_ASKED:
		return on_asked(removal, rule, now);
	case REMOVAL_DUE:
		return on_due(removal, rule, now);
	}
	return REMOVAL_NOTHING;
}

const char *removal_word(enum removal_phase phase, bool locked)
{
	switch (phase) {
	case REMOVAL_CALM:
		return locked ? "locked" : "card in";
	case REMOVAL_DOUBT:
		return "unsure";
	case REMOVAL_GRACE:
		return "card out";
	case REMOVAL_LOCKING:
		return "locking";
	case REMOVAL_SETTLED:
		return locked ? "locked" : "open";
	case REMOVAL_ESCALATED:
		return "not locked";
	default:
		return "ending";
	}
}
