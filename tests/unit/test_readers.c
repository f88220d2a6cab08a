/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers: what pcscd 1.9.9 tells nobody. A reader that comes between the list and the wait
 * cannot be had from the real pcscd at will, so its client library is played here: the
 * functions below take the place of libpcsclite's.
 */
#include "unit/cmocka_includes.h"

#include "hygied/readers.h"
#include "libhygie/attributes.h"

#include <pthread.h>
#include <string.h>
#include <winscard.h>

#define LONG_WAIT_MS 3600000 /* more than an hour: for what is told, not for a look */
#define DEADLINE_US 10000000ull

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

/* pcscd's side; under the lock */
static struct {
	const char *gap[12]; /* each comes just after that list, before the wait */
	char readers[64];    /* as SCardListReaders gives them */
	size_t size;         /* of them, without the last NUL */
	unsigned lists;
	unsigned waits_short; /* since the list changed */
	bool waits;           /* a long wait is under way */
	bool cancelled;
	bool told; /* the list changed while it waited */
} pcscd;

static void plug_in(const char *name)
{
	memcpy(pcscd.readers + pcscd.size, name, strlen(name) + 1);
	pcscd.size += strlen(name) + 1;
	pcscd.waits_short = 0;
}

LONG SCardEstablishContext(DWORD scope, LPCVOID first, LPCVOID second,
			   LPSCARDCONTEXT context)
{
	(void)scope;
	(void)first;
	(void)second;
	*context = 1;
	return SCARD_S_SUCCESS;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
	(void)context;
	return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR list, LPDWORD size)
{
	(void)context;
	(void)groups;
	(void)pthread_mutex_lock(&lock);
	assert_true(*size > pcscd.size);
	memcpy(list, pcscd.readers, pcscd.size);
	list[pcscd.size] = '\0';
	*size = pcscd.size + 1;
	if (pcscd.lists < array_size(pcscd.gap) && pcscd.gap[pcscd.lists])
		plug_in(pcscd.gap[pcscd.lists]);
	pcscd.lists++;
	(void)pthread_mutex_unlock(&lock);
	return SCARD_S_SUCCESS;
}

/* True when a reader had no state yet: it is empty. */
static bool give_states(SCARD_READERSTATE *states, DWORD count)
{
	bool changed = false;

	for (DWORD i = 1; i < count; i++) {
		states[i].dwEventState = SCARD_STATE_EMPTY;
		if (states[i].dwCurrentState != SCARD_STATE_UNAWARE)
			continue;
		states[i].dwEventState |= SCARD_STATE_CHANGED;
		changed = true;
	}
	states[0].dwEventState = 0;
	return changed;
}

LONG SCardGetStatusChange(SCARDCONTEXT context, DWORD timeout, SCARD_READERSTATE *states,
			  DWORD count)
{
	LONG rv = SCARD_E_TIMEOUT;

	(void)context;
	(void)pthread_mutex_lock(&lock);
	if (give_states(states, count)) {
		rv = SCARD_S_SUCCESS;
	} else if (timeout < LONG_WAIT_MS) {
		pcscd.waits_short++;
	} else {
		pcscd.waits = true;
		(void)pthread_cond_broadcast(&woken);
		while (!pcscd.cancelled && !pcscd.told)
			(void)pthread_cond_wait(&woken, &lock);
		pcscd.waits = false;
		rv = pcscd.cancelled ? SCARD_E_CANCELLED : SCARD_S_SUCCESS;
		if (pcscd.told)
			states[0].dwEventState = SCARD_STATE_CHANGED;
		pcscd.told = false;
	}
	(void)pthread_mutex_unlock(&lock);
	return rv;
}

LONG SCardCancel(SCARDCONTEXT context)
{
	(void)context;
	(void)pthread_mutex_lock(&lock);
	pcscd.cancelled = true;
	(void)pthread_cond_broadcast(&woken);
	(void)pthread_mutex_unlock(&lock);
	return SCARD_S_SUCCESS;
}

/* The event loop's side */
static char seen[16]; /* the readers' names, a letter each */
static size_t seen_count;
static sd_event *loop;
static struct readers *readers;

static void on_reader(void *context, const struct reader_event *event)
{
	(void)context;
	if (event->change == READER_CHANGED && seen_count < sizeof(seen) - 1)
		seen[seen_count++] = event->name[0];
}

static int begin(void **state)
{
	(void)state;
	memset(&pcscd, 0, sizeof(pcscd));
	memset(seen, 0, sizeof(seen));
	seen_count = 0;
	assert_true(sd_event_new(&loop) >= 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	readers_free(readers);
	loop = sd_event_unref(loop);
	return 0;
}

static void start(void)
{
	assert_int_equal(readers_start(loop, on_reader, NULL, &readers), 0);
}

/* Until these readers were told of; false when nothing more comes. */
static bool wait_seen(const char *names)
{
	int r = 1;

	while (strcmp(seen, names) != 0 && r > 0)
		r = sd_event_run(loop, DEADLINE_US);
	return strcmp(seen, names) == 0;
}

static void wait_for_long_wait(void)
{
	(void)pthread_mutex_lock(&lock);
	while (!pcscd.waits)
		(void)pthread_cond_wait(&woken, &lock);
	(void)pthread_mutex_unlock(&lock);
}

static void test_reader_that_comes_between_list_and_wait_is_found(void **state)
{
	(void)state;
	plug_in("A");
	pcscd.gap[0] = "B";
	start();
	assert_true(wait_seen("AB"));
}

static void test_those_that_come_in_the_gaps_of_later_looks_too(void **state)
{
	(void)state;
	plug_in("A");
	pcscd.gap[0] = "B";
	pcscd.gap[2] = "C";
	pcscd.gap[11] = "D"; /* before the last short wait */
	start();
	assert_true(wait_seen("ABCD"));
}

static void test_nobody_wakes_up_once_all_is_settled(void **state)
{
	unsigned lists;

	(void)state;
	plug_in("A");
	start();
	assert_true(wait_seen("A"));
	wait_for_long_wait();
	lists = pcscd.lists;
	assert_in_range(pcscd.waits_short, 2, 10);
	(void)pthread_mutex_lock(&lock);
	plug_in("B");
	pcscd.told = true;
	(void)pthread_cond_broadcast(&woken);
	(void)pthread_mutex_unlock(&lock);
	assert_true(wait_seen("AB"));
	wait_for_long_wait();
	assert_true(pcscd.lists > lists + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_reader_that_comes_between_list_and_wait_is_found, begin,
			end),
		cmocka_unit_test_setup_teardown(
			test_those_that_come_in_the_gaps_of_later_looks_too, begin, end),
		cmocka_unit_test_setup_teardown(test_nobody_wakes_up_once_all_is_settled,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
