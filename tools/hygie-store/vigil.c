/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting without asking again and again; see vigil.h. The kernel tells of a closed file
 * a moment before it lets the mount go, so after each event a few tries follow, ever
 * further apart.
 */
#include "hygie-store/vigil.h"

#include "hygie-store/listen.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <sys/fanotify.h>
#include <sys/pidfd.h>

#define SLOW_US 10000000ull

/* After an event; the last one looks for the holders anew. */
static const uint64_t steps_us[] = { 5000, 20000, 100000, 500000 };

struct vigil {
	sd_event *loop;
	const struct subject *subject;
	int events;
	sd_event_source *on_events, *timer;
	sd_event_source *ends[HOLDERS_MAX];
	size_t end_count;
	size_t step; /* array_size(steps_us): no event since */
	vigil_callback callback;
	void *context;
};

static void set_timer(struct vigil *vigil);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vigil *vigil = userdata;

	(void)source;
	(void)usec;
	vigil->timer = sd_event_source_disable_unref(vigil->timer);
	if (vigil->step < array_size(steps_us))
		vigil->step++;
	vigil->callback(vigil->context);
	return 0;
}

static void set_timer(struct vigil *vigil)
{
	uint64_t wait =
		vigil->step < array_size(steps_us) ? steps_us[vigil->step] : SLOW_US;

	if (vigil->timer)
		return;
	if (sd_event_add_time_relative(vigil->loop, &vigil->timer, CLOCK_MONOTONIC, wait,
				       wait / 10, on_timer, vigil) < 0)
		log_error("no memory to wait for a busy store");
}

/* Tries that run already go on to their end: an event does not begin them anew. */
static void begin_steps(struct vigil *vigil)
{
	if (vigil->step < array_size(steps_us))
		return;
	vigil->step = 0;
	vigil->timer = sd_event_source_disable_unref(vigil->timer);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct vigil *vigil = userdata;

	(void)fd;
	(void)revents;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	begin_steps(vigil);
	vigil->callback(vigil->context);
	return 0;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct vigil *vigil = userdata;

	(void)source;
	(void)revents;
	if (!listen_drain(fd))
		return 0;
	begin_steps(vigil);
	vigil->callback(vigil->context);
	return 0;
}

/* Also those of copies that were made since. */
static int listen_to_closes(const struct vigil *vigil)
{
	return listen_begin(vigil->events, vigil->subject, FAN_CLOSE);
}

/* Without it, the holders' ends and the timer remain. */
static void watch_closes(struct vigil *vigil)
{
	int r = listen_new(&vigil->events);

	if (r == 0)
		r = listen_to_closes(vigil);
	if (r >= 0)
		r = sd_event_add_io(vigil->loop, &vigil->on_events, vigil->events,
				    EPOLLIN, on_events, vigil);
	if (r < 0)
		log_warning("%s: closed files are not told: %s", vigil->subject->mount,
			    error_text(-r));
}

int vigil_new(sd_event *loop, const struct subject *subject, vigil_callback callback,
	      void *context, struct vigil **ret_vigil)
{
	struct vigil *vigil = calloc(1, sizeof(*vigil));

	if (!vigil)
		return -ENOMEM;
	vigil->loop = loop;
	vigil->subject = subject;
	vigil->events = -1;
	vigil->callback = callback;
	vigil->context = context;
	if (subject)
		watch_closes(vigil);
	*ret_vigil = vigil;
	return 0;
}

static void forget_ends(struct vigil *vigil)
{
	while (vigil->end_count > 0)
		(void)sd_event_source_disable_unref(vigil->ends[--vigil->end_count]);
}

/* Of what cannot be watched the slow timer takes care. */
static void watch_end(struct vigil *vigil, pid_t pid)
{
	sd_event_source **end = &vigil->ends[vigil->end_count];
	int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return;
	if (sd_event_add_io(vigil->loop, end, fd, EPOLLIN, on_end, vigil) < 0) {
		(void)close(fd);
		return;
	}
	(void)sd_event_source_set_io_fd_own(*end, 1);
	vigil->end_count++;
}

void vigil_go_on(struct vigil *vigil, const struct holders *holders)
{
	if (holders) {
		forget_ends(vigil);
		for (size_t i = 0; i < holders->count; i++)
			watch_end(vigil, holders->holder[i].pid);
		if (vigil->on_events && listen_to_closes(vigil) < 0)
			log_warning("closed files are not told");
	}
	set_timer(vigil);
}

bool vigil_wants_holders(const struct vigil *vigil)
{
	return vigil->step == array_size(steps_us);
}

void vigil_free(struct vigil *vigil)
{
	if (!vigil)
		return;
	forget_ends(vigil);
	(void)sd_event_source_disable_unref(vigil->on_events);
	(void)sd_event_source_disable_unref(vigil->timer);
	if (vigil->events >= 0)
		(void)close(vigil->events);
	free(vigil);
}
