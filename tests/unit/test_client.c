/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_run against a hygied that a thread plays: what it does with each message, and
 * what becomes of a peer that is silent, gone or talks for ever. tests/pam has the rest.
 */
#include "libhygie/client.h"

#include "libhygie/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#define PATIENCE 10000 /* milliseconds */

/* The other side: a listening socket, a thread that serves one connection. */
struct daemon {
	char folder[32], path[64];
	int listener;
	int connection;
	void (*serve)(struct daemon *daemon);
	pthread_t thread;
	uint16_t heard[8]; /* types of what the client said, the request first */
	size_t heard_count;
	char answer[HYGIE_USER_MAX];
};

static void daemon_say(const struct daemon *daemon, uint16_t type, uint32_t outcome,
		       const char *text)
{
	cleanup_message struct wire_message *message = NULL;

	if (wire_message_new(type, &message) < 0)
		return;
	if (type == WIRE_RESULT)
		wire_add_u32(message, TAG_OUTCOME, outcome);
	if (type == WIRE_RESULT && outcome == HYGIE_OK)
		wire_add_string(message, TAG_USER, "zoe");
	wire_add_string(message, TAG_TEXT, text);
	/* A client may be gone; what it makes of that is what is tested. */
	if (wire_send(daemon->connection, message) < 0)
		return;
}

/* Takes the client's next message; false when it has gone. */
static bool daemon_hear(struct daemon *daemon)
{
	cleanup_message struct wire_message *message = NULL;
	struct pollfd pollfd = { .fd = daemon->connection, .events = POLLIN };
	const uint8_t *bytes;
	size_t size;

	if (poll(&pollfd, 1, PATIENCE) != 1 ||
	    wire_receive(daemon->connection, &message) < 0)
		return false;
	if (daemon->heard_count < array_size(daemon->heard))
		daemon->heard[daemon->heard_count++] = wire_message_type(message);
	if (wire_get_bytes(message, TAG_ANSWER, &bytes, &size) == 0 &&
	    size < sizeof(daemon->answer)) {
		memcpy(daemon->answer, bytes, size);
		daemon->answer[size] = '\0';
	}
	return true;
}

static void *daemon_thread(void *context)
{
	struct daemon *daemon = context;

	daemon->connection = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC);
	if (daemon->connection < 0)
		return NULL;
	if (daemon_hear(daemon))
		daemon->serve(daemon);
	(void)close(daemon->connection);
	return NULL;
}

static void daemon_start(struct daemon *daemon, void (*serve)(struct daemon *daemon))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*daemon = (struct daemon){ .serve = serve, .folder = "/tmp/hygie-test-XXXXXX" };
	assert_non_null(mkdtemp(daemon->folder));
	(void)snprintf(daemon->path, sizeof(daemon->path), "%s/sock", daemon->folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->path);
	daemon->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(daemon->listener >= 0);
	assert_int_equal(bind(daemon->listener, (const struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	assert_int_equal(listen(daemon->listener, 1), 0);
	if (serve)
		assert_int_equal(
			pthread_create(&daemon->thread, NULL, daemon_thread, daemon), 0);
}

static void daemon_stop(struct daemon *daemon)
{
	if (daemon->serve)
		(void)pthread_join(daemon->thread, NULL);
	(void)close(daemon->listener);
	(void)unlink(daemon->path);
	(void)rmdir(daemon->folder);
}

/* What the callbacks saw. */
struct seen {
	char shown[256];
	size_t asked, items;
	bool echo;
	int answer_error; /* what `ask` returns, if not 0 */
	bool waits;       /* `ask` answers only once hygied has spoken */
	int types_for;    /* milliseconds that the person needs */
	int reads_for;    /* milliseconds for each sentence */
	int fd;
};

static void on_show(void *context, enum client_tone tone, const struct client_text *text)
{
	struct seen *seen = context;
	size_t used = strlen(seen->shown);

	(void)poll(NULL, 0, seen->reads_for);

	(void)snprintf(seen->shown + used, sizeof(seen->shown) - used, "%d:%s;",
		       (int)tone, text->english);
}

static int on_ask(void *context, int fd, bool echo, const struct client_text *text,
		  struct secret **ret_answer)
{
	struct seen *seen = context;
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	(void)text;
	seen->asked++;
	seen->echo = echo;
	seen->fd = fd;
	(void)poll(NULL, 0, seen->types_for);
	if (seen->waits && poll(&pollfd, 1, PATIENCE) != 1)
		return -EIO;
	if (seen->answer_error)
		return seen->answer_error;
	return secret_new_from("2718", 4, ret_answer);
}

static void on_item(void *context, const struct wire_message *item)
{
	struct seen *seen = context;

	(void)item;
	seen->items++;
}

static const struct client_callbacks callbacks = { .show = on_show,
						   .ask = on_ask,
						   .item = on_item };

static struct client_result run(const char *path, unsigned milliseconds,
				const struct client_callbacks *with, struct seen *seen)
{
	cleanup_message struct wire_message *request = NULL;
	struct client_result result;

	assert_int_equal(wire_message_new(WIRE_REQUEST_AUTHENTICATE, &request), 0);
	client_run(path, request, deadline_after(milliseconds), with, seen, &result);
	return result;
}

static void serve_everything(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_INFO, 0, "a");
	daemon_say(daemon, WIRE_WARNING, 0, "b");
	daemon_say(daemon, WIRE_PROGRESS, 0, "c");
	daemon_say(daemon, WIRE_ITEM, 0, "");
	daemon_say(daemon, WIRE_PROMPT, 0, "PIN: ");
	if (daemon_hear(daemon))
		daemon_say(daemon, WIRE_RESULT, HYGIE_OK, "done");
}

static void each_message_reaches_its_callback(void **state)
{
	struct client_result result;
	struct seen seen = { 0 };
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_everything);
	result = run(daemon.path, PATIENCE, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_OK);
	assert_string_equal(result.text, "done");
	assert_string_equal(result.user, "zoe");
	assert_string_equal(seen.shown, "0:a;1:b;2:c;");
	assert_int_equal(seen.items, 1);
	assert_false(seen.echo);
	assert_string_equal(daemon.answer, "2718");
}

static void on_secret(void *context, struct secret *secret)
{
	struct seen *seen = context;

	(void)snprintf(seen->shown, sizeof(seen->shown), "%.*s", (int)secret_size(secret),
		       (const char *)secret_bytes_const(secret));
	secret_free(secret);
}

static void daemon_end(const struct daemon *daemon, enum hygie_outcome outcome)
{
	cleanup_message struct wire_message *message = NULL;

	assert_int_equal(wire_message_new(WIRE_RESULT, &message), 0);
	wire_add_u32(message, TAG_OUTCOME, (uint32_t)outcome);
	wire_add_string(message, TAG_LOGIN_SECRET, "key");
	assert_int_equal(wire_send(daemon->connection, message), 0);
}

static void serve_secret(struct daemon *daemon)
{
	daemon_end(daemon, HYGIE_OK);
}

static void serve_secret_and_refuse(struct daemon *daemon)
{
	daemon_end(daemon, HYGIE_REFUSED);
}

static void login_secret_comes_with_a_success_alone(void **state)
{
	static const struct client_callbacks taking = { .secret = on_secret };
	static const struct {
		void (*serve)(struct daemon *daemon);
		const struct client_callbacks *with;
		const char *seen;
	} rows[] = {
		{ serve_secret, &taking, "key" },
		{ serve_secret, &callbacks, "" },
		{ serve_secret_and_refuse, &taking, "" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct seen seen = { 0 };
		struct daemon daemon;

		daemon_start(&daemon, rows[i].serve);
		(void)run(daemon.path, PATIENCE, rows[i].with, &seen);
		daemon_stop(&daemon);
		assert_string_equal(seen.shown, rows[i].seen);
	}
}

static void without_callbacks_a_prompt_is_cancelled(void **state)
{
	static const struct client_callbacks none = { .show = NULL };
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_everything);
	result = run(daemon.path, PATIENCE, &none, NULL);
	daemon_stop(&daemon);
	assert_int_equal(daemon.heard[1], WIRE_CANCEL);
	assert_int_equal(result.outcome, HYGIE_OK);
}

static void nobody_there_is_unavailable(void **state)
{
	struct client_result result;

	(void)state;
	result = run("/nonexistent/sock", PATIENCE, &callbacks, NULL);
	assert_int_equal(result.outcome, HYGIE_UNAVAILABLE);
	assert_string_equal(result.text, outcome_text(HYGIE_UNAVAILABLE));
}

static void too_long_a_path_is_a_fault(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(run(path, PATIENCE, &callbacks, NULL).outcome, HYGIE_FAULT);
}

static void serve_nothing(struct daemon *daemon)
{
	(void)daemon_hear(daemon);
}

static void silent_daemon_times_out(void **state)
{
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_nothing);
	result = run(daemon.path, 50, &callbacks, NULL);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_TIMED_OUT);
}

static void daemon_that_never_accepts_times_out(void **state)
{
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, NULL);
	assert_int_equal(run(daemon.path, 50, &callbacks, NULL).outcome, HYGIE_TIMED_OUT);
	daemon_stop(&daemon);
}

static void serve_for_ever(struct daemon *daemon)
{
	struct pollfd pollfd = { .fd = daemon->connection, .events = POLLOUT };
	uint64_t end = deadline_after(PATIENCE);

	while (deadline_left(end) > 0 && poll(&pollfd, 1, PATIENCE) == 1 &&
	       !(pollfd.revents & POLLHUP))
		daemon_say(daemon, WIRE_INFO, 0, "more");
}

static void endless_talk_times_out(void **state)
{
	struct seen seen = { .reads_for = 1 }; /* so that more is always there */
	uint64_t begin = monotonic_now();
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_for_ever);
	result = run(daemon.path, 100, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_TIMED_OUT);
	assert_true(monotonic_now() - begin < (uint64_t)PATIENCE * 1000 / 2);
}

static void serve_and_go(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_PROMPT, 0, "PIN: ");
}

static void daemon_that_goes_is_unavailable(void **state)
{
	struct seen seen = { .waits = true };
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_and_go);
	result = run(daemon.path, PATIENCE, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_UNAVAILABLE);
}

static void serve_removal(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_PROMPT, 0, "PIN: ");
	daemon_say(daemon, WIRE_RESULT, HYGIE_CARD_REMOVED, "It went.");
	(void)daemon_hear(daemon);
}

static void answer_stays_here_once_the_dialogue_ended(void **state)
{
	struct seen seen = { .waits = true };
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_removal);
	result = run(daemon.path, PATIENCE, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_CARD_REMOVED);
	assert_int_equal(seen.asked, 1);
	assert_int_equal(daemon.heard_count, 1);
	assert_string_equal(daemon.answer, "");
}

static void typing_time_is_handed_back(void **state)
{
	struct seen seen = { .types_for = 1200 };
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_everything);
	result = run(daemon.path, 1000, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(result.outcome, HYGIE_OK);
}

static void serve_what_only_clients_say(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_ANSWER, 0, "");
}

static void message_out_of_turn_is_refused(void **state)
{
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_what_only_clients_say);
	assert_int_equal(run(daemon.path, PATIENCE, &callbacks, NULL).outcome,
			 HYGIE_BAD_REQUEST);
	daemon_stop(&daemon);
}

static void serve_prompt(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_PROMPT, 0, "PIN: ");
	(void)daemon_hear(daemon);
	daemon_say(daemon, WIRE_RESULT, HYGIE_GAVE_UP, "");
}

static void closed_standard_streams_are_not_taken_over(void **state)
{
	int kept[STDERR_FILENO + 1];
	struct seen seen = { 0 };
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_prompt);
	for (int i = 0; i <= STDERR_FILENO; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		(void)close(i);
	}
	(void)run(daemon.path, PATIENCE, &callbacks, &seen);
	for (int i = 0; i <= STDERR_FILENO; i++) {
		(void)dup2(kept[i], i);
		(void)close(kept[i]);
	}
	daemon_stop(&daemon);
	assert_int_equal(seen.asked, 1);
	assert_true(seen.fd > STDERR_FILENO);
}

static void serve_deafly(struct daemon *daemon)
{
	daemon_say(daemon, WIRE_PROMPT, 0, "PIN: ");
	(void)daemon_hear(daemon);
	(void)daemon_hear(daemon);
}

static void unheeded_cancel_ends_soon(void **state)
{
	struct seen seen = { .answer_error = -ECANCELED };
	uint64_t begin = monotonic_now();
	struct client_result result;
	struct daemon daemon;

	(void)state;
	daemon_start(&daemon, serve_deafly);
	result = run(daemon.path, 60000, &callbacks, &seen);
	daemon_stop(&daemon);
	assert_int_equal(daemon.heard[1], WIRE_CANCEL);
	assert_int_equal(result.outcome, HYGIE_TIMED_OUT);
	assert_true(monotonic_now() - begin < UINT64_C(8000000));
}

static void error_of_this_side_is_told_with_its_outcome(void **state)
{
	static const struct {
		int error;
		enum hygie_outcome outcome;
	} rows[] = {
		{ -ENOENT, HYGIE_UNAVAILABLE },
		{ -EACCES, HYGIE_UNAVAILABLE },
		{ -EPERM, HYGIE_UNAVAILABLE },
		{ -ENOSYS, HYGIE_UNAVAILABLE },
		{ -EAFNOSUPPORT, HYGIE_UNAVAILABLE },
		{ -ETIMEDOUT, HYGIE_TIMED_OUT },
		{ -EPROTO, HYGIE_BAD_REQUEST },
		{ -EMFILE, HYGIE_FAULT },
		{ -ENOMEM, HYGIE_FAULT },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct client_result result;

		client_result_fault(&result, rows[i].error);
		assert_int_equal(result.outcome, rows[i].outcome);
		assert_int_equal(result.error, rows[i].error);
		assert_string_equal(result.text, outcome_text(rows[i].outcome));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_reaches_its_callback),
		cmocka_unit_test(login_secret_comes_with_a_success_alone),
		cmocka_unit_test(without_callbacks_a_prompt_is_cancelled),
		cmocka_unit_test(nobody_there_is_unavailable),
		cmocka_unit_test(too_long_a_path_is_a_fault),
		cmocka_unit_test(silent_daemon_times_out),
		cmocka_unit_test(daemon_that_never_accepts_times_out),
		cmocka_unit_test(endless_talk_times_out),
		cmocka_unit_test(daemon_that_goes_is_unavailable),
		cmocka_unit_test(answer_stays_here_once_the_dialogue_ended),
		cmocka_unit_test(typing_time_is_handed_back),
		cmocka_unit_test(message_out_of_turn_is_refused),
		cmocka_unit_test(closed_standard_streams_are_not_taken_over),
		cmocka_unit_test(unheeded_cancel_ends_soon),
		cmocka_unit_test(error_of_this_side_is_told_with_its_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
