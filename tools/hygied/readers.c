/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader thread; see readers.h. The thread owns its PC/SC context and everything in
 * struct watch; the event loop sees nothing but the records in the pipe.
 */
#include "hygied/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <winscard.h>

#define READERS_MAX 16   /* pcsc-lite's PCSCLITE_MAX_READERS_CONTEXTS */
#define WAIT_MS 86400000 /* with INFINITE the library wakes up each minute */
#define RETRY_MS 500     /* while pcscd's socket is there and nobody answers */
#define SETTLE_MS 50     /* doubled each time */
#define SETTLE_ROUNDS 8  /* so often, 13 s in all */
#define PNP_NAME "\\\\?PnP?\\Notification"
#define PCSCD_FOLDER "/run/pcscd"
#define PCSCD_SOCKET "/run/pcscd/pcscd.comm"
#define PCSCD_FOLDER_PARENT "/run"

struct readers {
	pthread_t thread;
	bool thread_runs;
	int pipe_read, pipe_write;
	int stop_event; /* loop to thread */
	int done_event; /* thread to loop */
	atomic_bool stopping;
	_Atomic SCARDCONTEXT context; /* for SCardCancel from the loop; 0 when none */
	sd_event_source *source;
	reader_callback callback;
	void *callback_context;
};

/*
 * What the thread knows: state 0 is the PnP pseudo-reader, which counts among the states
 * that one call takes: the last reader of a full pcscd is not watched.
 */
struct watch {
	SCARD_READERSTATE states[READERS_MAX];
	char names[READERS_MAX][READER_NAME_MAX];
	DWORD count;
	bool unsettled;  /* one of them has no state yet */
	unsigned rounds; /* of looking again, since the list changed */
};

/* The pipe takes whole records (PIPE_BUF); the loop drains it, so blocking is short. */
static void tell(const struct readers *readers, const struct reader_event *event)
{
	ssize_t n;

	do {
		n = write(readers->pipe_write, event, sizeof(*event));
	} while (n < 0 && errno == EINTR);
}

static void tell_service(const struct readers *readers, enum reader_change change)
{
	struct reader_event event = { .change = change };

	tell(readers, &event);
}

static void tell_reader(const struct readers *readers, const char *name,
			const SCARD_READERSTATE *state)
{
	struct reader_event event = { .change = READER_CHANGED };

	(void)strncpy(event.name, name, sizeof(event.name) - 1);
	event.present = (state->dwEventState & SCARD_STATE_PRESENT) != 0;
	event.mute = (state->dwEventState & SCARD_STATE_MUTE) != 0;
	event.count = (uint32_t)(state->dwEventState >> 16);
	event.atr_size = state->cbAtr <= ATR_MAX ? state->cbAtr : 0;
	memcpy(event.atr, state->rgbAtr, event.atr_size);
	tell(readers, &event);
}

static void tell_gone(const struct readers *readers, const char *name)
{
	struct reader_event event = { .change = READER_GONE };

	(void)strncpy(event.name, name, sizeof(event.name) - 1);
	tell(readers, &event);
}

static DWORD watch_find(const struct watch *watch, const char *name)
{
	for (DWORD i = 1; i < watch->count; i++)
		if (strcmp(watch->names[i], name) == 0)
			return i;
	return 0;
}

static bool listed(const char *list, const char *name)
{
	for (const char *at = list; *at; at += strlen(at) + 1)
		if (strcmp(at, name) == 0)
			return true;
	return false;
}

static void watch_drop(struct watch *watch, DWORD index)
{
	DWORD last = --watch->count;

	if (index != last) {
		memcpy(watch->names[index], watch->names[last], READER_NAME_MAX);
		watch->states[index] = watch->states[last];
	}
	for (DWORD i = 0; i < watch->count; i++)
		watch->states[i].szReader = watch->names[i];
}

static void watch_add(struct watch *watch, const char *name)
{
	DWORD index = watch->count;

	if (index >= READERS_MAX || strlen(name) >= READER_NAME_MAX)
		return;
	watch->count++;
	watch->rounds = 0;
	memcpy(watch->names[index], name, strlen(name) + 1);
	watch->states[index] = (SCARD_READERSTATE){ .szReader = watch->names[index] };
}

/* Brings the watch in line with pcscd's list of readers. */
static LONG watch_refresh(struct readers *readers, struct watch *watch,
			  SCARDCONTEXT context)
{
	char list[READERS_MAX * READER_NAME_MAX + 1] = "";
	DWORD size = sizeof(list);
	LONG rv;

	rv = SCardListReaders(context, NULL, list, &size);
	if (rv != SCARD_S_SUCCESS && rv != SCARD_E_NO_READERS_AVAILABLE)
		return rv;
	if (rv == SCARD_E_NO_READERS_AVAILABLE)
		list[0] = '\0';
	for (DWORD i = watch->count; i-- > 1;) {
		if (listed(list, watch->names[i]))
			continue;
		tell_gone(readers, watch->names[i]);
		watch_drop(watch, i);
	}
	for (const char *at = list; *at; at += strlen(at) + 1)
		if (watch_find(watch, at) == 0)
			watch_add(watch, at);
	return SCARD_S_SUCCESS;
}

/*
 * A reader that was just plugged in is neither empty nor not for a moment, and pcscd 1.9.9
 * wakes nobody when that is over: whoever takes it for empty misses a card that was in.
 */
static bool is_settled(const SCARD_READERSTATE *state)
{
	return (state->dwEventState & (SCARD_STATE_PRESENT | SCARD_STATE_EMPTY |
				       SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE)) !=
	       0;
}

static int settle_ms(const struct watch *watch)
{
	return SETTLE_MS << (watch->rounds < SETTLE_ROUNDS ? watch->rounds
							   : SETTLE_ROUNDS - 1);
}

static void watch_settle(const struct readers *readers, const struct watch *watch)
{
	struct pollfd stop = { .fd = readers->stop_event, .events = POLLIN };

	(void)poll(&stop, 1, settle_ms(watch));
}

/* Reports every reader that changed; true when the list itself may have. */
static bool watch_take(struct readers *readers, struct watch *watch)
{
	bool relist = false;

	watch->unsettled = false;
	for (DWORD i = 0; i < watch->count; i++) {
		SCARD_READERSTATE *state = &watch->states[i];

		if (i > 0 && !is_settled(state)) {
			state->dwCurrentState = SCARD_STATE_UNAWARE;
			watch->unsettled = true;
			continue;
		}
		if (!(state->dwEventState & SCARD_STATE_CHANGED))
			continue;
		if (i == 0 || (state->dwEventState &
			       (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE)))
			relist = true;
		else
			tell_reader(readers, watch->names[i], state);
		state->dwCurrentState = state->dwEventState;
	}
	return relist;
}

/*
 * pcscd 1.9.9 tells nobody of a reader that comes between the list and the wait for the
 * next change. Readers come together (a hub, a machine that wakes up, pcscd's start): after
 * each change of the list it is read again a few times, and only then the wait is long.
 */
static void watch_run(struct readers *readers, SCARDCONTEXT context)
{
	struct watch watch = { .count = 1 };

	memcpy(watch.names[0], PNP_NAME, sizeof(PNP_NAME));
	watch.states[0].szReader = watch.names[0];
	while (!readers->stopping &&
	       watch_refresh(readers, &watch, context) == SCARD_S_SUCCESS) {
		const bool again = watch.rounds < SETTLE_ROUNDS;
		bool changed;
		LONG rv;

		rv = SCardGetStatusChange(context,
					  again ? (DWORD)settle_ms(&watch) : WAIT_MS,
					  watch.states, watch.count);
		if (rv != SCARD_S_SUCCESS && rv != SCARD_E_TIMEOUT &&
		    rv != SCARD_E_UNKNOWN_READER)
			return;
		changed = watch_take(readers, &watch) || rv == SCARD_E_UNKNOWN_READER;
		if (watch.unsettled)
			watch_settle(readers, &watch);
		if (changed)
			watch.rounds = 0;
		else if (again && (watch.unsettled || rv == SCARD_E_TIMEOUT))
			watch.rounds++;
	}
}

/*
 * Waits until something is made in pcscd's folder, or the folder itself, or the end. A
 * socket that is there already and refuses (not listened to yet, or all of pcscd's places
 * are taken) says nothing when that changes: then it is tried again in a moment.
 */
static void wait_for_service(const struct readers *readers, int inotify)
{
	struct pollfd fds[] = { { .fd = inotify, .events = POLLIN },
				{ .fd = readers->stop_event, .events = POLLIN } };
	char buffer[4096] __attribute__((aligned(8)));

	(void)inotify_add_watch(inotify, PCSCD_FOLDER, IN_CREATE | IN_MOVED_TO);
	while (poll(fds, array_size(fds),
		    access(PCSCD_SOCKET, F_OK) == 0 ? RETRY_MS : -1) < 0 &&
	       errno == EINTR)
		;
	if (fds[0].revents & POLLIN)
		(void)!read(inotify, buffer, sizeof(buffer));
}

static void serve(struct readers *readers, int inotify)
{
	SCARDCONTEXT context;

	if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) !=
	    SCARD_S_SUCCESS) {
		wait_for_service(readers, inotify);
		return;
	}
	readers->context = context;
	tell_service(readers, READERS_SERVICE_UP);
	watch_run(readers, context);
	readers->context = 0;
	tell_service(readers, READERS_SERVICE_DOWN);
	(void)SCardReleaseContext(context);
}

static void *thread_main(void *argument)
{
	struct readers *readers = argument;
	cleanup_close int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	/* Watched before the first attempt, so that nothing made meanwhile is missed. */
	if (inotify >= 0) {
		(void)inotify_add_watch(inotify, PCSCD_FOLDER_PARENT,
					IN_CREATE | IN_MOVED_TO);
		(void)inotify_add_watch(inotify, PCSCD_FOLDER, IN_CREATE | IN_MOVED_TO);
	}
	while (!readers->stopping)
		serve(readers, inotify);
	(void)eventfd_write(readers->done_event, 1);
	return NULL;
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct readers *readers = userdata;
	struct reader_event event;

	(void)source;
	(void)revents;
	while (read(fd, &event, sizeof(event)) == (ssize_t)sizeof(event))
		readers->callback(readers->callback_context, &event);
	return 0;
}

static int open_pipe(struct readers *readers)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	readers->pipe_read = fds[0];
	readers->pipe_write = fds[1];
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	readers->stop_event = eventfd(0, EFD_CLOEXEC);
	if (readers->stop_event < 0)
		return -errno;
	readers->done_event = eventfd(0, EFD_CLOEXEC);
	return readers->done_event < 0 ? -errno : 0;
}

/* The thread takes no signals: they belong to the event loop. */
static int start_thread(struct readers *readers)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&readers->thread, NULL, thread_main, readers);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	readers->thread_runs = true;
	return 0;
}

int readers_start(sd_event *loop, reader_callback callback, void *context,
		  struct readers **ret_readers)
{
	struct readers *readers;
	int r;

	readers = calloc(1, sizeof(*readers));
	if (!readers)
		return -ENOMEM;
	*readers = (struct readers){ .pipe_read = -1,
				     .pipe_write = -1,
				     .stop_event = -1,
				     .done_event = -1,
				     .callback = callback,
				     .callback_context = context };
	r = open_pipe(readers);
	if (r >= 0)
		r = sd_event_add_io(loop, &readers->source, readers->pipe_read, EPOLLIN,
				    on_pipe, readers);
	if (r >= 0)
		r = start_thread(readers);
	if (r < 0) {
		readers_free(readers);
		return r;
	}
	*ret_readers = readers;
	return 0;
}

static void stop_thread(struct readers *readers)
{
	SCARDCONTEXT context;

	struct pollfd done = { .fd = readers->done_event, .events = POLLIN };

	readers->stopping = true;
	(void)eventfd_write(readers->stop_event, 1);
	/*
	 * The library loses a cancel that comes just before the wait: say it until heard.
	 */
	do {
		context = readers->context;
		if (context)
			(void)SCardCancel(context);
	} while (poll(&done, 1, 10) == 0);
	(void)pthread_join(readers->thread, NULL);
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	if (readers->thread_runs)
		stop_thread(readers);
	(void)sd_event_source_disable_unref(readers->source);
	cleanup_close_function(&readers->pipe_read);
	cleanup_close_function(&readers->pipe_write);
	cleanup_close_function(&readers->stop_event);
	cleanup_close_function(&readers->done_event);
	free(readers);
}
