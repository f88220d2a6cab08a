/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The countdown; see countdown.h. It wakes up each second while it runs, and never else.
 */
#include "countdown.h"

#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"
#include "libhygie/text.h"
#include "notification.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SECOND 1000000ull

struct countdown {
	sd_event *loop;
	sd_event_source *tick;
	struct notification *notification;
	uint64_t end; /* monotonic, microseconds; 0: it does not run */
	bool ends;
};

static void write_text(const struct countdown *countdown, uint64_t seconds,
		       char ret_text[HYGIE_TEXT_MAX])
{
	char number[24];
	const char *const arguments[] = { number };

	(void)snprintf(number, sizeof(number), "%" PRIu64, seconds);
	text_render(countdown->ends ? tr("Your card is out. Put it back within {1} s, or "
					 "this session ends.")
				    : tr("Your card is out. Put it back within {1} s, or "
					 "the screen locks."),
		    arguments, 1, ret_text, HYGIE_TEXT_MAX);
}

static uint64_t seconds_left(const struct countdown *countdown)
{
	uint64_t now = monotonic_now();

	return countdown->end > now ? (countdown->end - now + SECOND - 1) / SECOND : 0;
}

/* At the moment at which the number of seconds changes. */
static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct countdown *countdown = userdata;
	uint64_t seconds = seconds_left(countdown);
	char text[HYGIE_TEXT_MAX];

	(void)usec;
	if (seconds == 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	write_text(countdown, seconds, text);
	notification_show(countdown->notification, text);
	(void)sd_event_source_set_time(source, countdown->end - (seconds - 1) * SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void say(const struct countdown *countdown)
{
	char text[HYGIE_TEXT_MAX];

	write_text(countdown, seconds_left(countdown), text);
	output_warning(text);
}

static void stop(struct countdown *countdown)
{
	countdown->end = 0;
	countdown->tick = sd_event_source_disable_unref(countdown->tick);
	notification_hide(countdown->notification);
}

void countdown_set(struct countdown *countdown, unsigned milliseconds, bool ends)
{
	bool runs = countdown->end > 0;

	if (milliseconds == 0) {
		if (runs)
			stop(countdown);
		return;
	}
	countdown->end = monotonic_now() + milliseconds * 1000ull;
	countdown->ends = ends;
	if (!runs)
		say(countdown);
	countdown->tick = sd_event_source_disable_unref(countdown->tick);
	if (sd_event_add_time(countdown->loop, &countdown->tick, CLOCK_MONOTONIC, 0, 1000,
			      on_tick, countdown) < 0)
		log_error("no memory to count the seconds");
}

int countdown_new(sd_event *loop, struct countdown **ret_countdown)
{
	struct countdown *countdown = calloc(1, sizeof(*countdown));

	if (!countdown)
		return -ENOMEM;
	countdown->loop = loop;
	if (notification_new(loop, tr("Your card is out"), &countdown->notification) <
	    0) {
		free(countdown);
		return -ENOMEM;
	}
	*ret_countdown = countdown;
	return 0;
}

void countdown_free(struct countdown *countdown)
{
	if (!countdown)
		return;
	stop(countdown);
	notification_free(countdown->notification);
	free(countdown);
}
