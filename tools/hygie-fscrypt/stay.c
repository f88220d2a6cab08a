/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See stay.h. The kernel tells of an unmounting, and of a closed file, a moment before it
 * lets go: so a few tries follow, ever further apart. No other event tells of files that
 * come free; SIGHUP does, and who sends it looks for them.
 */
#include "hygie-fscrypt/stay.h"

#include "hygie-store/mounted.h"
#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

static const int steps_ms[] = { 5, 20, 100, 500 };

struct stay {
	const struct subject *subject;
	int disk, signals, table;
	bool closing; /* it was seen to be unmounted */
	bool told;
	size_t step; /* array_size(steps_ms): no event since */
	void (*held)(void);
};

static void fill(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGHUP);
}

int stay_prepare(int *ret_signals)
{
	sigset_t set;
	int fd, r;

	fill(&set);
	r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r != 0)
		return -r;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	*ret_signals = fd;
	return 0;
}

bool stay_is_over(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
}

static bool read_signals(int fd)
{
	struct signalfd_siginfo info;
	bool over = false;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		over = over || info.ssi_signo == SIGTERM;
	return over;
}

/* The mounts cannot be looked at: they count as there. */
static bool is_shown(const struct subject *subject)
{
	struct mount_line lines[MOUNTED_MAX];

	return mounted_list(subject, lines) != 0;
}

static int detach(const struct subject *subject)
{
	int r = mounted_detach(subject);

	if (r < 0)
		(void)fprintf(stderr, "%s: it is mounted still: %s\n", subject->mount,
			      error_text(-r));
	return r;
}

/* We are to end: what is in use is in use no longer than its users like. */
static int end_at_once(const struct stay *stay)
{
	int r;

	(void)!detach(stay->subject);
	r = fscrypt_key_remove(stay->disk, &stay->subject->key);
	if (r < 0)
		return r;
	return r > 0 ? STAY_GONE : STAY_HELD;
}

/* Milliseconds until the next try, -1: when something happens. */
static int next_try(struct stay *stay)
{
	if (stay->step < array_size(steps_ms))
		return steps_ms[stay->step++];
	if (!stay->told)
		stay->held();
	stay->told = true;
	return -1;
}

/* 0: it goes on, and `ret_wait`; else how it ended. */
static int look(struct stay *stay, int *ret_wait)
{
	int r;

	*ret_wait = -1;
	if (!stay->closing && is_shown(stay->subject))
		return 0;
	stay->closing = true;
	r = fscrypt_key_remove(stay->disk, &stay->subject->key);
	if (r != 0)
		return r > 0 ? STAY_GONE : r;
	*ret_wait = next_try(stay);
	return 0;
}

static int go_on(struct stay *stay)
{
	struct pollfd polled[] = {
		{ .fd = stay->signals, .events = POLLIN },
		{ .fd = stay->table, .events = POLLPRI },
	};
	int wait, r;

	while ((r = look(stay, &wait)) == 0) {
		/* Once it is unmounted, other mounts are nobody's business here. */
		int count = poll(polled, stay->closing ? 1 : 2, wait);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0 && read_signals(stay->signals))
			return end_at_once(stay);
		if (count > 0 && stay->step == array_size(steps_ms))
			stay->step = 0;
	}
	return r;
}

static int stay(struct stay *stay)
{
	int r;

	/* Opened before the mounts are looked at: what changes after that is told. */
	stay->table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (stay->table < 0)
		return -errno;
	r = go_on(stay);
	(void)close(stay->table);
	return r;
}

int stay_shown(const struct subject *subject, int disk, int signals, void (*held)(void))
{
	struct stay how = {
		.subject = subject, .disk = disk, .signals = signals, .held = held
	};

	return stay(&how);
}

int stay_closing(const struct subject *subject, int disk, int signals, void (*held)(void))
{
	struct stay how = {
		.subject = subject,
		.disk = disk,
		.signals = signals,
		.held = held,
		.closing = true,
	};

	(void)!detach(subject);
	return stay(&how);
}
