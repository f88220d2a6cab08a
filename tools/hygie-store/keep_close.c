/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a store: unmounting it, for as long as it takes, and the end of what encrypts it.
 */
#include "hygie-store/keep_own.h"
#include "hygie-store/limit.h"
#include "hygie-store/mounted.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <string.h>

#define ENDING_US 2000000ull
#define RETRY_US 10000000ull
#define FORCED_US 5000000ull /* from SIGTERM to the end of the key */

static void try_close(void *context);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void set_timer(struct keep *keep, uint64_t wait)
{
	keep->timer = sd_event_source_disable_unref(keep->timer);
	if (sd_event_add_time_relative(keep->loop, &keep->timer, CLOCK_MONOTONIC, wait, 0,
				       on_retry, keep) < 0)
		log_error("no memory for a timer");
}

static const char *program(const struct keep *keep)
{
	return cipher_program(keep->subject.backend);
}

static bool are_same(const struct holders *a, const struct holders *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->holder[i].pid != b->holder[i].pid ||
		    strcmp(a->holder[i].file, b->holder[i].file) != 0)
			return false;
	return true;
}

/* Looks who it is, and tells what has changed. */
static void look_for_holders(struct keep *keep, bool first)
{
	static struct holders found; /* too large for a stack */

	if (holders_find(&keep->subject, cipher_pid(keep->cipher), &found) < 0)
		found.count = 0;
	if (first || !are_same(&found, &keep->holders)) {
		keep->holders = found;
		keep_say(keep, 0, report_busy(&found));
	}
}

void keep_begin_ending(struct keep *keep)
{
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	keep->lasts = false;
	keep_set_state(keep, ENDING);
	set_timer(keep, ENDING_US);
	cipher_look(keep->cipher);
}

bool keep_cut_ending_short(struct keep *keep)
{
	if (keep->subject.backend != BACKEND_FSCRYPT || keep->side || keep->cut ||
	    keep->again)
		return false;
	keep->again = true;
	cipher_kill(keep->cipher);
	set_timer(keep, ENDING_US);
	return true;
}

static const char *why_it_lasts(const struct keep *keep)
{
	if (keep->cut)
		return "was killed, and goes on";
	if (keep->subject.backend == BACKEND_FSCRYPT)
		return "goes on: files of it are in use elsewhere, or the disk is slow";
	return "goes on: another mount namespace has it still";
}

/*
 * Its end is an event (on_ended); what keeps it alive meanwhile is looked after: whenever one
 * of the programs ends, and from time to time.
 */
static void go_on_ending(void *context)
{
	struct keep *keep = context;
	bool first = !keep->lasts, look;

	if (keep->again && keep->timer) /* its end is awaited, for that long */
		return;
	keep->lasts = true;
	if (first)
		log_warning("%s: it is unmounted here, but %s %s", keep->subject.mount,
			    program(keep), why_it_lasts(keep));
	if (mounted_unmount(&keep->subject) < 0 && !keep->cut)
		log_warning("%s: it is mounted here anew", keep->subject.mount);
	cipher_look(keep->cipher);
	if (first && vigil_new(keep->loop, NULL, go_on_ending, keep, &keep->vigil) < 0)
		log_error("no memory to wait for its end");
	look = first || !keep->vigil || vigil_wants_holders(keep->vigil);
	if (look)
		look_for_holders(keep, first);
	if (keep->waiting && !keep_cut_ending_short(keep)) {
		keep->again = false;
		keep_forget_waiting(keep);
		keep_fail(keep, keep->waiting_peer, KEEPER_WRONG_TIME, keep_word(keep));
	}
	if (keep->vigil)
		vigil_go_on(keep->vigil, look ? &keep->holders : NULL);
	else
		set_timer(keep, RETRY_US);
}

/* Watched from now on, so what closes after the next try is not missed. */
static int watch_and_try(struct keep *keep, int error)
{
	int r;

	if (error != -EBUSY)
		log_warning("%s: it is not unmounted: %s", keep->subject.mount,
			    error_text(-error));
	r = vigil_new(keep->loop, &keep->subject, try_close, keep, &keep->vigil);
	if (r < 0)
		log_error("%s: it is tried again, but not watched: %s",
			  keep->subject.mount, error_text(-r));
	return mounted_unmount(&keep->subject);
}

/* Never given up: as long as it is not unmounted, it is to be. */
static void try_close(void *context)
{
	struct keep *keep = context;
	bool first = !keep->vigil;
	int r = mounted_unmount(&keep->subject);

	if (r < 0 && first)
		r = watch_and_try(keep, r);
	if (r == 0) {
		keep_begin_ending(keep);
		return;
	}
	if (first || vigil_wants_holders(keep->vigil)) {
		look_for_holders(keep, first);
		r = 1;
	}
	if (keep->vigil)
		vigil_go_on(keep->vigil, r > 0 ? &keep->holders : NULL);
	else
		set_timer(keep, RETRY_US);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keep *keep = userdata;

	(void)source;
	(void)usec;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	if (keep->state == ENDING)
		go_on_ending(keep);
	else
		try_close(keep);
	return 0;
}

/* ---- the limit ---- */

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata);

static void set_limit(struct keep *keep, uint64_t wait)
{
	keep->limit = sd_event_source_disable_unref(keep->limit);
	if (sd_event_add_time_relative(keep->loop, &keep->limit, CLOCK_MONOTONIC, wait, 0,
				       on_limit, keep) < 0)
		log_error("no memory for a timer");
}

/* Who holds it is told to end, has five seconds for it, and then there is no store. */
static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	static struct holders told;
	struct keep *keep = userdata;

	(void)source;
	(void)usec;
	keep->limit = sd_event_source_disable_unref(keep->limit);
	if (keep->forced) {
		log_warning("%s: %s is ended, and the key with it", keep->subject.mount,
			    program(keep));
		keep->cut = true;
		cipher_kill(keep->cipher);
		keep_begin_ending(keep);
		return 0;
	}
	keep->forced = true;
	if (limit_terminate(&keep->subject, cipher_pid(keep->cipher), &told) < 0)
		told.count = 0;
	keep_say(keep, 0, report_forced(&told));
	set_limit(keep, FORCED_US);
	return 0;
}

void keep_forget_limit(struct keep *keep)
{
	keep->limit = sd_event_source_disable_unref(keep->limit);
	keep->forced = false;
}

/* ---- idle ---- */

static void on_idle(void *context)
{
	keep_say(context, 0, report_plain(WIRE_KEEPER_IDLE));
}

void keep_forget_idle(struct keep *keep)
{
	idle_free(keep->idle);
	keep->idle = NULL;
}

void keep_watch_idle(struct keep *keep)
{
	int r = 0;

	keep_forget_idle(keep);
	if (keep->idle_ms > 0)
		r = idle_new(keep->loop, &keep->subject, keep->idle_ms * 1000ull, on_idle,
			     keep, &keep->idle);
	if (r < 0)
		log_error("%s: it does not close by itself when it is not used: %s",
			  keep->subject.mount, error_text(-r));
}

/* ---- orders ---- */

void keep_close(struct keep *keep, unsigned peer, uint32_t limit_ms)
{
	switch (keep->state) {
	case OPENING:
		keep->close_asked = true;
		keep->close_limit = limit_ms;
		break;
	case OPEN:
		keep_set_state(keep, CLOSING);
		keep_forget_idle(keep);
		if (limit_ms > 0)
			set_limit(keep, limit_ms * 1000ull);
		try_close(keep);
		break;
	case CLOSING:
	case ENDING:
		keep_say(keep, peer, report_busy(&keep->holders));
		break;
	default:
		keep_say(keep, peer, report_closed(0));
		break;
	}
}

void keep_reprieve(struct keep *keep)
{
	keep_forget_limit(keep);
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	keep->holders.count = 0;
	keep_set_state(keep, OPEN);
}
