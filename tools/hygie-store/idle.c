/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeing use by a fanotify mark that is taken away by the first event; see idle.h.
 */
#include "hygie-store/idle.h"

#include "hygie-store/listen.h"
#include "libhygie/deadline.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/fanotify.h>

#define SPANS 4 /* in the idle time */

struct idle {
	sd_event *loop;
	const struct subject *subject;
	int events;
	bool listens;
	uint64_t after, used; /* microseconds; of monotonic time */
	sd_event_source *on_events, *timer;
	idle_callback callback;
	void *context;
};

/* Copies that were made since are heard as well. 1, 0, negative errno. */
static int listen_on(const struct idle *idle)
{
	return listen_begin(idle->events, idle->subject,
			    FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE);
}

/* What cannot be reached counts as used: it is looked for again in the next span. */
static int listen_again(struct idle *idle)
{
	int r = listen_on(idle);

	idle->used = monotonic_now();
	idle->listens = r > 0;
	return r;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct idle *idle = userdata;

	(void)source;
	(void)revents;
	listen_end(fd);
	idle->listens = false;
	(void)listen_drain(fd);
	return 0;
}

static int on_span(sd_event_source *source, uint64_t usec, void *userdata);

static int begin_span(struct idle *idle)
{
	uint64_t span = idle->after / SPANS;

	idle->timer = sd_event_source_disable_unref(idle->timer);
	return sd_event_add_time_relative(idle->loop, &idle->timer, CLOCK_MONOTONIC, span,
					  span / 10, on_span, idle);
}

/* The callback comes last: it may free us. */
static int on_span(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct idle *idle = userdata;
	int r = begin_span(idle);

	(void)source;
	(void)usec;
	if (!idle->listens)
		return r < 0 ? r : listen_again(idle);
	if (r >= 0)
		r = listen_on(idle);
	if (monotonic_now() - idle->used >= idle->after)
		idle->callback(idle->context);
	return r;
}

int idle_new(sd_event *loop, const struct subject *subject, uint64_t after_us,
	     idle_callback callback, void *context, struct idle **ret_idle)
{
	struct idle *idle = calloc(1, sizeof(*idle));
	int r;

	if (!idle)
		return -ENOMEM;
	idle->loop = loop;
	idle->after = after_us;
	idle->callback = callback;
	idle->context = context;
	idle->subject = subject;
	idle->events = -1;
	r = listen_new(&idle->events);
	if (r == 0)
		r = listen_again(idle);
	if (r >= 0)
		r = sd_event_add_io(loop, &idle->on_events, idle->events, EPOLLIN,
				    on_events, idle);
	if (r >= 0)
		r = begin_span(idle);
	if (r < 0) {
		idle_free(idle);
		return r;
	}
	*ret_idle = idle;
	return 0;
}

void idle_free(struct idle *idle)
{
	if (!idle)
		return;
	(void)sd_event_source_disable_unref(idle->on_events);
	(void)sd_event_source_disable_unref(idle->timer);
	if (idle->events >= 0)
		(void)close(idle->events);
	free(idle);
}
