/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The countdown; see countdown.h. It wakes up each second while it runs, and never else.
 */
#include "countdown.h"

#include "display.h"
#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"
#include "libhygie/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"
#define SECOND 1000000ull

struct countdown {
	sd_event *loop;
	sd_event_source *tick;
	sd_bus *bus; /* the user's; NULL until it is needed, or where there is none */
	sd_bus_slot *call; /* a notification that was not answered yet */
	uint32_t shown;    /* the number that the desktop gave it; 0: none */
	uint64_t end;      /* monotonic, microseconds; 0: it does not run */
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

static void close_notification(struct countdown *countdown)
{
	if (countdown->bus && countdown->shown > 0)
		(void)sd_bus_call_method_async(countdown->bus, NULL, NAME, PATH, NAME,
					       "CloseNotification", NULL, NULL, "u",
					       countdown->shown);
	countdown->shown = 0;
}

/* One that came too late goes at once. */
static int on_shown(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct countdown *countdown = userdata;

	(void)error;
	countdown->call = sd_bus_slot_unref(countdown->call);
	if (sd_bus_message_is_method_error(answer, NULL) ||
	    sd_bus_message_read(answer, "u", &countdown->shown) < 0)
		return 0;
	if (countdown->end == 0)
		close_notification(countdown);
	return 0;
}

/* Icon, actions and hints as the Desktop Notifications Specification names them. */
static void notify(struct countdown *countdown, const char *text)
{
	if (!countdown->bus || countdown->call)
		return;
	(void)sd_bus_call_method_async(
		countdown->bus, &countdown->call, NAME, PATH, NAME, "Notify", on_shown,
		countdown, "susssasa{sv}i", "Hygie", countdown->shown, "dialog-password",
		tr("Your card is out"), text, 0, 1, "urgency", "y", 2, 0);
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
	notify(countdown, text);
	(void)sd_event_source_set_time(source, countdown->end - (seconds - 1) * SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Never waits for it: what is sent goes out once the bus has greeted us. */
static void open_bus(struct countdown *countdown)
{
	int r;

	if (countdown->bus && sd_bus_is_open(countdown->bus) > 0)
		return;
	countdown->call = sd_bus_slot_unref(countdown->call);
	countdown->shown = 0;
	countdown->bus = sd_bus_close_unref(countdown->bus);
	r = sd_bus_open_user(&countdown->bus);
	if (r >= 0)
		r = sd_bus_attach_event(countdown->bus, countdown->loop, 0);
	if (r < 0)
		countdown->bus = sd_bus_close_unref(countdown->bus);
}

static void say(const struct countdown *countdown)
{
	char text[HYGIE_TEXT_MAX];

	write_text(countdown, seconds_left(countdown), text);
	(void)fputs("hygie: ", stderr);
	display_put(stderr, COLOUR_POOR, text);
	(void)fputc('\n', stderr);
}

static void stop(struct countdown *countdown)
{
	countdown->end = 0;
	countdown->tick = sd_event_source_disable_unref(countdown->tick);
	close_notification(countdown);
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
	open_bus(countdown);
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
	*ret_countdown = countdown;
	return 0;
}

void countdown_free(struct countdown *countdown)
{
	if (!countdown)
		return;
	stop(countdown);
	(void)sd_bus_slot_unref(countdown->call);
	(void)sd_bus_flush(countdown->bus);
	(void)sd_bus_close_unref(countdown->bus);
	free(countdown);
}
