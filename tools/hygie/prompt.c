/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminal and standard input as sources of an answer; see prompt.h.
 */
#include "prompt.h"

#include "libhygie/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>

struct terminal {
	int fd;
	int signal_fd;
	bool changed; /* termios differ from `saved` */
	struct termios saved;
	sigset_t saved_mask, mask;
};

static void put(int fd, const char *text)
{
	(void)!write_all(fd, text, strlen(text));
}

/* What is left of a line that was begun is thrown away with the echo's return. */
static void terminal_restore(struct terminal *terminal)
{
	if (terminal->changed)
		(void)tcsetattr(terminal->fd, TCSAFLUSH, &terminal->saved);
	terminal->changed = false;
}

static void terminal_close(struct terminal *terminal)
{
	terminal_restore(terminal);
	if (terminal->signal_fd >= 0) {
		(void)close(terminal->signal_fd);
		(void)sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
	}
	if (terminal->fd >= 0)
		(void)close(terminal->fd);
}

#define cleanup_terminal cleanup_with(terminal_close)

/* Signals that end or stop the process come through a descriptor, to restore first. */
static int terminal_signals(struct terminal *terminal)
{
	static const int numbers[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP };

	(void)sigemptyset(&terminal->mask);
	for (size_t i = 0; i < array_size(numbers); i++)
		(void)sigaddset(&terminal->mask, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &terminal->mask, &terminal->saved_mask) < 0)
		return -errno;
	terminal->signal_fd = signalfd(-1, &terminal->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (terminal->signal_fd < 0) {
		int error = -errno;

		(void)sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
		return error;
	}
	return 0;
}

static int terminal_hush(struct terminal *terminal, bool echo)
{
	struct termios quiet = terminal->saved;

	quiet.c_lflag |= ICANON | ISIG;
	if (!echo) {
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		quiet.c_lflag |= ECHONL;
	}
	terminal->changed = true;
	/* Flushing drops what was typed before the question: it is no answer to it. */
	return tcsetattr(terminal->fd, TCSAFLUSH, &quiet) < 0 ? -errno : 0;
}

static int terminal_open(struct terminal *terminal)
{
	terminal->fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal->fd < 0)
		return -ENXIO;
	if (tcgetattr(terminal->fd, &terminal->saved) < 0)
		return -ENXIO;
	return terminal_signals(terminal);
}

/*
 * Restores the terminal and lets the signal that came do what it does without us. Returns
 * when that was a stop and the process goes on.
 */
static void terminal_signal(struct terminal *terminal)
{
	struct signalfd_siginfo info;

	if (read(terminal->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	terminal_restore(terminal);
	put(terminal->fd, "\n");
	(void)raise((int)info.ssi_signo);
	(void)sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
	/* Here after SIGCONT, or when the signal is ignored. */
	(void)sigprocmask(SIG_BLOCK, &terminal->mask, NULL);
}

/* Reads on into the secret. 1 when a line is whole; 0 when not yet; or a negative errno.
 */
static int line_read(int fd, struct secret *line, size_t room)
{
	size_t size = secret_size(line);
	ssize_t n = read(fd, secret_bytes(line) + size, room);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return size > 0 ? 1 : -ECANCELED;
	size += (size_t)n;
	secret_set_size(line, size);
	if (secret_bytes(line)[size - 1] == '\n') {
		secret_set_size(line, size - 1);
		return 1;
	}
	return size == secret_capacity(line) ? -E2BIG : 0;
}

/* One question, until it is answered, ended or interrupted (-EINTR: ask again). */
static int terminal_ask(struct terminal *terminal, const struct prompt *prompt,
			struct secret *line)
{
	int r;

	r = terminal_hush(terminal, prompt->echo);
	if (r < 0)
		return r;
	put(terminal->fd, prompt->text);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = terminal->signal_fd, .events = POLLIN },
			{ .fd = prompt->watched, .events = POLLIN },
			{ .fd = terminal->fd, .events = POLLIN },
		};

		if (poll(fds, array_size(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[0].revents) {
			terminal_signal(terminal);
			return -EINTR;
		}
		if (fds[1].revents) {
			put(terminal->fd, "\n");
			return -ECANCELED;
		}
		r = line_read(terminal->fd, line,
			      secret_capacity(line) - secret_size(line));
		if (r != 0)
			return r;
	}
}

/* A secret with room for the longest answer, its newline, and one byte to see more. */
static int line_new(const struct prompt *prompt, struct secret **ret_line)
{
	return secret_new(prompt->most + 2, ret_line);
}

static int line_give(const struct prompt *prompt, struct secret **line,
		     struct secret **ret_answer)
{
	if (secret_size(*line) > prompt->most)
		return -E2BIG;
	*ret_answer = *line;
	*line = NULL;
	return 0;
}

int prompt_terminal(const struct prompt *prompt, struct secret **ret_answer)
{
	cleanup_terminal struct terminal terminal = { .fd = -1, .signal_fd = -1 };
	cleanup_secret struct secret *line = NULL;
	int r;

	r = terminal_open(&terminal);
	if (r < 0)
		return r;
	r = line_new(prompt, &line);
	if (r < 0)
		return r;
	do {
		secret_set_size(line, 0);
		r = terminal_ask(&terminal, prompt, line);
	} while (r == -EINTR);
	return r < 0 ? r : line_give(prompt, &line, ret_answer);
}

int prompt_stdin(const struct prompt *prompt, struct secret **ret_answer)
{
	cleanup_secret struct secret *line = NULL;
	int r;

	r = line_new(prompt, &line);
	while (r == 0) {
		struct pollfd fds[] = {
			{ .fd = prompt->watched, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (poll(fds, array_size(fds), -1) < 0)
			r = errno == EINTR ? 0 : -errno;
		else if (fds[0].revents)
			r = -ECANCELED;
		else /* byte by byte: the next line is the next answer */
			r = line_read(STDIN_FILENO, line, 1);
	}
	return r < 0 ? r : line_give(prompt, &line, ret_answer);
}
