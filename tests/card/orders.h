/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The orders of the control socket. Words are separated by blanks; file names must not
 * hold any. `help` lists the orders.
 */
#pragma once

#include "card/control.h"

/*
 * Performs the order in `line`, which is cut up. Appends the answer to `ret_answer`, or
 * fills `ret_wait` if it comes later.
 */
void order_perform(struct control *control, char *line, struct wait *ret_wait,
		   struct bytes *ret_answer);

/* Whether what was waited for is there, or the time over; then appends the answer. */
bool order_waited(const struct reader *reader, const struct wait *wait,
		  struct bytes *ret_answer);
