/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seconds that are left to put a card back, before the person's eyes: a notification
 * of the desktop's (org.freedesktop.Notifications), anew each second; and a line on
 * standard error when it begins.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct countdown;

int countdown_new(sd_event *loop, struct countdown **ret_countdown) must_check;
void countdown_free(struct countdown *countdown);

/*
 * `milliseconds` are left from now on; 0: none, the notification goes away. `ends`: the
 * session is ended then, else locked.
 */
void countdown_set(struct countdown *countdown, unsigned milliseconds, bool ends);
