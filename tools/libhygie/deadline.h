/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One absolute deadline, made where a request enters and handed down the calls, so that
 * waits do not add up. Monotonic clock, microseconds.
 */
#pragma once

#include <stdint.h>

/* Now, in microseconds of CLOCK_MONOTONIC. */
uint64_t monotonic_now(void);

/* The same of CLOCK_BOOTTIME, on which the time of a suspended machine counts. */
uint64_t boottime_now(void);

/* The moment `milliseconds` from now. */
uint64_t deadline_after(unsigned milliseconds);

/*
 * Milliseconds left until `deadline`, rounded up, 0 once it has passed: fit for poll().
 */
int deadline_left(uint64_t deadline);
