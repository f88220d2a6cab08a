/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: what arrives at the journal, at syslog and on standard error, that nothing in a
 * line can forge another, and that nobody is waited for.
 */
#include "unit/scratch.h"

#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A socket such as the journal's, at `name` in the scratch folder. */
static int listen_at(void **state, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       scratch_path(state, name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The next line that arrived there; a datagram to a bound socket is there at once. */
static char *receive(int fd)
{
	static char text[32768];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static void open_at(void **state, enum log_target target, enum log_level level)
{
	static char journal[128], syslog[128];

	(void)snprintf(journal, sizeof(journal), "%s", scratch_path(state, "journal"));
	(void)snprintf(syslog, sizeof(syslog), "%s", scratch_path(state, "syslog"));
	log_open_at("hygied", target, level, journal, syslog);
}

/* Standard error goes to a pipe from `capture_begin` on. */
static int stderr_kept = -1;

static int capture_begin(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	stderr_kept = dup(STDERR_FILENO);
	assert_true(stderr_kept >= 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(close(ends[1]), 0);
	return ends[0];
}

static char *capture_end(int fd)
{
	static char text[131072];
	size_t used = 0;
	ssize_t n;

	assert_int_equal(dup2(stderr_kept, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(close(stderr_kept), 0);
	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	assert_int_equal(close(fd), 0);
	return text;
}

static const struct log_field fields[] = {
	{ "HYGIE_USER", "alice" },
	{ "HYGIE_READER", "PC Twin 00" },
	{ "HYGIE_CARD", NULL },
};

static void the_journal_gets_text_and_fields(void **state)
{
	int fd = listen_at(state, "journal");

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_message(LOG_LEVEL_WARNING, fields, array_size(fields), "card %d is late", 3);
	assert_string_equal(receive(fd),
			    "PRIORITY=4\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=hygied\n"
			    "MESSAGE=card 3 is late user=alice reader=\"PC Twin 00\"\n"
			    "HYGIE_USER=alice\nHYGIE_READER=PC Twin 00\n");
	log_close();
	(void)close(fd);
}

static void an_audit_line_carries_event_outcome_and_fields_at_any_level(void **state)
{
	int fd = listen_at(state, "journal");

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_ERROR);
	log_audit("authenticate", HYGIE_PIN_WRONG, fields, array_size(fields));
	assert_string_equal(
		receive(fd),
		"PRIORITY=5\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=hygied\n"
		"MESSAGE=authenticate: pin-wrong user=alice reader=\"PC Twin 00\"\n"
		"HYGIE_AUDIT=1\nHYGIE_EVENT=authenticate\nHYGIE_OUTCOME=pin-wrong\n"
		"HYGIE_USER=alice\nHYGIE_READER=PC Twin 00\n");
	log_close();
	(void)close(fd);
}

static void nothing_in_a_line_makes_another_line_or_field(void **state)
{
	int fd = listen_at(state, "journal");
	const struct log_field hostile[] = {
		{ "HYGIE_USER", "x\nHYGIE_OUTCOME=ok\n\033[2J" },
		{ "HYGIE_READER", "a\" user=\"root" },
		{ "HYGIE_CARD", "\xE2\x80\xAE"
				"evil\xFF" },
	};
	char *text;

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_message(LOG_LEVEL_INFO, hostile, array_size(hostile), "%s",
		    "m\nPRIORITY=0\n\001");
	text = receive(fd);
	assert_string_equal(text,
			    "PRIORITY=6\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=hygied\n"
			    "MESSAGE=m\\x0APRIORITY=0\\x0A\\x01"
			    " user=\"x\\x0AHYGIE_OUTCOME=ok\\x0A\\x1B[2J\""
			    " reader=\"a' user='root\" card=\\xE2\\x80\\xAEevil\\xFF\n"
			    "HYGIE_USER=x\\x0AHYGIE_OUTCOME=ok\\x0A\\x1B[2J\n"
			    "HYGIE_READER=a\" user=\"root\n"
			    "HYGIE_CARD=\\xE2\\x80\\xAEevil\\xFF\n");
	log_close();
	(void)close(fd);
}

static void what_is_escaped_already_is_not_escaped_twice(void **state)
{
	int fd = listen_at(state, "journal");

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_info("holder a\\x0Ab");
	assert_contains(receive(fd), "MESSAGE=holder a\\x0Ab\n");
	log_close();
	(void)close(fd);
}

static void lines_below_the_level_are_left_out(void **state)
{
	int fd = listen_at(state, "journal");

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_WARNING);
	log_info("no");
	log_debug("no");
	assert_null(receive(fd));
	log_warning("yes");
	assert_contains(receive(fd), "MESSAGE=yes\n");
	log_error("yes");
	assert_contains(receive(fd), "PRIORITY=3\n");
	log_close();
	(void)close(fd);
}

static void without_a_journal_syslog_gets_the_line(void **state)
{
	int fd = listen_at(state, "syslog");
	char month[4], rest[128];
	const char *text;
	int day, hour, minute, second, pid;

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_message(LOG_LEVEL_ERROR, fields, array_size(fields), "broken");
	text = receive(fd);
	assert_non_null(text);
	assert_int_equal(sscanf(text, "<83>%3s %d %d:%d:%d hygied[%d]: %120[^\n]", month,
				&day, &hour, &minute, &second, &pid, rest),
			 7);
	assert_int_equal(pid, getpid());
	assert_string_equal(rest, "broken user=alice reader=\"PC Twin 00\"");
	log_close();
	(void)close(fd);
}

static void without_both_standard_error_gets_a_line_for_each_event(void **state)
{
	int fd = capture_begin();

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_error("two\nlines");
	log_audit("enrol", HYGIE_OK, fields, 1);
	log_info("plain");
	assert_string_equal(capture_end(fd), "hygied: error: two\\x0Alines\n"
					     "hygied: audit: enrol: ok user=alice\n"
					     "hygied: plain\n");
	log_close();
}

static void a_target_that_was_named_is_the_only_one(void **state)
{
	int journal = listen_at(state, "journal");
	int fd = capture_begin();

	open_at(state, LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_info("here");
	assert_string_equal(capture_end(fd), "hygied: here\n");
	assert_null(receive(journal));
	/* syslog was named and is not there: the lines wait for it as a count */
	fd = capture_begin();
	open_at(state, LOG_TARGET_SYSLOG, LOG_LEVEL_INFO);
	log_info("lost");
	assert_string_equal(capture_end(fd), "");
	assert_null(receive(journal));
	int late = listen_at(state, "syslog");

	log_info("found");
	assert_contains(receive(late), "found lost_lines=1");
	log_close();
	(void)close(late);
	(void)close(journal);
}

static void
a_journal_that_takes_nothing_is_not_waited_for_and_losses_are_told(void **state)
{
	int fd = listen_at(state, "journal");
	uint64_t begin = monotonic_now();
	unsigned sent = 1000, arrived = 0;
	char told[64];

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	for (unsigned i = 0; i < sent; i++)
		log_info("line %u", i);
	assert_true(monotonic_now() - begin < 1000000);
	while (receive(fd) != NULL)
		arrived++;
	assert_true(arrived > 0 && arrived < sent);
	log_info("again");
	(void)snprintf(told, sizeof(told), "MESSAGE=again lost_lines=%u\n",
		       sent - arrived);
	assert_contains(receive(fd), told);
	log_info("and again");
	assert_contains(receive(fd), "MESSAGE=and again\n");
	log_close();
	(void)close(fd);
}

static void a_journal_that_was_restarted_gets_the_next_line(void **state)
{
	int fd = listen_at(state, "journal");

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_info("one");
	assert_contains(receive(fd), "MESSAGE=one\n");
	(void)close(fd);
	assert_int_equal(unlink(scratch_path(state, "journal")), 0);
	log_info("meanwhile");
	fd = listen_at(state, "journal");
	log_info("two");
	assert_contains(receive(fd), "MESSAGE=two lost_lines=1\n");
	log_close();
	(void)close(fd);
}

static void a_full_pipe_on_standard_error_is_not_waited_for(void **state)
{
	int ends[2];
	int kept = dup(STDERR_FILENO);
	uint64_t begin;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0); /* blocking, as a shell's is */
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	open_at(state, LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	begin = monotonic_now();
	for (unsigned i = 0; i < 5000; i++)
		log_info("a line of some length to fill the pipe with, number %u", i);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	assert_true(monotonic_now() - begin < 5000000);
	log_close();
	(void)close(kept);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void a_closed_standard_error_harms_nobody(void **state)
{
	int kept = dup(STDERR_FILENO);

	(void)state;
	open_at(state, LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	assert_int_equal(close(STDERR_FILENO), 0);
	log_info("into the void");
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	log_close();
	(void)close(kept);
}

static void a_broken_pipe_on_standard_error_kills_nobody(void **state)
{
	int fd = capture_begin();

	open_at(state, LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	assert_int_equal(close(fd), 0);
	log_info("nobody reads this"); /* SIGPIPE would end the test */
	assert_int_equal(dup2(stderr_kept, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(close(stderr_kept), 0);
	log_close();
}

static void long_lines_and_many_fields_are_cut_not_overrun(void **state)
{
	int fd = listen_at(state, "journal");
	static char big[4000];
	struct log_field many[40];
	int pipe_fd;
	char *text;

	memset(big, 'b', sizeof(big) - 1);
	for (size_t i = 0; i < array_size(many); i++)
		many[i] = (struct log_field){ "HYGIE_USER", big };
	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	log_message(LOG_LEVEL_INFO, many, array_size(many), "%s", big);
	text = receive(fd);
	assert_non_null(text);
	assert_true(strlen(text) <= 16384);
	log_audit("x", HYGIE_OK, many, array_size(many));
	assert_contains(receive(fd), "HYGIE_EVENT=x\n");
	pipe_fd = capture_begin();
	open_at(state, LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_message(LOG_LEVEL_INFO, many, array_size(many), "%s", big);
	log_info("next");
	text = capture_end(pipe_fd);
	assert_int_equal(strcspn(text, "\n"), PIPE_BUF - 1);
	assert_string_equal(text + PIPE_BUF, "hygied: next\n");
	log_close();
	(void)close(fd);
}

static void errno_is_kept(void **state)
{
	int fd = capture_begin();

	open_at(state, LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	errno = EXDEV;
	log_info("%s", "x");
	log_audit("x", HYGIE_OK, NULL, 0);
	assert_int_equal(errno, EXDEV);
	(void)capture_end(fd);
	log_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(the_journal_gets_text_and_fields),
		scratch_test(an_audit_line_carries_event_outcome_and_fields_at_any_level),
		scratch_test(nothing_in_a_line_makes_another_line_or_field),
		scratch_test(what_is_escaped_already_is_not_escaped_twice),
		scratch_test(lines_below_the_level_are_left_out),
		scratch_test(without_a_journal_syslog_gets_the_line),
		scratch_test(without_both_standard_error_gets_a_line_for_each_event),
		scratch_test(a_target_that_was_named_is_the_only_one),
		scratch_test(
			a_journal_that_takes_nothing_is_not_waited_for_and_losses_are_told),
		scratch_test(a_journal_that_was_restarted_gets_the_next_line),
		scratch_test(a_full_pipe_on_standard_error_is_not_waited_for),
		scratch_test(a_closed_standard_error_harms_nobody),
		scratch_test(a_broken_pipe_on_standard_error_kills_nobody),
		scratch_test(long_lines_and_many_fields_are_cut_not_overrun),
		scratch_test(errno_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
