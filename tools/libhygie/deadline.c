/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Absolute deadlines on the monotonic clock; see deadline.h.
 */
#include "libhygie/deadline.h"

#include <limits.h>
#include <time.h>

/* Cannot fail: these clocks exist on every Linux and the pointer is ours. */
static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t monotonic_now(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

uint64_t boottime_now(void)
{
	return clock_now(CLOCK_BOOTTIME);
}

uint64_t deadline_after(unsigned milliseconds)
{
	return monotonic_now() + (uint64_t)milliseconds * 1000;
}

int deadline_left(uint64_t deadline)
{
	uint64_t now = monotonic_now();
	uint64_t left;

	if (deadline <= now)
		return 0;
	left = (deadline - now + 999) / 1000;
	return left > INT_MAX ? INT_MAX : (int)left;
}
