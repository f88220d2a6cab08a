/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie session-lock: runs the site's locker when logind's Lock is heard, and tells logind
 * that the session is locked while the locker really holds the screen. It runs in the
 * session, as its user, until the session ends.
 */
#include "busy_notice.h"
#include "command.h"
#include "countdown.h"
#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/protocol.h"
#include "locker.h"
#include "locker_record.h"
#include "locker_run.h"
#include "output.h"
#include "own_session.h"
#include "screen_lock.h"
#include "session_bus.h"
#include "session_link.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

struct session_lock {
	const char *socket;
	char session[HYGIE_SESSION_MAX];
	struct locker locker;
	struct screen_lock screen;
	sd_event *loop;
	sd_event_source *timer;
	sd_event_source *found[LOCKER_PIDS_MAX]; /* processes of a locker of before */
	struct locker_run *run;
	struct locker_record *record; /* NULL: there is no folder for it */
	struct session_bus *bus;
	struct session_link *link;
	struct countdown *countdown;
	struct busy_notice *busy;
	struct session_view view; /* what hygied said last */
	bool begun;               /* what logind thinks of the session is known */
	bool crying;              /* hygied is to be asked for help */
	bool leaving;             /* ends with the lock */
};

/* What waits until logind knows the truth: to cry for help, and to leave. */
static void settle(struct session_lock *self)
{
	if (!session_bus_is_settled(self->bus))
		return;
	if (self->crying && !self->view.locked) {
		self->crying = false;
		session_link_cry(self->link);
	}
	if (self->leaving && self->screen.state == LOCK_OPEN)
		(void)sd_event_exit(self->loop, 0);
}

static bool start(struct session_lock *self)
{
	int r = locker_run_start(self->run, &self->locker);

	if (r < 0)
		log_error("%s cannot be run: %s", self->locker.argv[0], error_text(-r));
	return r >= 0;
}

static void step(struct session_lock *self, enum lock_event event);

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session_lock *self = userdata;

	(void)source;
	(void)usec;
	self->timer = sd_event_source_disable_unref(self->timer);
	step(self, LOCK_DUE);
	return 0;
}

static void set_timer(struct session_lock *self)
{
	self->timer = sd_event_source_disable_unref(self->timer);
	if (self->screen.due > 0 &&
	    sd_event_add_time(self->loop, &self->timer, CLOCK_BOOTTIME, self->screen.due,
			      1000, on_due, self) < 0)
		(void)sd_event_exit(self->loop, -ENOMEM);
}

static void act(struct session_lock *self, unsigned acts)
{
	if (acts & LOCK_TELL_YES)
		session_bus_tell(self->bus, true);
	if (acts & LOCK_TELL_NO)
		session_bus_tell(self->bus, false);
	if (acts & LOCK_COMPLAIN) {
		log_error("%s does not hold the screen: hygied is asked to cover it",
			  self->locker.argv[0]);
		self->crying = true;
	}
}

static void step(struct session_lock *self, enum lock_event event)
{
	unsigned acts = screen_lock_step(&self->screen, event, boottime_now());

	while ((acts & LOCK_START) && !start(self)) {
		act(self, acts);
		acts = screen_lock_step(&self->screen, LOCK_BROKE, boottime_now());
	}
	act(self, acts);
	set_timer(self);
	settle(self);
}

/* The locker's side. */
static void on_seen(void *context)
{
	struct session_lock *self = context;
	pid_t pids[LOCKER_PIDS_MAX];

	locker_record_write(self->record, pids, locker_run_pids(self->run, pids));
	step(self, LOCK_SEEN);
	log_info("%s holds the screen", self->locker.argv[0]);
}

static void on_locker_ended(void *context, bool well)
{
	struct session_lock *self = context;
	bool held = self->screen.state == LOCK_HELD;

	if (!well)
		log_warning("%s ended without unlocking", self->locker.argv[0]);
	else if (held || self->screen.blind)
		log_info("%s ended: the screen is open", self->locker.argv[0]);
	else
		log_warning("%s ended before it was seen to hold the screen",
			    self->locker.argv[0]);
	if (well)
		locker_record_write(self->record, NULL, 0);
	step(self, well ? LOCK_ENDED_WELL : LOCK_BROKE);
}

static const struct locker_listener locker_listener = {
	.seen = on_seen,
	.ended = on_locker_ended,
};

static void forget_found(struct session_lock *self)
{
	for (size_t i = 0; i < LOCKER_PIDS_MAX; i++)
		self->found[i] = sd_event_source_disable_unref(self->found[i]);
}

/* How a process ended that was not ours nobody tells: its lock is set up anew. */
static int on_found_ended(sd_event_source *source, int fd, uint32_t events,
			  void *userdata)
{
	struct session_lock *self = userdata;

	(void)source;
	(void)fd;
	(void)events;
	forget_found(self);
	log_info("the locker of before has ended; %s locks the screen again",
		 self->locker.argv[0]);
	step(self, LOCK_BROKE);
	return 0;
}

/* Whether a locker that another one of us had started holds the screen. */
static bool find_locker(struct session_lock *self)
{
	int fds[LOCKER_PIDS_MAX];
	size_t count = locker_record_read(self->record, fds);
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		if (r >= 0)
			r = sd_event_add_io(self->loop, &self->found[i], fds[i], EPOLLIN,
					    on_found_ended, self);
		if (r >= 0)
			(void)sd_event_source_set_io_fd_own(self->found[i], 1);
		else
			(void)close(fds[i]);
	}
	if (r < 0)
		forget_found(self);
	return count > 0 && r >= 0;
}

/* logind's side. */
static void on_lock(void *context)
{
	step(context, LOCK_ASKED);
}

static void on_unlock(void *context)
{
	(void)context;
	log_info("Unlock is not followed: only who can open the locker opens the screen");
}

/* What is true is told again to a logind that forgot, or did not hear it. */
static void on_hint(void *context, bool locked)
{
	struct session_lock *self = context;

	log_info("Lock of session %s is heard", self->session);
	if (self->begun && !self->screen.blind && locked != self->screen.told)
		session_bus_tell(self->bus, self->screen.told);
	if (self->begun || self->screen.blind) {
		self->begun = true;
		return;
	}
	self->begun = true;
	if (find_locker(self))
		step(self, LOCK_FOUND);
	else if (locked)
		step(self, LOCK_MISSED);
}

static void on_settled(void *context)
{
	settle(context);
}

static void on_session_ended(void *context)
{
	struct session_lock *self = context;

	log_info("session %s has ended", self->session);
	(void)sd_event_exit(self->loop, 0);
}

static const struct session_listener session_listener = {
	.lock = on_lock,
	.unlock = on_unlock,
	.hint = on_hint,
	.settled = on_settled,
	.ended = on_session_ended,
};

/* hygied's side: a Lock may have been sent while nobody heard it. */
static void on_telling(void *context, const struct session_view *view)
{
	struct session_lock *self = context;
	bool changed = strcmp(self->view.phase, view->phase) != 0;
	bool was_uncovered = strcmp(self->view.phase, "not locked") == 0;
	bool uncovered = strcmp(view->phase, "not locked") == 0;

	self->view = *view;
	countdown_set(self->countdown, view->left, view->ends);
	busy_notice_set(self->busy, view->busy, view->busy_count);
	if (uncovered || strcmp(view->phase, "locking") == 0) {
		if (changed && self->screen.state == LOCK_OPEN)
			step(self, LOCK_ASKED);
	} else if (was_uncovered && strcmp(view->phase, "card in") == 0) {
		step(self, LOCK_RELENTED);
	}
	settle(self);
}

/* The lock stays, and what is told of it stays true: so does this process. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *userdata)
{
	struct session_lock *self = userdata;

	(void)source;
	(void)info;
	if (self->leaving || self->screen.state != LOCK_HELD)
		return sd_event_exit(self->loop, 0);
	self->leaving = true;
	log_info("ends when the screen is open again");
	return 0;
}

static int catch_signals(struct session_lock *self)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t set;
	int r = 0;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < array_size(signals); i++)
		(void)sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r >= 0 && i < array_size(signals); i++)
		r = sd_event_add_signal(self->loop, NULL, signals[i], on_signal, self);
	return r;
}

static int begin(struct session_lock *self)
{
	int r = sd_event_default(&self->loop);

	if (r >= 0)
		r = catch_signals(self);
	if (r >= 0)
		r = countdown_new(self->loop, &self->countdown);
	if (r >= 0)
		r = busy_notice_new(self->loop, &self->busy);
	if (r >= 0)
		r = locker_run_new(self->loop, &locker_listener, self, &self->run);
	if (r >= 0)
		r = session_bus_start(self->loop, self->session, &session_listener, self,
				      &self->bus);
	if (r >= 0)
		r = session_link_start(self->loop, self->socket, self->session,
				       on_telling, self, &self->link);
	return r;
}

static void end(struct session_lock *self)
{
	session_link_free(self->link);
	session_bus_free(self->bus);
	locker_run_free(self->run);
	countdown_free(self->countdown);
	busy_notice_free(self->busy);
	forget_found(self);
	(void)sd_event_source_disable_unref(self->timer);
	locker_record_close(self->record);
	(void)sd_event_unref(self->loop);
}

static int run(struct session_lock *self)
{
	int r = begin(self);

	if (r >= 0)
		r = sd_event_loop(self->loop);
	if (r < 0)
		log_error("%s", error_text(-r));
	end(self);
	return r < 0 ? outcome_exit_status(HYGIE_FAULT) : 0;
}

int command_session_lock(const struct options *options)
{
	struct session_lock self = { .socket = options->socket };
	cleanup_free char *text = NULL;
	int r;

	log_open("hygie", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	r = locker_choose(options, &text, &self.locker);
	if (r != 0)
		return r;
	if (!own_session(self.session))
		return output_usage(options,
				    N_("This program runs in no session of yours that "
				       "could be locked."));
	r = locker_record_open(self.session, &self.record);
	if (r == -EWOULDBLOCK)
		return output_usage(options,
				    N_("Another hygie session-lock is in this session "
				       "already."));
	if (r < 0)
		log_warning("no place under XDG_RUNTIME_DIR for what must outlive this "
			    "process: %s",
			    error_text(-r));
	self.screen.blind = self.locker.evidence == LOCKER_SEEN_BY_NOTHING;
	if (self.screen.blind)
		log_warning("nothing tells whether %s holds the screen: LockedHint is "
			    "left alone; see --seen-by in hygie(1)",
			    self.locker.argv[0]);
	return run(&self);
}
