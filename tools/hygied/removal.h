/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of one session when its card is gone: a machine of states that takes
 * events and answers what to do. It touches nothing and reads no clock.
 *
 *	CALM -> (card out) -> GRACE -> LOCKING -> SETTLED     seen to be locked
 *	                                  |-> ESCALATED       not seen in time
 *	                          or -> ENDING                where the site logs out
 *
 * pcscd or hygied beginning anew is DOUBT: the card must show itself within a moment.
 * After a card is out, nothing ends in CALM but the same card within the grace, or a PIN.
 */
#pragma once

#include "libhygie/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum removal_phase {
	REMOVAL_CALM = 1,  /* its card is in */
	REMOVAL_DOUBT,     /* nobody knows; the card must show itself until `due` */
	REMOVAL_GRACE,     /* out; the same card may be back until `due` */
	REMOVAL_LOCKING,   /* told to lock; must be seen locked until `due` */
	REMOVAL_SETTLED,   /* locked, or nothing is to be done about it */
	REMOVAL_ESCALATED, /* was not seen to lock */
	REMOVAL_ENDING,    /* told to end; is killed at `due` */
};

enum removal_event {
	REMOVAL_CARD_OUT = 1,
	REMOVAL_CARD_DOUBTED,
	REMOVAL_CARD_IN,       /* the session's own card was read, and is in */
	REMOVAL_PROVEN,        /* by card and PIN, just now */
	REMOVAL_SEEN_LOCKED,   /* its LockedHint says so */
	REMOVAL_SEEN_UNLOCKED, /* its LockedHint no longer says so */
	REMOVAL_SEEN_ACTIVE,   /* its screen is shown (again) */
	REMOVAL_ASKED,         /* to lock: by a person, or before the machine sleeps */
	REMOVAL_DUE,           /* `due` has come */
};

enum removal_act {
	REMOVAL_NOTHING = 0,
	REMOVAL_WARN,     /* grace began: tell until when */
	REMOVAL_RELENT,   /* the card is back in time, or showed itself */
	REMOVAL_LOCK,     /* send Lock */
	REMOVAL_NOTE,     /* it was seen to be locked */
	REMOVAL_ESCALATE, /* cover it by other means */
	REMOVAL_END,      /* log the session out */
	REMOVAL_KILL,     /* it did not end */
	REMOVAL_RELEASE,  /* opened without the card: no longer the card's session */
};

/* What the site decided for this session; times in milliseconds. */
struct removal_rule {
	enum removal_action action;
	unsigned grace, lock_timeout, card_return;
	bool escalate_by_logout;
	bool lock_without_card; /* opened while the card is out: lock it again */
};

struct removal {
	enum removal_phase phase;
	bool card_in, locked;
	bool proven;    /* a PIN opened it, and the screen did not follow yet */
	uint64_t since; /* microseconds: when the card was lost, or was asked to lock */
	uint64_t due;   /* microseconds; 0: nothing is waited for */
};

/* A session whose card has just proven itself. */
void removal_begin(struct removal *ret_removal);

/* Moves on; `now` and `due` count microseconds on one clock. Does what is returned. */
enum removal_act removal_step(struct removal *removal, const struct removal_rule *rule,
			      enum removal_event event, uint64_t now) must_check;

/*
 * For status: "card in", "unsure", "card out", "locking", "locked", "open" (nothing is
 * done), "not locked", "ending".
 */
const char *removal_word(enum removal_phase phase, bool locked);
