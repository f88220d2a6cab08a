/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tidying the process; see process.h.
 */
#include "hygie-token/process.h"

#include "hygie-token/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MEBIBYTE (1024ul * 1024)
#define MEMLOCK_MIN (1 * MEBIBYTE) /* secret.c takes less for "a site's choice" */
#define MEMLOCK_MAX (8 * MEBIBYTE)

#ifdef HYGIE_SANITIZED
/* By this a helper with a wider sandbox is known; docs/decisions/0009-sanitizers.md. */
static const char sanitized_mark[] __attribute__((used)) = "HYGIE_SANITIZED";
#endif

/*
 * CPU: a warm helper sleeps; a login takes milliseconds. As pid 1 of its namespace it is
 * spared SIGXCPU, the hard limit's SIGKILL it is not. NPROC counts the uid's threads in
 * all helpers; clone is filtered to threads, and the address space bounds how many fit
 * here. AS, DATA: a warm OpenSC has 225 MiB of addresses (the C library's arenas, one a
 * thread) and 17 MiB of data; ykcs11 and SoftHSM 10 and 1.
 */
static const struct {
	__rlimit_resource_t resource;
	rlim_t soft;
	rlim_t hard;
} limits[] = {
	{ RLIMIT_CORE, 0, 0 },
	{ RLIMIT_NPROC, 256, 256 },
	{ RLIMIT_FSIZE, 1 * MEBIBYTE, 1 * MEBIBYTE },
#ifndef HYGIE_SANITIZED
	{ RLIMIT_NOFILE, 64, 64 },
	{ RLIMIT_AS, 512 * MEBIBYTE, 512 * MEBIBYTE },
	{ RLIMIT_DATA, 128 * MEBIBYTE, 128 * MEBIBYTE },
#endif
	{ RLIMIT_CPU, 60, 65 },
	{ RLIMIT_MSGQUEUE, 0, 0 },
	{ RLIMIT_NICE, 0, 0 },
	{ RLIMIT_RTPRIO, 0, 0 },
};

/* Lowers one limit; a hard limit that is lower already stays. */
static int limit_lower(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > hard)
		limit.rlim_max = hard;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int limits_set(void)
{
	struct rlimit limit;
	int r;

	for (size_t i = 0; i < array_size(limits); i++) {
		r = limit_lower(limits[i].resource, limits[i].soft, limits[i].hard);
		if (r < 0)
			return r;
	}
	r = limit_lower(RLIMIT_MEMLOCK, MEMLOCK_MAX, MEMLOCK_MAX);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	return limit.rlim_cur < MEMLOCK_MIN ? -EPERM : 0;
}

static int signals_reset(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* SIGKILL, SIGSTOP and the C library's own two say no, and need not be reset. */
	for (int number = 1; number < _NSIG; number++)
		(void)sigaction(number, &action, NULL);
	(void)sigemptyset(&none);
	return -pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* A shut 0, 1 or 2 would be taken by the module's next socket, and printed into. */
static int stdio_fill(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	} while (fd < TOKEN_SOCKET);
	return close(fd) < 0 ? -errno : 0;
}

bool process_has_socket(void)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(TOKEN_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return false;
	size = sizeof(domain);
	if (getsockopt(TOKEN_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return false;
	return type == SOCK_SEQPACKET && domain == AF_UNIX;
}

int process_shield(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

int process_tidy(void)
{
	int r;

	if (close_range(TOKEN_SOCKET + 1, ~0u, 0) < 0)
		return -errno;
	r = stdio_fill();
	if (r < 0)
		return r;
	if (clearenv() != 0)
		return -ENOMEM;
	(void)umask(077);
	r = signals_reset();
	if (r < 0)
		return r;
	r = limits_set();
	return r < 0 ? r : process_shield();
}
