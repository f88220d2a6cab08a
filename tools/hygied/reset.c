/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reset and probe of a card in a thread; see reset.h. Thread and owner share one struct
 * job that the last of them frees: a thread stuck behind another program's transaction
 * cannot be stopped, only forgotten.
 */
#include "hygied/reset.h"

#include "hygied/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <winscard.h>

struct job {
	struct job *next; /* of `probes` */
	atomic_int owners;
	atomic_bool done;
	atomic_bool ended;
	int event; /* written by the thread when it has ended, never read */
	enum reset_kind kind;
	char reader[READER_NAME_MAX];
};

/*
 * Probes that may still be stuck. A second one for the same reader joins the first, or
 * each login would cost a thread for as long as a program holds that reader. The loop's
 * alone.
 */
static struct job *probes;

struct reset {
	struct job *job;
	int event; /* a duplicate: the loop takes each descriptor once */
	sd_event_source *source;
	reset_callback callback;
	void *context;
};

static void job_unref(struct job *job)
{
	if (atomic_fetch_sub(&job->owners, 1) > 1)
		return;
	cleanup_close_function(&job->event);
	free(job);
}

static bool probe_card(SCARDHANDLE card)
{
	LONG rv = SCardBeginTransaction(card);

	if (rv == SCARD_W_RESET_CARD) {
		/* Somebody else's reset is no obstacle. */
		DWORD protocol;

		rv = SCardReconnect(card, SCARD_SHARE_SHARED,
				    SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
				    SCARD_LEAVE_CARD, &protocol);
		if (rv == SCARD_S_SUCCESS)
			rv = SCardBeginTransaction(card);
	}
	return rv == SCARD_S_SUCCESS &&
	       SCardEndTransaction(card, SCARD_LEAVE_CARD) == SCARD_S_SUCCESS;
}

static bool job_run(const struct job *job)
{
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol;
	bool done = false;

	if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) !=
	    SCARD_S_SUCCESS)
		return false;
	if (SCardConnect(context, job->reader, SCARD_SHARE_SHARED,
			 SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card,
			 &protocol) == SCARD_S_SUCCESS) {
		DWORD end = job->kind == RESET_CARD ? SCARD_RESET_CARD : SCARD_LEAVE_CARD;

		done = job->kind == RESET_CARD || probe_card(card);
		if (SCardDisconnect(card, end) != SCARD_S_SUCCESS)
			done = false;
	}
	(void)SCardReleaseContext(context);
	return done;
}

static void *thread_main(void *argument)
{
	struct job *job = argument;

	job->done = job_run(job);
	job->ended = true;
	(void)eventfd_write(job->event, 1);
	job_unref(job);
	return NULL;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct reset *reset = userdata;
	bool done = reset->job->done;

	(void)fd;
	(void)revents;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	reset->callback(reset->context, done);
	return 0;
}

/* Detached and deaf to signals, which belong to the event loop. */
static int start_thread(struct job *job)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_fetch_add(&job->owners, 1);
	error = pthread_create(&thread, &attributes, thread_main, job);
	if (error)
		atomic_fetch_sub(&job->owners, 1);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return -error;
}

static int job_new(const char *reader, enum reset_kind kind, struct job **ret_job)
{
	struct job *job;

	if (strlen(reader) >= READER_NAME_MAX)
		return -ENAMETOOLONG;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->owners = 1;
	job->kind = kind;
	memcpy(job->reader, reader, strlen(reader) + 1);
	job->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->event < 0) {
		int error = -errno;

		job_unref(job);
		return error;
	}
	*ret_job = job;
	return 0;
}

/*
 * The running probe of that reader, with a reference for the caller; NULL if there is
 * none.
 */
static struct job *probe_join(const char *reader)
{
	struct job **at = &probes;

	while (*at) {
		struct job *job = *at;

		if (job->ended) {
			*at = job->next;
			job_unref(job);
			continue;
		}
		if (strcmp(job->reader, reader) == 0) {
			atomic_fetch_add(&job->owners, 1);
			return job;
		}
		at = &job->next;
	}
	return NULL;
}

static void probe_remember(struct job *job)
{
	atomic_fetch_add(&job->owners, 1);
	job->next = probes;
	probes = job;
}

/* A job whose thread runs. */
static int job_start(const char *reader, enum reset_kind kind, struct job **ret_job)
{
	struct job *job = kind == PROBE_READER ? probe_join(reader) : NULL;
	int r;

	if (job) {
		*ret_job = job;
		return 0;
	}
	r = job_new(reader, kind, &job);
	if (!job)
		return r;
	r = start_thread(job);
	if (r < 0) {
		job_unref(job);
		return r;
	}
	if (kind == PROBE_READER)
		probe_remember(job);
	*ret_job = job;
	return 0;
}

int reset_start(sd_event *loop, const char *reader, enum reset_kind kind,
		reset_callback callback, void *context, struct reset **ret_reset)
{
	struct reset *reset;
	int r;

	reset = calloc(1, sizeof(*reset));
	if (!reset)
		return -ENOMEM;
	reset->callback = callback;
	reset->context = context;
	reset->event = -1;
	r = job_start(reader, kind, &reset->job);
	if (reset->job) {
		reset->event = fcntl(reset->job->event, F_DUPFD_CLOEXEC, 3);
		r = reset->event < 0 ? -errno
				     : sd_event_add_io(loop, &reset->source, reset->event,
						       EPOLLIN, on_event, reset);
	}
	if (r < 0) {
		reset_free(reset);
		return r;
	}
	*ret_reset = reset;
	return 0;
}

bool reset_has_ended(const struct reset *reset)
{
	return reset->job->ended;
}

void reset_free(struct reset *reset)
{
	if (!reset)
		return;
	(void)sd_event_source_disable_unref(reset->source);
	cleanup_close_function(&reset->event);
	if (reset->job)
		job_unref(reset->job);
	free(reset);
}
