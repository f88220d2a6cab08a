/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that do as lockers do: what is taken for the hold of the screen, and for its
 * end. Each is a shell that waits until it is killed, or for a line in a pipe.
 */
#include "hygie/locker_run.h"

#include "unit/cmocka_includes.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US 20000000ull
#define GATE 9 /* where a locker reads until the gate is opened */

struct bench {
	sd_event *loop;
	struct locker_run *run;
	char heard[64]; /* "seen ", "well ", "broke " in order */
	int gate[2];    /* closed by us: whoever reads from it goes on */
};

static void hear(struct bench *bench, const char *word)
{
	assert_true(strlen(bench->heard) + strlen(word) < sizeof(bench->heard));
	(void)strcat(bench->heard, word);
}

static void on_seen(void *context)
{
	hear(context, "seen ");
}

static void on_ended(void *context, bool well)
{
	hear(context, well ? "well " : "broke ");
}

static const struct locker_listener listener = { .seen = on_seen, .ended = on_ended };

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	assert_true(sd_event_new(&bench->loop) >= 0);
	assert_int_equal(locker_run_new(bench->loop, &listener, bench, &bench->run), 0);
	assert_int_equal(pipe2(bench->gate, O_CLOEXEC), 0);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	pid_t pids[LOCKER_PIDS_MAX];
	size_t count = locker_run_pids(bench->run, pids);

	for (size_t i = 0; i < count; i++)
		(void)kill(pids[i], SIGKILL);
	locker_run_free(bench->run);
	(void)sd_event_unref(bench->loop);
	(void)close(bench->gate[0]);
	if (bench->gate[1] >= 0)
		(void)close(bench->gate[1]);
	free(bench);
	return 0;
}

static void start(struct bench *bench, enum locker_evidence evidence, const char *script)
{
	const struct locker locker = { .evidence = evidence,
				       .argv = { "/bin/sh", "-c", script, NULL } };

	(void)dup2(bench->gate[0], GATE);
	bench->heard[0] = '\0';
	assert_int_equal(locker_run_start(bench->run, &locker), 0);
}

static void open_gate(struct bench *bench)
{
	(void)close(bench->gate[1]);
	bench->gate[1] = -1;
}

/* Until this was heard; nothing else may be. */
static void wait_heard(struct bench *bench, const char *all)
{
	while (strlen(bench->heard) < strlen(all)) {
		int r = sd_event_run(bench->loop, PATIENCE_US);

		if (r <= 0)
			fail_msg("heard \"%s\", not \"%s\"", bench->heard, all);
	}
	assert_string_equal(bench->heard, all);
}

/* What was not heard when something later was will not be heard: a process ended since. */
static void wait_end(struct bench *bench)
{
	while (!strstr(bench->heard, "well") && !strstr(bench->heard, "broke"))
		assert_true(sd_event_run(bench->loop, PATIENCE_US) > 0);
}

static void one_that_forks_is_seen_when_its_first_process_has_ended(void **state)
{
	struct bench *bench = *state;
	pid_t pids[LOCKER_PIDS_MAX];

	start(bench, LOCKER_SEEN_BY_FORK, "{ cat; exit 0; } <&9 & exit 0");
	wait_heard(bench, "seen ");
	assert_int_equal(locker_run_pids(bench->run, pids), 1);
	open_gate(bench);
	wait_heard(bench, "seen well ");
	assert_int_equal(locker_run_pids(bench->run, pids), 0);
}

static void each_of_its_processes_has_to_end_well(void **state)
{
	struct bench *bench = *state;

	start(bench, LOCKER_SEEN_BY_FORK,
	      "{ cat; exit 0; } <&9 & { cat; exit 1; } <&9 & exit 0");
	wait_heard(bench, "seen ");
	open_gate(bench);
	wait_end(bench);
	assert_string_equal(bench->heard, "seen broke ");
}

static void killed_one_is_broken_and_the_rest_of_it_is_killed(void **state)
{
	struct bench *bench = *state;
	pid_t pids[LOCKER_PIDS_MAX];

	start(bench, LOCKER_SEEN_BY_FORK, "sleep 1000 & sleep 1000 & exit 0");
	wait_heard(bench, "seen ");
	assert_int_equal(locker_run_pids(bench->run, pids), 2);
	assert_int_equal(kill(pids[0], SIGKILL), 0);
	wait_heard(bench, "seen broke ");
	while (kill(pids[1], 0) == 0) /* until it is reaped */
		assert_true(sd_event_run(bench->loop, PATIENCE_US) > 0);
}

static void first_process_that_leaves_nobody_is_not_seen(void **state)
{
	struct bench *bench = *state;

	start(bench, LOCKER_SEEN_BY_FORK, "exit 0");
	wait_heard(bench, "well ");
	start(bench, LOCKER_SEEN_BY_FORK, "exit 1");
	wait_heard(bench, "broke ");
}

static void first_process_that_fails_is_not_seen_whatever_it_leaves(void **state)
{
	struct bench *bench = *state;

	start(bench, LOCKER_SEEN_BY_FORK, "sleep 1000 & exit 1");
	wait_heard(bench, "broke ");
}

static void what_an_earlier_one_left_behind_is_not_the_locker(void **state)
{
	struct bench *bench = *state;

	/* It leads a session of its own, as swaylock does: once its output is closed. */
	start(bench, LOCKER_SEEN_BY_NOTHING,
	      "x=$(setsid sh -c 'exec cat <&9 >/dev/null' &); exit 0");
	wait_heard(bench, "well ");
	start(bench, LOCKER_SEEN_BY_FORK, "exit 0");
	wait_heard(bench, "well ");
	open_gate(bench);
}

static void closed_descriptor_is_the_evidence_of_one_that_lives(void **state)
{
	struct bench *bench = *state;
	pid_t pids[LOCKER_PIDS_MAX];

	start(bench, LOCKER_SEEN_BY_SLEEP_FD,
	      "[ $XSS_SLEEP_LOCK_FD = 3 ] || exit 1; exec 3>&-; cat <&9; exit 0");
	wait_heard(bench, "seen ");
	assert_int_equal(locker_run_pids(bench->run, pids), 1);
	open_gate(bench);
	wait_heard(bench, "seen well ");
}

static void what_outlives_the_rest_of_a_broken_one_is_not_the_next_one(void **state)
{
	struct bench *bench = *state;
	pid_t pids[LOCKER_PIDS_MAX];

	for (int i = 0; i < 20; i++) {
		/* The inner ones become our children when the outer ones are killed. */
		start(bench, LOCKER_SEEN_BY_FORK,
		      "(sleep 9 & wait) & (sleep 9 & wait) & sleep 1000 & exit 0");
		wait_heard(bench, "seen ");
		assert_int_equal(locker_run_pids(bench->run, pids), 3);
		assert_int_equal(kill(pids[0], SIGKILL), 0);
		wait_heard(bench, "seen broke ");
	}
}

static void descriptor_closed_by_a_death_is_none(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 20; i++) {
		start(bench, LOCKER_SEEN_BY_SLEEP_FD, "kill -9 $$");
		wait_heard(bench, "broke ");
		start(bench, LOCKER_SEEN_BY_SLEEP_FD, "echo >&3; exit 0");
		wait_heard(bench, "well ");
	}
}

static void written_line_is_evidence_and_a_closed_descriptor_is_not(void **state)
{
	struct bench *bench = *state;

	start(bench, LOCKER_SEEN_BY_READY_FD,
	      "[ -z \"$XSS_SLEEP_LOCK_FD\" ] || exit 1; echo >&3; cat <&9; exit 0");
	wait_heard(bench, "seen ");
	open_gate(bench);
	wait_heard(bench, "seen well ");
	start(bench, LOCKER_SEEN_BY_READY_FD, "exec 3>&-; exec sleep 0.1");
	wait_end(bench);
	assert_string_equal(bench->heard, "well ");
}

static void one_without_evidence_is_never_seen(void **state)
{
	struct bench *bench = *state;

	start(bench, LOCKER_SEEN_BY_NOTHING, "[ ! -e /proc/$$/fd/3 ]; exit $?");
	wait_end(bench);
	assert_string_equal(bench->heard, "well ");
}

static void program_that_is_not_there_cannot_be_started(void **state)
{
	struct bench *bench = *state;
	const struct locker locker = { .evidence = LOCKER_SEEN_BY_SLEEP_FD,
				       .argv = { "/nonexistent/locker", NULL } };
	pid_t pids[LOCKER_PIDS_MAX];

	assert_true(locker_run_start(bench->run, &locker) < 0);
	assert_int_equal(locker_run_pids(bench->run, pids), 0);
	assert_string_equal(bench->heard, "");
}

int main(void)
{
#define bench_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		bench_test(one_that_forks_is_seen_when_its_first_process_has_ended),
		bench_test(each_of_its_processes_has_to_end_well),
		bench_test(killed_one_is_broken_and_the_rest_of_it_is_killed),
		bench_test(first_process_that_leaves_nobody_is_not_seen),
		bench_test(first_process_that_fails_is_not_seen_whatever_it_leaves),
		bench_test(what_an_earlier_one_left_behind_is_not_the_locker),
		bench_test(what_outlives_the_rest_of_a_broken_one_is_not_the_next_one),
		bench_test(closed_descriptor_is_the_evidence_of_one_that_lives),
		bench_test(descriptor_closed_by_a_death_is_none),
		bench_test(written_line_is_evidence_and_a_closed_descriptor_is_not),
		bench_test(one_without_evidence_is_never_seen),
		bench_test(program_that_is_not_there_cannot_be_started),
	};

	return cmocka_run_group_tests_name("locker_run", tests, NULL, NULL);
}
