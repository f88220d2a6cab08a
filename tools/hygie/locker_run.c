/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a locker; see locker_run.h. One that forks leaves us the processes that hold the
 * screen: this process is their subreaper (prctl(2)), so that their end is told to us.
 */
#include "locker_run.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SLEEP_FD_VARIABLE "XSS_SLEEP_LOCK_FD="
#define STRANGERS_MAX 64
#define PF_EXITING 0x4u /* as in Linux, include/linux/sched.h */

struct pids {
	pid_t pid[STRANGERS_MAX];
	size_t count;
};

struct locker_run {
	sd_event *loop;
	sd_event_source *child, *evidence;
	const struct locker_listener *listener;
	void *context;
	enum locker_evidence seen_by;
	pid_t main;            /* 0: it has ended, or none runs */
	struct pids followers; /* what goes on when it has forked */
	struct pids strangers; /* children of before: no part of this locker */
	bool seen;
};

static bool pids_take(struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->pid[i] == pid) {
			pids->pid[i] = pids->pid[--pids->count];
			return true;
		}
	return false;
}

static bool pids_have(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->pid[i] == pid)
			return true;
	return false;
}

/* All children there are, those that ended and were not reaped included. */
static void list_children(struct pids *ret_pids)
{
	cleanup_close int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	char text[16 * STRANGERS_MAX], *at = text;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	ret_pids->count = 0;
	if (n <= 0)
		return;
	text[n] = '\0';
	while (ret_pids->count < STRANGERS_MAX) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at)
			return;
		ret_pids->pid[ret_pids->count++] = (pid_t)pid;
		at = end;
	}
}

static void forget_evidence(struct locker_run *run)
{
	run->evidence = sd_event_source_disable_unref(run->evidence);
}

static void tell_seen(struct locker_run *run)
{
	if (run->seen)
		return;
	run->seen = true;
	run->listener->seen(run->context);
}

/* What is left of a locker that broke may still hold what the next one needs. */
static void kill_rest(const struct locker_run *run)
{
	struct pids children;

	list_children(&children);
	for (size_t i = 0; i < children.count; i++)
		if (!pids_have(&run->strangers, children.pid[i]))
			(void)kill(children.pid[i], SIGKILL);
}

static void tell_ended(struct locker_run *run, bool well)
{
	if (!well)
		kill_rest(run);
	forget_evidence(run);
	run->main = 0;
	run->followers.count = 0;
	run->listener->ended(run->context, well);
}

/* It was begun in a session of its own; a part of it may have begun another one. */
static bool is_part(const struct locker_run *run, pid_t pid)
{
	pid_t session = getsid(pid);

	return !pids_have(&run->strangers, pid) &&
	       (session == run->main || session == pid);
}

/* The first process of one that forks ended with 0: what it left us holds the screen. */
static bool follow(struct locker_run *run)
{
	struct pids children;

	list_children(&children);
	for (size_t i = 0; i < children.count; i++)
		if (is_part(run, children.pid[i]))
			run->followers.pid[run->followers.count++] = children.pid[i];
	run->main = 0;
	if (run->followers.count > 0)
		tell_seen(run);
	return run->followers.count > 0;
}

static void on_end(struct locker_run *run, pid_t pid, bool well)
{
	if (pid == run->main) {
		if (!well || run->seen_by != LOCKER_SEEN_BY_FORK || !follow(run))
			tell_ended(run, well);
	} else if (pids_take(&run->followers, pid)) {
		if (!well || run->followers.count == 0)
			tell_ended(run, well);
	} else {
		(void)pids_take(&run->strangers, pid);
	}
}

static int on_child(sd_event_source *source, const struct signalfd_siginfo *info,
		    void *userdata)
{
	struct locker_run *run = userdata;

	(void)source;
	(void)info;
	for (;;) {
		siginfo_t end = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG) < 0 || end.si_pid == 0)
			return 0;
		on_end(run, end.si_pid, end.si_code == CLD_EXITED && end.si_status == 0);
	}
}

/*
 * A descriptor is closed by a death as well, and a moment before the death can be waited
 * for. But it is marked before that (proc(5), stat, the seventh field after the name).
 */
static bool is_alive(pid_t pid)
{
	uint64_t flags;

	return process_field(pid, PROCESS_FLAGS, &flags) && (flags & PF_EXITING) == 0;
}

static int on_evidence(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct locker_run *run = userdata;
	char bytes[64];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)source;
	(void)events;
	if (n < 0)
		return 0;
	if (n == 0)
		forget_evidence(run);
	if ((n > 0) == (run->seen_by == LOCKER_SEEN_BY_READY_FD) && run->main > 0 &&
	    is_alive(run->main))
		tell_seen(run);
	return 0;
}

/* The read end is watched; the write end is the locker's. */
static int open_evidence(struct locker_run *run, int *ret_fd)
{
	int fds[2];
	int r;

	*ret_fd = -1;
	if (run->seen_by != LOCKER_SEEN_BY_SLEEP_FD &&
	    run->seen_by != LOCKER_SEEN_BY_READY_FD)
		return 0;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(run->loop, &run->evidence, fds[0], EPOLLIN, on_evidence, run);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	(void)sd_event_source_set_io_fd_own(run->evidence, 1);
	*ret_fd = fds[1];
	return 0;
}

/* Ours, but for the variable that another program may have left in it. NULL: no memory. */
static char **make_environment(bool sleeps)
{
	static char variable[] = SLEEP_FD_VARIABLE "3";
	size_t count = 0, kept = 0;
	char **made;

	_Static_assert(LOCKER_FD == 3, "as the variable says");
	while (environ[count])
		count++;
	made = calloc(count + 2, sizeof(*made));
	if (!made)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], SLEEP_FD_VARIABLE, strlen(SLEEP_FD_VARIABLE)) !=
		    0)
			made[kept++] = environ[i];
	if (sleeps)
		made[kept] = variable;
	return made;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
							     POSIX_SPAWN_SETSIGMASK |
							     POSIX_SPAWN_SETSIGDEF);

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	return r != 0 ? r : posix_spawnattr_setsigdefault(attributes, &all);
}

/* `fd` is its LOCKER_FD, unless negative. */
static int spawn(const struct locker *locker, char *const environment[], int fd,
		 pid_t *ret_pid)
{
	char *argv[OPTION_OPERANDS_MAX + 1];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	/* The strings are not const by an old prototype only (POSIX, exec). */
	memcpy(argv, locker->argv, sizeof(argv));
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = set_attributes(&attributes);
		if (r == 0 && fd >= 0)
			r = posix_spawn_file_actions_adddup2(&actions, fd, LOCKER_FD);
		if (r == 0)
			r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv,
					 environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int locker_run_start(struct locker_run *run, const struct locker *locker)
{
	bool sleeps = locker->evidence == LOCKER_SEEN_BY_SLEEP_FD;
	cleanup_free char **environment = make_environment(sleeps);
	cleanup_close int fd = -1;
	int r = environment ? 0 : -ENOMEM;

	run->seen_by = locker->evidence;
	run->seen = false;
	list_children(&run->strangers);
	if (r >= 0)
		r = open_evidence(run, &fd);
	if (r >= 0)
		r = spawn(locker, environment, fd, &run->main);
	if (r < 0) {
		run->main = 0;
		forget_evidence(run);
	}
	return r;
}

size_t locker_run_pids(const struct locker_run *run, pid_t ret_pids[LOCKER_PIDS_MAX])
{
	size_t count = 0;

	if (run->main > 0)
		ret_pids[count++] = run->main;
	for (size_t i = 0; i < run->followers.count && count < LOCKER_PIDS_MAX; i++)
		ret_pids[count++] = run->followers.pid[i];
	return count;
}

int locker_run_new(sd_event *loop, const struct locker_listener *listener, void *context,
		   struct locker_run **ret_run)
{
	struct locker_run *run = calloc(1, sizeof(*run));
	sigset_t child;
	int r = run ? 0 : -ENOMEM;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	if (r >= 0 && (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
		       sigprocmask(SIG_BLOCK, &child, NULL) < 0))
		r = -errno;
	if (r >= 0)
		r = sd_event_add_signal(loop, &run->child, SIGCHLD, on_child, run);
	/* What it said before it ended is heard first. */
	if (r >= 0)
		r = sd_event_source_set_priority(run->child,
						 SD_EVENT_PRIORITY_NORMAL + 10);
	if (r < 0) {
		locker_run_free(run);
		return r;
	}
	run->loop = loop;
	run->listener = listener;
	run->context = context;
	*ret_run = run;
	return 0;
}

void locker_run_free(struct locker_run *run)
{
	if (!run)
		return;
	(void)sd_event_source_disable_unref(run->child);
	forget_evidence(run);
	free(run);
}
