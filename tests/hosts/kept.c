/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has set up its process and expects to find it so after a login: signals,
 * mask, timers, limits, umask, working directory, environment, locale, descriptors,
 * threads. SIGCHLD is ignored, or counted. It prints what is different afterwards.
 *
 *	kept ignored|counted SERVICE USER ANSWER
 */
#include "hosts/host.h"

#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 65536

static volatile sig_atomic_t children;

static void on_child(int number)
{
	(void)number;
	children++;
}

struct text {
	size_t used;
	char bytes[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text,
						      const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->used;
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(text->bytes + text->used, room, format, list);
	va_end(list);
	if (n < 0 || (size_t)n >= room) {
		errno = ENOSPC;
		host_fail("add");
	}
	text->used += (size_t)n;
}

static void add_signals(struct text *text)
{
	sigset_t mask;

	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int number = 1; number < SIGRTMIN; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0)
			add(text, "signal %d %p %d %d\n", number,
			    (void *)(uintptr_t)action.sa_handler, action.sa_flags,
			    sigismember(&mask, number));
	}
}

static void add_limits(struct text *text)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
			add(text, "limit %d %lu %lu\n", i, limit.rlim_cur,
			    limit.rlim_max);
	}
}

/* The names in a folder of /proc. */
static void add_folder(struct text *text, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (!folder)
		host_fail(path);
	while ((entry = readdir(folder)))
		add(text, "%s/%s\n", path, entry->d_name);
	(void)closedir(folder);
}

static void process_look(struct text *text)
{
	struct itimerval timer;
	mode_t mode = umask(0);
	char folder[4096];

	(void)umask(mode);
	text->used = 0;
	add_signals(text);
	add_limits(text);
	(void)getitimer(ITIMER_REAL, &timer);
	add(text, "umask %o\nfolder %s\ntimer %ld\nlocale %s\n", mode,
	    getcwd(folder, sizeof(folder)) ? folder : "?", timer.it_interval.tv_sec,
	    setlocale(LC_ALL, NULL));
	for (size_t i = 0; environ[i]; i++)
		add(text, "environment %s\n", environ[i]);
	add_folder(text, "/proc/self/fd");
	add_folder(text, "/proc/self/task");
	add(text, "ids %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
}

/* The lines of `after` that stand otherwise in `before`. */
static void print_changes(struct text *before, struct text *after)
{
	char *one = before->bytes, *other = after->bytes;

	while (one || other) {
		const char *was = one ? strsep(&one, "\n") : "";
		const char *is = other ? strsep(&other, "\n") : "";

		if (strcmp(was, is) != 0)
			(void)printf("changed %s: %s\n", was, is);
	}
}

int main(int argc, char *argv[])
{
	static struct text before, after;
	struct host host;

	if (argc != 5)
		return 2;
	(void)signal(SIGCHLD, strcmp(argv[1], "ignored") == 0 ? SIG_IGN : on_child);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setlocale(LC_ALL, "");
	host = (struct host){ .user = argv[3], .answer = argv[4] };
	host_start(&host, argv[2]);
	process_look(&before);
	host_step(&host, "authenticate");
	host_step(&host, "acct_mgmt");
	host_step(&host, "open_session");
	host_step(&host, "close_session");
	process_look(&after);
	print_changes(&before, &after);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		(void)printf("changed a child is left\n");
	(void)printf("children %d\n", (int)children);
	host_end(&host);
	return 0;
}
