/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See limit.h. A pid may have become another's since it was found: who is signalled was
 * seen to hold something after its pidfd was made.
 */
#include "hygie-store/limit.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

static bool is_among(const struct holders *holders, pid_t pid)
{
	for (size_t i = 0; i < holders->count; i++)
		if (holders->holder[i].pid == pid)
			return true;
	return false;
}

static void terminate(int fd, pid_t pid, const struct holders *seen)
{
	if (!is_among(seen, pid))
		return;
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		log_warning("process %d is not told to end: %s", (int)pid,
			    error_text(errno));
}

int limit_terminate(const struct subject *subject, pid_t except,
		    struct holders *ret_holders)
{
	static struct holders first; /* too large for a stack */
	int fds[HOLDERS_MAX];
	int r = holders_find(subject, except, &first);

	if (r < 0)
		return r;
	for (size_t i = 0; i < first.count; i++)
		fds[i] = pidfd_open(first.holder[i].pid, 0);
	r = holders_find(subject, except, ret_holders);
	for (size_t i = 0; i < first.count; i++) {
		if (fds[i] < 0)
			continue;
		if (r == 0)
			terminate(fds[i], first.holder[i].pid, ret_holders);
		(void)close(fds[i]);
	}
	return r;
}
