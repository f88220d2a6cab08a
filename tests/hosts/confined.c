/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that shuts itself in once its handle is there, as sshd does, and goes on. Words
 * are done in order: chroot:FOLDER; filter:ERRNO (a system call filter that refuses all but
 * what a process needs that only computes and talks on open descriptors; no socket can be
 * made, no file opened, no memory locked); sockets:ERRNO (one that refuses socket() alone);
 * user:NUMBER; the names of PAM's functions. For ERRNO KILL: what is refused ends it.
 *
 *	confined SERVICE USER ANSWER WORD...
 */
#include "hosts/host.h"

#include <errno.h>
#include <locale.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define array_size(array) (sizeof(array) / sizeof((array)[0]))

static const int allowed[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(madvise),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pselect6),
	SCMP_SYS(read),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(select),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(rt_sigreturn),
};

static uint32_t refusal_named(const char *name)
{
	if (strcmp(name, "KILL") == 0)
		return SCMP_ACT_KILL_PROCESS;
	for (int error = 1; error < 134; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcmp(known, name) == 0)
			return SCMP_ACT_ERRNO((uint32_t)error);
	}
	errno = EINVAL;
	host_fail(name);
}

/*
 * libpam makes PAM_SYSTEM_ERR of every answer when it cannot speak to the kernel's audit,
 * unless the kernel seems to have none: so that is what it is told, and our module's
 * answers are seen.
 */
static void filter_load(scmp_filter_ctx filter)
{
	if (!filter ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
			     SCMP_A0(SCMP_CMP_EQ, AF_NETLINK)) < 0 ||
	    seccomp_load(filter) < 0)
		host_fail("seccomp");
	seccomp_release(filter);
}

static void filter_all_but_computing(const char *name)
{
	scmp_filter_ctx filter = seccomp_init(refusal_named(name));

	for (size_t i = 0; filter && i < array_size(allowed); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
			host_fail("seccomp");
	filter_load(filter);
}

static void filter_sockets(const char *name)
{
	const uint32_t refusal = refusal_named(name);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter && seccomp_rule_add(filter, refusal, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_NE, AF_NETLINK)) < 0)
		host_fail("seccomp");
	filter_load(filter);
}

/* The part of `word` after `what` and a colon, or NULL. */
static const char *value_of(const char *word, const char *what)
{
	size_t size = strlen(what);

	return strncmp(word, what, size) == 0 && word[size] == ':' ? word + size + 1
								   : NULL;
}

static void do_word(struct host *host, const char *word)
{
	const char *value;

	if ((value = value_of(word, "chroot"))) {
		if (chroot(value) < 0 || chdir("/") < 0)
			host_fail("chroot");
	} else if ((value = value_of(word, "filter"))) {
		filter_all_but_computing(value);
	} else if ((value = value_of(word, "sockets"))) {
		filter_sockets(value);
	} else if ((value = value_of(word, "user"))) {
		if (setuid((uid_t)strtoul(value, NULL, 10)) < 0)
			host_fail("setuid");
	} else {
		host_step(host, word);
	}
}

int main(int argc, char *argv[])
{
	struct host host;

	if (argc < 5 || !setlocale(LC_ALL, ""))
		return 2;
	/* Nothing that waits in a buffer needs a system call that is gone by then. */
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	(void)printf("begin\n");
	host = (struct host){ .user = argv[2], .answer = argv[3] };
	host_start(&host, argv[1]);
	for (int i = 4; i < argc; i++)
		do_word(&host, argv[i]);
	host_end(&host);
	return 0;
}
