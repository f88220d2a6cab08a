/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a screen that is to be locked; see screen_lock.h.
 */
#include "screen_lock.h"

#include <string.h>

static unsigned tell_yes(struct screen_lock *lock)
{
	lock->told = true;
	return LOCK_TELL_YES;
}

static unsigned tell_no(struct screen_lock *lock)
{
	unsigned act = lock->told ? LOCK_TELL_NO : 0;

	lock->told = false;
	return act;
}

static unsigned open_up(struct screen_lock *lock)
{
	lock->state = LOCK_OPEN;
	lock->due = 0;
	lock->complained = false;
	return tell_no(lock);
}

static unsigned start(struct screen_lock *lock, uint64_t now)
{
	lock->state = LOCK_STARTING;
	lock->due = lock->blind ? 0 : now + LOCK_SEEN_TIMEOUT_MS * 1000ull;
	return LOCK_START;
}

/* Nothing covers the screen, as far as can be seen. */
static unsigned give_up(struct screen_lock *lock)
{
	unsigned acts = tell_no(lock);

	if (!lock->complained)
		acts |= LOCK_COMPLAIN;
	lock->complained = true;
	return acts;
}

static unsigned on_seen(struct screen_lock *lock)
{
	if (lock->state != LOCK_STARTING)
		return 0;
	lock->state = LOCK_HELD;
	lock->due = 0;
	lock->complained = false;
	return tell_yes(lock);
}

static unsigned on_broke(struct screen_lock *lock, uint64_t now)
{
	uint64_t oldest;

	if (lock->state != LOCK_STARTING && lock->state != LOCK_HELD)
		return 0;
	memmove(lock->breaks, lock->breaks + 1,
		sizeof(lock->breaks) - sizeof(*lock->breaks));
	lock->breaks[LOCK_BREAKS - 1] = now;
	oldest = lock->breaks[0];
	if (oldest == 0 || now - oldest > LOCK_BREAKS_MS * 1000ull)
		return start(lock, now);
	lock->state = LOCK_WAITING;
	lock->due = now + LOCK_AGAIN_MS * 1000ull;
	return give_up(lock);
}

/*
 * One that was not seen to hold the screen may have held it all the same: then it is not
 * started again for ever. But what was told to be locked is not opened by it.
 */
static unsigned on_ended_well(struct screen_lock *lock, uint64_t now)
{
	if (lock->state == LOCK_STARTING && lock->told)
		return on_broke(lock, now);
	return lock->state == LOCK_STARTING || lock->state == LOCK_HELD ? open_up(lock)
									: 0;
}

static unsigned on_due(struct screen_lock *lock, uint64_t now)
{
	lock->due = 0;
	if (lock->state == LOCK_WAITING)
		return start(lock, now);
	return lock->state == LOCK_STARTING ? give_up(lock) : 0;
}

unsigned screen_lock_step(struct screen_lock *lock, enum lock_event event, uint64_t now)
{
	switch (event) {
	case LOCK_ASKED:
		if (lock->state == LOCK_HELD)
			return tell_yes(lock);
		return lock->state == LOCK_OPEN ? start(lock, now) : 0;
	case LOCK_SEEN:
		return on_seen(lock);
	case LOCK_ENDED_WELL:
		return on_ended_well(lock, now);
	case LOCK_BROKE:
		return on_broke(lock, now);
	case LOCK_DUE:
		return on_due(lock, now);
	case LOCK_FOUND:
		if (lock->state != LOCK_OPEN)
			return 0;
		lock->state = LOCK_HELD;
		return tell_yes(lock);
	case LOCK_MISSED:
		lock->told = true;
		return lock->state == LOCK_OPEN ? start(lock, now) : 0;
	case LOCK_RELENTED:
		return lock->state == LOCK_WAITING ? open_up(lock) : 0;
	}
	return 0;
}
