/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: other programs, full disks and power cuts: neither makes the registry say
 * something else.
 */
#include "unit/registry_scratch.h"

#include "libhygie/deadline.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Another program with the file open and the lock held. */
static sqlite3 *lock_take(void **state, const char *sql)
{
	sqlite3 *database;

	assert_int_equal(sqlite3_open(registry_path(state), &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	return database;
}

#define assert_within_a_second(call, wanted)                                             \
	do {                                                                             \
		uint64_t begin = monotonic_now();                                        \
                                                                                         \
		assert_int_equal(call, wanted);                                          \
		assert_true(monotonic_now() - begin < 1000000);                          \
	} while (0)

static void a_held_write_lock_refuses_changes_in_time_and_not_reads(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment one = make("alice", 1), two = make("bob", 2);
	sqlite3 *other;
	size_t count;

	assert_int_equal(registry_add(registry, &one, false), 0);
	other = lock_take(state, "BEGIN EXCLUSIVE");
	assert_within_a_second(registry_add(registry, &two, false), -EBUSY);
	assert_within_a_second(
		registry_revoke(registry, NULL, "alice", "root", "", 9, &count), -EBUSY);
	assert_owner(registry, 1, "alice");
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	/* No half-open transaction stays behind. */
	assert_int_equal(registry_add(registry, &two, false), 0);
	registry_close(registry);
}

static void a_file_locked_as_a_whole_is_not_opened_and_says_so_in_time(void **state)
{
	sqlite3 *other;

	registry_close(open_new(state));
	other = lock_take(state, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
				 "UPDATE enrolment SET user = user; COMMIT");
	uint64_t begin = monotonic_now();

	assert_open_fails(state, -EBUSY, "end the program that holds it");
	assert_true(monotonic_now() - begin < 1000000);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	registry_close(open_new(state));
}

static void a_full_disk_refuses_and_keeps_what_was(void **state)
{
	struct rlimit kept, tight;
	struct registry *registry = open_new(state);
	int r = 0;
	uint8_t number = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
	tight = kept;
	tight.rlim_cur = 100 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	while (r == 0 && number < 200) {
		const struct enrolment e = make("alice", (uint8_t)(number + 1));

		r = registry_add(registry, &e, false);
		if (r == 0)
			number++;
	}
	assert_true(r == -EFBIG || r == -ENOSPC || r == -EIO);
	assert_true(number > 0 && number < 200);
	for (uint8_t i = 1; i <= number; i++)
		assert_owner(registry, i, "alice");
	struct enrolment none;

	assert_int_equal(registry_find_card(registry,
					    make("x", (uint8_t)(number + 1)).key_id,
					    &none),
			 -ENOENT);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
	const struct enrolment next = make("alice", (uint8_t)(number + 1));

	assert_int_equal(registry_add(registry, &next, false), 0);
	registry_close(registry);
	registry = open_new(state);
	assert_owner(registry, (uint8_t)(number + 1), "alice");
	registry_close(registry);
}

/* In a mount namespace of its own: what a read-only file system leaves possible. */
static void read_only_run(void **state)
{
	const struct scratch *scratch = *state;
	const struct enrolment one = make("alice", 1), two = make("bob", 2);
	const char *odd = scratch_path(state, "a?b%41#c.db");
	struct registry *registry = NULL;
	size_t count;

	assert_int_equal(mount("tmpfs", scratch->path, "tmpfs", 0, "mode=0755"), 0);
	assert_int_equal(registry_open(odd, &registry, reason, sizeof(reason)), 0);
	assert_int_equal(registry_add(registry, &one, false), 0);
	registry_close(registry);
	assert_int_equal(mount(NULL, scratch->path, NULL, MS_REMOUNT | MS_RDONLY, NULL),
			 0);
	assert_int_equal(registry_open(odd, &registry, reason, sizeof(reason)), 0);
	assert_owner(registry, 1, "alice");
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_ACTIVE);
	assert_int_equal(registry_add(registry, &two, false), -EROFS);
	assert_int_equal(registry_revoke(registry, NULL, "alice", "root", "", 9, &count),
			 -EROFS);
	assert_owner(registry, 1, "alice");
	registry_close(registry);
	assert_open_fails(state, -EROFS, "registry.db: cannot be made");
	/* A change that waits in the -wal must not be overlooked: it may be a revocation.
	 */
	assert_int_equal(mount(NULL, scratch->path, NULL, MS_REMOUNT, NULL), 0);
	scratch_text(state, "a?b%41#c.db-wal", "x");
	assert_int_equal(chmod(scratch_path(state, "a?b%41#c.db-wal"), 0600), 0);
	assert_int_equal(mount(NULL, scratch->path, NULL, MS_REMOUNT | MS_RDONLY, NULL),
			 0);
	assert_int_equal(registry_open(odd, &registry, reason, sizeof(reason)), -EROFS);
	assert_contains(reason, "has changes in");
}

/*
 * The test's own process enters the namespace, so that a failure inside is told as any
 * other; the mount goes with it at the end, and before the scratch folder does.
 */
static void a_read_only_file_system_lets_people_in_and_refuses_changes(void **state)
{
	const struct scratch *scratch = *state;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip(); /* mounting is root's, and not everywhere */
	read_only_run(state);
	assert_int_equal(umount(scratch->path), 0);
}

/* The child: enrols and revokes for ever, saying a byte to `fd` after each that is done.
 */
static void writer_run(const char *path, int fd)
{
	struct registry *registry;
	char text[512];
	size_t count;

	/* Whatever becomes of the test. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    registry_open(path, &registry, text, sizeof(text)) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		const uint8_t number = (uint8_t)(1 + i % 200);
		const struct enrolment e = make("alice", number);
		char key[17];

		(void)snprintf(key, sizeof(key), "%02x%02x%02x%02x", number, number,
			       number, number);
		if (registry_add(registry, &e, false) < 0 || write(fd, &number, 1) != 1 ||
		    (i % 3 == 0 &&
		     registry_revoke(registry, key, NULL, "root", "lost", 9, &count) < 0))
			_exit(2);
	}
}

/* Every row is one that the child wrote, whole. */
static int row_check(void *context, const struct enrolment *found)
{
	struct enrolment wanted = make("alice", found->key_id[0]);

	if (found->state == ENROLMENT_REVOKED) {
		wanted.state = ENROLMENT_REVOKED;
		wanted.revoked_at = 9;
		strcpy(wanted.revoked_by, "root");
		strcpy(wanted.revoke_reason, "lost");
	}
	assert_same(found, &wanted);
	++*(size_t *)context;
	return 0;
}

static void assert_integrity(void **state)
{
	sqlite3 *database;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(registry_path(state), &database), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1,
					    &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void a_writer_killed_at_any_moment_leaves_old_or_new_and_nothing_half(void **state)
{
	size_t done_in_all = 0;

	(void)unlink(registry_path(state));
	for (unsigned round = 0; round < 20; round++) {
		struct registry *registry;
		uint8_t last = 0;
		size_t rows = 0;
		int ends[2];
		pid_t child;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		child = fork();
		if (child == 0)
			writer_run(registry_path(state), ends[1]);
		assert_true(child > 0);
		assert_int_equal(close(ends[1]), 0);
		/* Round 0 dies while it makes the file; later ones after some writes. */
		for (unsigned i = 0; i < (round + 3) / 4; i++)
			assert_int_equal(read(ends[0], &last, 1), 1);
		for (volatile unsigned spin = 0; spin < round * 9973 % 200000; spin++)
			;
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		/* What it said to be done is done. */
		while (read(ends[0], &last, 1) == 1)
			;
		assert_int_equal(close(ends[0]), 0);
		registry = open_new(state);
		assert_int_equal(registry_list(registry, row_check, &rows), 0);
		if (last != 0) {
			struct enrolment e;

			assert_int_equal(
				registry_find_card(registry, make("x", last).key_id, &e),
				0);
			done_in_all++;
		}
		registry_close(registry);
		assert_integrity(state);
	}
	assert_true(done_in_all >= 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_held_write_lock_refuses_changes_in_time_and_not_reads),
		scratch_test(a_file_locked_as_a_whole_is_not_opened_and_says_so_in_time),
		scratch_test(a_full_disk_refuses_and_keeps_what_was),
		scratch_test(a_read_only_file_system_lets_people_in_and_refuses_changes),
		scratch_test(
			a_writer_killed_at_any_moment_leaves_old_or_new_and_nothing_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
