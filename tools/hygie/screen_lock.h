/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a screen that is to be locked: a machine of states that takes events
 * and answers what to do. It touches nothing and reads no clock.
 *
 *	OPEN -> (asked) -> STARTING -> (seen) -> HELD -> (ended well) -> OPEN
 *	                      ^  |                |
 *	                      |  +-> WAITING <----+ (broke three times in ten seconds)
 *	                      +---------+
 *
 * A locker that breaks is started again. What was told to logind stays "locked" meanwhile;
 * it is taken back, with a complaint, once that would be a lie.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>

enum lock_state {
	LOCK_OPEN = 0,
	LOCK_STARTING, /* a locker runs, and was not seen to hold the screen yet */
	LOCK_HELD,
	LOCK_WAITING, /* no locker runs; the next is started at `due` */
};

enum lock_event {
	LOCK_ASKED = 1,  /* logind's Lock */
	LOCK_SEEN,       /* the locker holds the screen */
	LOCK_ENDED_WELL, /* the locker ended as one that was unlocked does */
	LOCK_BROKE,      /* it ended otherwise, or could not be started */
	LOCK_DUE,        /* `due` has come */
	LOCK_FOUND,      /* at the beginning: a locker of before still holds the screen */
	LOCK_MISSED,     /* at the beginning: told to be locked, and no locker is there */
	LOCK_RELENTED,   /* the person came in by another way */
};

/* Together, to be done in this order. */
enum lock_act {
	LOCK_START = 1 << 0,    /* start the locker */
	LOCK_TELL_YES = 1 << 1, /* tell logind that it is locked */
	LOCK_TELL_NO = 1 << 2,  /* tell it that it is not */
	LOCK_COMPLAIN = 1 << 3, /* nothing covers the screen: cry for help */
};

#define LOCK_BREAKS 3             /* so many ... */
#define LOCK_BREAKS_MS 10000      /* ... within this time are too many */
#define LOCK_AGAIN_MS 1000        /* then this long until the next start */
#define LOCK_SEEN_TIMEOUT_MS 3000 /* a locker that works is seen before */

struct screen_lock {
	enum lock_state state;
	bool blind; /* nothing can tell whether this locker holds the screen */
	bool told;  /* that it is locked */
	bool complained;
	uint64_t breaks[LOCK_BREAKS]; /* microseconds; the latest, 0 for none */
	uint64_t due;                 /* microseconds; 0: nothing is waited for */
};

/* Moves on; `now` and `due` count microseconds on one clock. Gives enum lock_act. */
unsigned screen_lock_step(struct screen_lock *lock, enum lock_event event,
			  uint64_t now) must_check;
