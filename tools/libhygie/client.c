/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of a dialogue; see client.h.
 */
#include "libhygie/client.h"

#include "libhygie/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CANCEL_MILLISECONDS 5000

struct dialogue {
	int fd;
	uint64_t deadline;
	const struct client_callbacks *callbacks;
	void *context;
};

void client_result_set(struct client_result *ret_result, enum hygie_outcome outcome)
{
	*ret_result = (struct client_result){ .outcome = outcome };
	(void)snprintf(ret_result->text, sizeof(ret_result->text), "%s",
		       outcome_text(outcome));
}

static enum hygie_outcome outcome_of_fault(int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EAGAIN:
	case EACCES:
	case EPERM: /* these three: a program that was forbidden to make sockets */
	case ENOSYS:
	case EAFNOSUPPORT:
		return HYGIE_UNAVAILABLE;
	case ETIMEDOUT:
		return HYGIE_TIMED_OUT;
	case EBADMSG:
	case EPROTO:
	case EPROTONOSUPPORT:
	case EMSGSIZE:
		return HYGIE_BAD_REQUEST;
	default:
		return HYGIE_FAULT;
	}
}

void client_result_fault(struct client_result *ret_result, int error)
{
	client_result_set(ret_result, outcome_of_fault(error));
	ret_result->error = error;
}

/*
 * Whoever listens is told a PIN: root, or the caller himself, whom he need not fear. The
 * kernel noted it when listen() was called, by hygied or by the service manager.
 */
static int daemon_judge(int fd)
{
	struct ucred daemon;
	socklen_t size = sizeof(daemon);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &daemon, &size) < 0)
		return -errno;
	return daemon.uid == 0 || daemon.uid == geteuid() ? 0 : -EACCES;
}

/*
 * A Unix socket's connect() waits for room in the listener's queue, and only a socket's
 * send timeout bounds that.
 */
static int connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline)
{
	int left;

	while ((left = deadline_left(deadline)) > 0) {
		struct timeval timeout = { .tv_sec = left / 1000,
					   .tv_usec = left % 1000 * 1000L };

		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) <
		    0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return -ETIMEDOUT;
}

/*
 * Never one of the standard streams, which the program may have closed: what it prints, in
 * this thread or another, must not go to hygied.
 */
static int socket_new(int *ret_fd)
{
	cleanup_close int low = -1;
	int fd;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && fd <= STDERR_FILENO) {
		low = fd;
		fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int dialogue_connect(const char *path, uint64_t deadline, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* What is printed to a socket before it is connected goes nowhere. */
	r = socket_new(&fd);
	if (r < 0)
		return r;
	r = connect_until(fd, &address, deadline);
	if (r < 0)
		return r;
	r = daemon_judge(fd);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd pollfd = { .fd = fd, .events = events };
		int n = poll(&pollfd, 1, deadline_left(deadline));

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int dialogue_send(const struct dialogue *dialogue,
			 const struct wire_message *message)
{
	for (;;) {
		int r = wire_send(dialogue->fd, message);

		if (r != -EAGAIN)
			return r;
		r = wait_for(dialogue->fd, POLLOUT, dialogue->deadline);
		if (r < 0)
			return r;
	}
}

static int dialogue_receive(const struct dialogue *dialogue,
			    struct wire_message **ret_message)
{
	for (;;) {
		int r = wire_receive(dialogue->fd, ret_message);

		if (r != -EAGAIN)
			return r;
		r = wait_for(dialogue->fd, POLLIN, dialogue->deadline);
		if (r < 0)
			return r;
	}
}

/* The field as a string, cut between characters where it is too long. */
static int argument_of(const struct wire_field *field, char ret_text[TEXT_ARGUMENT_SIZE])
{
	size_t size = field->size;

	if (!utf8_is_valid(field->bytes, size))
		return -EBADMSG;
	if (size >= TEXT_ARGUMENT_SIZE) {
		size = TEXT_ARGUMENT_SIZE - 1;
		while (size > 0 && (field->bytes[size] & 0xC0) == 0x80)
			size--;
	}
	memcpy(ret_text, field->bytes, size);
	ret_text[size] = '\0';
	return 0;
}

/* More arguments than a template can have are left out. */
static int arguments_of(const struct wire_message *message,
			struct text_arguments *ret_arguments)
{
	struct wire_field field;
	size_t cursor = 0;
	size_t count = 0;

	while (count < TEXT_ARGUMENTS_MAX && wire_next_field(message, &cursor, &field)) {
		int r;

		if (field.tag != TAG_TEXT_ARGUMENT)
			continue;
		r = argument_of(&field, ret_arguments->text[count++]);
		if (r < 0)
			return r;
	}
	ret_arguments->count = count;
	return 0;
}

/* A sentence and its parts, while it is shown. */
struct sentence {
	char english[HYGIE_TEXT_MAX];
	struct text_arguments arguments;
	struct client_text text; /* points into this struct */
};

/* Reads the sentence of a message. */
static int text_of(const struct wire_message *message, struct sentence *ret_sentence)
{
	uint32_t id = 0;
	int r;

	r = wire_get_u32(message, TAG_TEXT_ID, &id);
	if (r < 0 && r != -ENOENT)
		return r;
	r = wire_get_string(message, TAG_TEXT, ret_sentence->english, HYGIE_TEXT_MAX);
	if (r < 0)
		return r;
	r = arguments_of(message, &ret_sentence->arguments);
	if (r < 0)
		return r;
	ret_sentence->text = (struct client_text){ .id = id,
						   .english = ret_sentence->english,
						   .arguments = &ret_sentence->arguments,
						   .message = message };
	return 0;
}

static int dialogue_show(const struct dialogue *dialogue,
			 const struct wire_message *message, enum client_tone tone)
{
	struct sentence sentence;
	int r;

	r = text_of(message, &sentence);
	if (r < 0)
		return r;
	if (dialogue->callbacks->show)
		dialogue->callbacks->show(dialogue->context, tone, &sentence.text);
	return 0;
}

/*
 * 1 when hygied has said something while the person was typing: then the PIN stays here.
 */
static int dialogue_spoken(const struct dialogue *dialogue)
{
	struct pollfd pollfd = { .fd = dialogue->fd, .events = POLLIN };
	int n;

	/* A signal interrupts even a poll that does not wait. */
	do {
		n = poll(&pollfd, 1, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/*
 * From here on hygied has only to say that it stopped. `unfit`: since what was typed can be
 * no PIN.
 */
static int dialogue_cancel(struct dialogue *dialogue, bool unfit)
{
	cleanup_message struct wire_message *message = NULL;
	uint64_t deadline = deadline_after(CANCEL_MILLISECONDS);
	int r;

	if (deadline < dialogue->deadline)
		dialogue->deadline = deadline;

	r = wire_message_new(WIRE_CANCEL, &message);
	if (r < 0)
		return r;
	if (unfit)
		wire_add_u32(message, TAG_OUTCOME, HYGIE_PIN_MALFORMED);
	r = dialogue_send(dialogue, message);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static int dialogue_answer(const struct dialogue *dialogue, const struct secret *answer)
{
	cleanup_message struct wire_message *message = NULL;
	int r;

	r = wire_message_new(WIRE_ANSWER, &message);
	if (r < 0)
		return r;
	wire_add_secret(message, TAG_ANSWER, answer);
	r = dialogue_send(dialogue, message);
	/* Gone meanwhile: its last words are still to be read. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static int dialogue_ask(struct dialogue *dialogue, const struct wire_message *message)
{
	cleanup_secret struct secret *answer = NULL;
	struct sentence sentence;
	uint32_t echo = 0;
	uint64_t asked;
	int spoken;
	int r;

	r = text_of(message, &sentence);
	if (r < 0)
		return r;
	r = wire_get_u32(message, TAG_ECHO, &echo);
	if (r < 0 && r != -ENOENT)
		return r;
	asked = monotonic_now();
	r = dialogue->callbacks->ask
		    ? dialogue->callbacks->ask(dialogue->context, dialogue->fd, echo == 1,
					       &sentence.text, &answer)
		    : -EOPNOTSUPP;
	dialogue->deadline += monotonic_now() - asked;
	spoken = dialogue_spoken(dialogue);
	if (spoken != 0)
		return spoken < 0 ? spoken : 0;
	if (r < 0)
		return dialogue_cancel(dialogue, r == -E2BIG && echo != 1);
	return dialogue_answer(dialogue, answer);
}

static int result_read(const struct wire_message *message,
		       struct client_result *ret_result)
{
	struct client_result result = { .outcome = HYGIE_REFUSED };
	uint32_t outcome;
	int r;

	r = wire_get_u32(message, TAG_OUTCOME, &outcome);
	if (r < 0)
		return r;
	result.outcome = outcome_from_wire(outcome);
	if ((r = wire_optional(wire_get_string(message, TAG_TEXT, result.text,
					       sizeof(result.text)))) < 0 ||
	    (r = wire_optional(wire_get_string(message, TAG_USER, result.user,
					       sizeof(result.user)))) < 0 ||
	    (r = wire_optional(wire_get_string(message, TAG_HOLDER, result.holder,
					       sizeof(result.holder)))) < 0 ||
	    (r = wire_optional(wire_get_string(message, TAG_TICKET, result.ticket,
					       sizeof(result.ticket)))) < 0 ||
	    (r = wire_optional(wire_get_u64(message, TAG_NOT_AFTER, &result.not_after))) <
		    0 ||
	    (r = wire_optional(wire_get_u32(message, TAG_FLAGS, &result.flags))) < 0 ||
	    (r = wire_optional(wire_get_u32(message, TAG_TEXT_ID, &result.text_id))) <
		    0 ||
	    (r = arguments_of(message, &result.arguments)) < 0)
		return r;
	*ret_result = result;
	return 0;
}

/* The result, and the login secret that a success may carry. */
static int dialogue_end(const struct dialogue *dialogue,
			const struct wire_message *message,
			struct client_result *ret_result)
{
	cleanup_secret struct secret *secret = NULL;
	struct client_result result;
	int r = result_read(message, &result);

	if (r == 0 && result.outcome == HYGIE_OK && dialogue->callbacks->secret)
		r = wire_optional(wire_get_secret(message, TAG_LOGIN_SECRET, &secret));
	/* No memory to lock for it: the login is worth more than what it opens besides. */
	if (r < 0 && r != -ENOMEM && r != -EPERM)
		return r;
	if (secret)
		dialogue->callbacks->secret(dialogue->context, secret);
	secret = NULL;
	*ret_result = result;
	return 1;
}

/* Serves one message. 1 when it was the result. */
static int dialogue_serve(struct dialogue *dialogue, const struct wire_message *message,
			  struct client_result *ret_result)
{
	uint16_t type = wire_message_type(message);

	if (!protocol_allows(PROTOCOL_SERVER, type))
		return -EPROTO;
	switch (type) {
	case WIRE_INFO:
		return dialogue_show(dialogue, message, CLIENT_INFO);
	case WIRE_WARNING:
		return dialogue_show(dialogue, message, CLIENT_WARNING);
	case WIRE_PROGRESS:
		return dialogue_show(dialogue, message, CLIENT_PROGRESS);
	case WIRE_PROMPT:
		return dialogue_ask(dialogue, message);
	case WIRE_ITEM:
		if (dialogue->callbacks->item)
			dialogue->callbacks->item(dialogue->context, message);
		return 0;
	default:
		return dialogue_end(dialogue, message, ret_result);
	}
}

static int dialogue_run(struct dialogue *dialogue, const char *path,
			const struct wire_message *request,
			struct client_result *ret_result)
{
	int r;

	r = dialogue_connect(path, dialogue->deadline, &dialogue->fd);
	if (r < 0)
		return r;
	r = dialogue_send(dialogue, request);
	/* A daemon that refuses at once has said so before it closed. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return r;
	do {
		cleanup_message struct wire_message *message = NULL;

		/* Messages that never stop coming never make a receive wait. */
		if (deadline_left(dialogue->deadline) == 0)
			return -ETIMEDOUT;
		r = dialogue_receive(dialogue, &message);
		if (r < 0)
			return r;
		r = dialogue_serve(dialogue, message, ret_result);
	} while (r == 0);
	return r < 0 ? r : 0;
}

void client_run(const char *socket_path, const struct wire_message *request,
		uint64_t deadline, const struct client_callbacks *callbacks,
		void *context, struct client_result *ret_result)
{
	struct dialogue dialogue = {
		.fd = -1, .deadline = deadline, .callbacks = callbacks, .context = context
	};
	int r;

	client_result_set(ret_result, HYGIE_REFUSED);
	r = dialogue_run(&dialogue, socket_path ? socket_path : HYGIE_SOCKET_PATH,
			 request, ret_result);
	if (r < 0)
		client_result_fault(ret_result, r);
	if (dialogue.fd >= 0)
		(void)close(dialogue.fd);
}
