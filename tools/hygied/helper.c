/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, hearing and ending one hygie-token; see helper.h. It is cloned straight into
 * its namespaces while this process stands still (CLONE_VFORK), so no copy of our memory
 * ever exists in the child, and as PID 1 of its namespace it takes everything that a
 * module forked with it when it dies.
 */
#include "hygied/helper.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#define CHILD_STACK_SIZE ((size_t)64 * 1024)
#define HELPER_SOCKET_FD 3
#define REPORTS_MAX 64 /* messages from one helper; then it is talking nonsense */

struct helper {
	int socket;
	int pidfd;
	sd_event_source *socket_source;
	sd_event_source *pid_source;
	enum protocol_state state;
	unsigned reports;
	bool said_last;
	const struct helper_callbacks *callbacks;
	void *context;
};

/* All that the child needs, prepared before it exists: it may not allocate. */
struct child {
	const char *program;
	int socket, input, output;
	int error;
};

/*
 * Descriptors 0 to 3 in the child; the helper closes the rest. Only async-safe calls. Not
 * instrumented: AddressSanitizer's marks on this stack would outlive it in our memory.
 */
__attribute__((no_sanitize_address)) static int child_main(void *argument)
{
	struct child *child = argument;
	char *const arguments[] = { (char[]){ "hygie-token" }, NULL };
	char *const environment[] = { NULL };
	struct sigaction ignore = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &ignore, NULL);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (dup2(child->input, STDIN_FILENO) >= 0 &&
	    dup2(child->output, STDOUT_FILENO) >= 0 &&
	    dup2(child->output, STDERR_FILENO) >= 0 &&
	    dup2(child->socket, HELPER_SOCKET_FD) >= 0)
		(void)execve(child->program, arguments, environment);
	child->error = errno;
	_exit(127);
}

/* Where a module's own printing goes: the journal, else our own standard error. */
static int open_output(void)
{
	int fd = sd_journal_stream_fd("hygie-token", 6, 0);

	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
}

/* A descriptor above those that the child fills, so that no dup2 overwrites a source. */
static int move_up(int fd)
{
	int moved;

	if (fd < 0)
		return -errno;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (moved < 0)
		moved = -errno;
	(void)close(fd);
	return moved;
}

static int clone_child(struct child *child, int *ret_pidfd)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_NEWNS |
			  CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | SIGCHLD;
	sigset_t all, before;
	int pidfd = -1, error = 0;
	void *stack;

	stack = mmap(NULL, CHILD_STACK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -ENOMEM;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (clone(child_main, (char *)stack + CHILD_STACK_SIZE, flags, child, &pidfd) < 0)
		error = -errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)munmap(stack, CHILD_STACK_SIZE);
	if (error < 0)
		return error;
	*ret_pidfd = pidfd;
	return 0;
}

static int spawn(struct helper *helper, const char *program)
{
	cleanup_close int peer = -1, input = -1, output = -1;
	struct child child = { .program = program };
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) <
	    0)
		return -errno;
	helper->socket = pair[0];
	peer = move_up(pair[1]);
	input = move_up(open("/dev/null", O_RDONLY | O_CLOEXEC));
	output = move_up(open_output());
	if (peer < 0 || input < 0 || output < 0)
		return -EMFILE;
	child.socket = peer;
	child.input = input;
	child.output = output;
	r = clone_child(&child, &helper->pidfd);
	if (r < 0)
		return r;
	return -child.error;
}

static bool report_is_last(uint16_t type)
{
	return type == WIRE_REPORT_DONE || type == WIRE_REPORT_FAILED;
}

/* Takes one message; false when the helper must go. */
static bool take_report(struct helper *helper)
{
	cleanup_message struct wire_message *message = NULL;
	uint16_t type;
	int r;

	r = wire_receive(helper->socket, &message);
	if (r == -EAGAIN)
		return true;
	if (r < 0) {
		if (r != -ECONNRESET)
			log_warning("hygie-token sent a message that is not one: %s",
				    error_text(-r));
		return false;
	}
	type = wire_message_type(message);
	if (!protocol_allows(helper->state, type) || ++helper->reports > REPORTS_MAX) {
		log_warning("hygie-token sent message 0x%04x out of turn", type);
		return false;
	}
	if (type == WIRE_REPORT_READY)
		helper->state = PROTOCOL_TOKEN_READY;
	helper->said_last = report_is_last(type);
	helper->callbacks->report(helper->context, message);
	return !helper->said_last;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct helper *helper = userdata;

	(void)fd;
	(void)revents;
	if (!take_report(helper)) {
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		/* Having said its last, it ends by itself: it has the card to let go. */
		if (!helper->said_last)
			helper_kill(helper);
	}
	return 0;
}

static void describe_end(const siginfo_t *info, char *text, size_t size)
{
	if (info->si_code == CLD_EXITED)
		(void)snprintf(text, size, "exit status %d", info->si_status);
	else
		(void)snprintf(text, size, "signal %d", info->si_status);
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents,
			  void *userdata)
{
	struct helper *helper = userdata;
	siginfo_t info = { 0 };
	char why[64] = "unknown";

	(void)revents;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0)
		describe_end(&info, why, sizeof(why));
	cleanup_close_function(&helper->pidfd);
	helper->pidfd = -1;
	/* Its last words may still lie in the socket. */
	for (int i = 0; i < REPORTS_MAX; i++)
		if (sd_event_source_get_enabled(helper->socket_source, NULL) > 0)
			(void)on_socket(helper->socket_source, helper->socket, 0, helper);
	helper->callbacks->ended(helper->context, why);
	return 0;
}

static int watch(struct helper *helper, sd_event *loop)
{
	int r;

	r = sd_event_add_io(loop, &helper->socket_source, helper->socket, EPOLLIN,
			    on_socket, helper);
	if (r < 0)
		return r;
	/* After the socket's, so that its answer is heard before its end. */
	(void)sd_event_source_set_priority(helper->socket_source,
					   SD_EVENT_PRIORITY_NORMAL - 1);
	return sd_event_add_io(loop, &helper->pid_source, helper->pidfd, EPOLLIN,
			       on_process_end, helper);
}

int helper_start(sd_event *loop, const char *program, const struct wire_message *order,
		 const struct helper_callbacks *callbacks, void *context,
		 struct helper **ret_helper)
{
	struct helper *helper;
	int r;

	helper = calloc(1, sizeof(*helper));
	if (!helper)
		return -ENOMEM;
	*helper = (struct helper){ .socket = -1,
				   .pidfd = -1,
				   .state = PROTOCOL_TOKEN_WARMING,
				   .callbacks = callbacks,
				   .context = context };
	r = spawn(helper, program);
	if (r >= 0)
		r = watch(helper, loop);
	if (r >= 0)
		r = wire_send(helper->socket, order);
	if (r < 0) {
		helper_free(helper);
		return r;
	}
	*ret_helper = helper;
	return 0;
}

int helper_login(struct helper *helper, const struct wire_message *order)
{
	if (helper->state != PROTOCOL_TOKEN_READY)
		return -EPROTO;
	helper->state = PROTOCOL_TOKEN_WORKING;
	return wire_send(helper->socket, order);
}

void helper_kill(struct helper *helper)
{
	if (helper->pidfd >= 0)
		(void)pidfd_send_signal(helper->pidfd, SIGKILL, NULL, 0);
}

void helper_free(struct helper *helper)
{
	siginfo_t info;

	if (!helper)
		return;
	(void)sd_event_source_disable_unref(helper->socket_source);
	(void)sd_event_source_disable_unref(helper->pid_source);
	if (helper->pidfd >= 0) {
		helper_kill(helper);
		(void)waitid(P_PIDFD, (id_t)helper->pidfd, &info, WEXITED);
		cleanup_close_function(&helper->pidfd);
	}
	cleanup_close_function(&helper->socket);
	free(helper);
}
