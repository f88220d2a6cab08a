/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: whose card is whose, and that neither a killed writer, a full disk, a held
 * lock nor a changed file makes it say something else.
 */
#include "unit/scratch.h"

#include "hygied/registry.h"
#include "libhygie/deadline.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char reason[512];

static const char *registry_path(void **state)
{
	return scratch_path(state, "registry.db");
}

static struct registry *open_new(void **state)
{
	struct registry *registry = NULL;
	int r = registry_open(registry_path(state), &registry, reason, sizeof(reason));

	if (r != 0)
		fail_msg("registry_open: %d: %s", r, reason);
	return registry;
}

static void assert_open_fails(void **state, int fault, const char *told)
{
	struct registry *registry = NULL;

	reason[0] = '\0';
	assert_int_equal(
		registry_open(registry_path(state), &registry, reason, sizeof(reason)),
		fault);
	assert_null(registry);
	assert_contains(reason, told);
}

/* A whole enrolment, all of whose parts are told by `number` and `user`. */
static struct enrolment make(const char *user, uint8_t number)
{
	struct enrolment e = { .has_store_key = number % 2 == 0,
			       .scheme = "fr-igc-sante",
			       .not_before = 1000 + number,
			       .not_after = 2000 + number,
			       .certificate_size = 1500u + number,
			       .state = ENROLMENT_ACTIVE,
			       .enrolled_by = "root",
			       .enrolled_at = 5000 + number };

	(void)snprintf(e.user, sizeof(e.user), "%s", user);
	(void)snprintf(e.person_id, sizeof(e.person_id), "89970%02u", number);
	(void)snprintf(e.holder, sizeof(e.holder), "Zoé SPECIMEN %u", number);
	memset(e.key_id, number, sizeof(e.key_id));
	if (e.has_store_key)
		memset(e.store_key_id, 0x80 | number, sizeof(e.store_key_id));
	memset(e.issuer_key_id, 0x40 | number, sizeof(e.issuer_key_id));
	memset(e.certificate, number, e.certificate_size);
	return e;
}

static void assert_same(const struct enrolment *a, const struct enrolment *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static void assert_owner(struct registry *registry, uint8_t number, const char *user)
{
	struct enrolment wanted = make(user, number), e;

	assert_int_equal(registry_find_card(registry, wanted.key_id, &e), 0);
	assert_same(&e, &wanted);
}

static void an_enrolment_is_found_whole_after_reopening(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment one = make("alice", 1), two = make("bob", 2);
	struct enrolment e;

	assert_int_equal(registry_add(registry, &one, false), 0);
	assert_int_equal(registry_add(registry, &two, false), 0);
	registry_close(registry);
	registry = open_new(state);
	assert_owner(registry, 1, "alice");
	assert_owner(registry, 2, "bob");
	assert_int_equal(registry_find_card(registry, make("x", 3).key_id, &e), -ENOENT);
	registry_close(registry);
}

static void the_largest_enrolment_is_kept_whole(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment big = make("x", 1), e;

	memset(big.user, 'u', sizeof(big.user) - 1);
	memset(big.holder, 'h', sizeof(big.holder) - 1);
	memset(big.person_id, 'p', sizeof(big.person_id) - 1);
	memset(big.scheme, 's', sizeof(big.scheme) - 1);
	big.certificate_size = REGISTRY_CERTIFICATE_MAX;
	memset(big.certificate, 0xA5, REGISTRY_CERTIFICATE_MAX);
	big.not_after = INT64_MAX;
	big.not_before = INT64_MIN;
	assert_int_equal(registry_add(registry, &big, false), 0);
	assert_int_equal(registry_find_card(registry, big.key_id, &e), 0);
	assert_same(&e, &big);
	registry_close(registry);
}

static void an_unfit_enrolment_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment e;

	e = make("", 1);
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a\nb", 1);
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	memset(e.user, 'u', sizeof(e.user)); /* no end */
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	strcpy(e.holder, "\xC3(");
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.certificate_size = 0;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e.certificate_size = REGISTRY_CERTIFICATE_MAX + 1;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.not_after = e.not_before - 1;
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	e = make("a", 1);
	e.enrolled_by[0] = '\0';
	assert_int_equal(registry_add(registry, &e, false), -EINVAL);
	assert_int_equal(registry_find_card(registry, e.key_id, &e), -ENOENT);
	registry_close(registry);
}

static int state_of(struct registry *registry, const char *user)
{
	enum enrolment_state state;

	assert_int_equal(registry_user_state(registry, user, &state), 0);
	return (int)state;
}

static void a_user_is_a_cardholder_by_his_cards(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 1);
	const struct enrolment second = make("alice", 2);
	size_t count = 9;

	assert_int_equal(state_of(registry, "alice"), 0);
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_ACTIVE);
	assert_int_equal(state_of(registry, "Alice"), 0);
	assert_int_equal(state_of(registry, ""), 0);
	assert_int_equal(
		registry_revoke(registry, NULL, "alice", "root", "lost", 9, &count), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_REVOKED);
	assert_int_equal(registry_add(registry, &second, false), 0);
	assert_int_equal(state_of(registry, "alice"), ENROLMENT_ACTIVE);
	registry_close(registry);
}

static void anothers_active_card_is_not_taken_without_reassign(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment alice = make("alice", 1), bob = make("bob", 1);

	assert_int_equal(registry_add(registry, &alice, false), 0);
	assert_int_equal(registry_add(registry, &bob, false), -EEXIST);
	assert_owner(registry, 1, "alice");
	assert_int_equal(registry_add(registry, &bob, true), 0);
	assert_owner(registry, 1, "bob");
	registry_close(registry);
}

static void the_same_users_card_is_refreshed(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment e = make("alice", 1), found;

	assert_int_equal(registry_add(registry, &e, false), 0);
	memset(e.holder, 0, sizeof(e.holder));
	strcpy(e.holder, "Renewed");
	e.not_after += 100;
	e.certificate_size = 10;
	memset(e.certificate, 0, sizeof(e.certificate));
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(registry_find_card(registry, e.key_id, &found), 0);
	assert_same(&found, &e);
	registry_close(registry);
}

static void a_revoked_card_is_shown_as_such_and_enrolled_anew(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 0xAB), bob = make("bob", 0xAB);
	struct enrolment found;
	size_t count = 0;

	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(registry_revoke(registry, "ABabABab", NULL, "chief", "lost",
					 7777, &count),
			 0);
	assert_int_equal(count, 1);
	assert_int_equal(registry_find_card(registry, e.key_id, &found), 0);
	assert_int_equal(found.state, ENROLMENT_REVOKED);
	assert_string_equal(found.revoked_by, "chief");
	assert_string_equal(found.revoke_reason, "lost");
	assert_int_equal(found.revoked_at, 7777);
	assert_string_equal(found.user, "alice");
	/* Twice is not once more: who revoked it first stays. */
	assert_int_equal(registry_revoke(registry, "abababab", NULL, "x", "y", 8, &count),
			 -ENOENT);
	assert_int_equal(registry_add(registry, &bob, false), 0);
	assert_owner(registry, 0xAB, "bob");
	registry_close(registry);
}

static void revoking_a_user_takes_all_his_cards_and_no_others(void **state)
{
	struct registry *registry = open_new(state);
	size_t count = 0;

	for (uint8_t i = 1; i <= 4; i++) {
		const struct enrolment e = make(i == 4 ? "bob" : "alice", i);

		assert_int_equal(registry_add(registry, &e, false), 0);
	}
	assert_int_equal(registry_revoke(registry, NULL, "alice", "root", "", 9, &count),
			 0);
	assert_int_equal(count, 3);
	assert_owner(registry, 4, "bob");
	assert_int_equal(registry_revoke(registry, NULL, "carol", "root", "", 9, &count),
			 -ENOENT);
	registry_close(registry);
}

static void digits_that_fit_two_cards_revoke_none(void **state)
{
	struct registry *registry = open_new(state);
	struct enrolment one = make("alice", 0x11), two = make("bob", 0x11);
	size_t count = 42;

	two.key_id[31] = 0x99;
	assert_int_equal(registry_add(registry, &one, false), 0);
	assert_int_equal(registry_add(registry, &two, false), 0);
	assert_int_equal(
		registry_revoke(registry, "1111111111", NULL, "root", "", 9, &count),
		-ENOTUNIQ);
	assert_int_equal(count, 42);
	assert_owner(registry, 0x11, "alice");
	assert_int_equal(registry_revoke(registry,
					 "11111111111111111111111111111111"
					 "11111111111111111111111111111199",
					 NULL, "root", "", 9, &count),
			 0);
	assert_int_equal(count, 1);
	assert_owner(registry, 0x11, "alice");
	registry_close(registry);
}

static void a_revocation_that_is_not_clear_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 1);
	char long_key[66], long_reason[REGISTRY_REASON_SIZE + 1];
	size_t count = 42;

	memset(long_key, '0', 65);
	long_key[65] = '\0';
	memset(long_reason, 'r', REGISTRY_REASON_SIZE);
	long_reason[REGISTRY_REASON_SIZE] = '\0';
	assert_int_equal(registry_add(registry, &e, false), 0);
	static const char *const keys[] = { "", "0101010", "0101010g", "0101010%",
					    "01 10101" };

	for (size_t i = 0; i < array_size(keys); i++)
		assert_int_equal(
			registry_revoke(registry, keys[i], NULL, "root", "", 9, &count),
			-EINVAL);
	assert_int_equal(registry_revoke(registry, long_key, NULL, "root", "", 9, &count),
			 -EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, NULL, "root", "", 9, &count),
			 -EINVAL);
	assert_int_equal(
		registry_revoke(registry, "01010101", "alice", "root", "", 9, &count),
		-EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, "alice", "", "", 9, &count),
			 -EINVAL);
	assert_int_equal(
		registry_revoke(registry, NULL, "alice", "r", long_reason, 9, &count),
		-EINVAL);
	assert_int_equal(registry_revoke(registry, NULL, "alice", "r", "a\nb", 9, &count),
			 -EINVAL);
	assert_int_equal(count, 42);
	assert_owner(registry, 1, "alice");
	registry_close(registry);
}

/* --- lists ------------------------------------------------------------------------ */

struct listing {
	char users[256];
	size_t count;
	size_t stop_after;
};

static int list_note(void *context, const struct enrolment *e)
{
	struct listing *listing = context;

	strcat(listing->users, e->user);
	strcat(listing->users, " ");
	listing->count++;
	return listing->count == listing->stop_after ? 77 : 0;
}

static void a_list_is_by_user_then_time_and_can_be_ended(void **state)
{
	struct registry *registry = open_new(state);
	struct listing all = { 0 }, some = { .stop_after = 2 };
	const struct enrolment e[] = { make("bob", 1), make("alice", 9),
				       make("alice", 2) };

	for (size_t i = 0; i < array_size(e); i++)
		assert_int_equal(registry_add(registry, &e[i], false), 0);
	assert_int_equal(registry_list(registry, list_note, &all), 0);
	assert_string_equal(all.users, "alice alice bob ");
	assert_int_equal(registry_list(registry, list_note, &some), 77);
	assert_int_equal(some.count, 2);
	/* A list that was ended leaves the registry usable. */
	assert_int_equal(registry_add(registry, &e[0], false), 0);
	registry_close(registry);
}

/* --- the file ---------------------------------------------------------------------- */

static void the_file_is_made_for_its_owner_alone(void **state)
{
	struct registry *registry;
	struct stat st;
	static const char *const suffixes[] = { "", "-wal", "-shm" };

	(void)umask(0);
	registry = open_new(state);
	for (size_t i = 0; i < array_size(suffixes); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "registry.db%s", suffixes[i]);
		assert_int_equal(stat(scratch_path(state, name), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	registry_close(registry);
}

static void a_file_that_is_not_safe_is_refused(void **state)
{
	const char *path = registry_path(state);
	const char *other = scratch_path(state, "other");

	registry_close(open_new(state));
	assert_int_equal(chmod(path, 0640), 0);
	assert_open_fails(state, -EPERM, "registry.db has mode 0640; run chmod 0600");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(link(path, other), 0);
	assert_open_fails(state, -EPERM, "has hard links");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_open_fails(state, -ELOOP, "is a symbolic link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_open_fails(state, -EPERM, "is no regular file");
}

static void an_unsafe_companion_is_refused(void **state)
{
	const char *evil = scratch_text(state, "evil", "precious");
	static const char *const names[] = { "registry.db-wal", "registry.db-shm",
					     "registry.db-journal" };

	registry_close(open_new(state));
	for (size_t i = 0; i < array_size(names); i++) {
		assert_int_equal(symlink(evil, scratch_path(state, names[i])), 0);
		assert_open_fails(state, -ELOOP, names[i]);
		assert_int_equal(unlink(scratch_path(state, names[i])), 0);
		scratch_text(state, names[i], ""); /* mode 0644 */
		assert_open_fails(state, -EPERM, "has mode 0644");
		assert_int_equal(unlink(scratch_path(state, names[i])), 0);
	}
	registry_close(open_new(state));
}

static void a_folder_that_others_can_write_is_refused(void **state)
{
	const struct scratch *scratch = *state;

	registry_close(open_new(state));
	assert_int_equal(chmod(scratch->path, 0770), 0);
	assert_open_fails(state, -EPERM, "can be written by its group");
	assert_int_equal(chmod(scratch->path, 0700), 0);
	registry_close(open_new(state));
}

static void a_path_that_names_no_file_is_refused(void **state)
{
	static const char *const paths[] = { "registry.db", "/", "/x",
					     "/tmp/",       "",  ":memory:" };
	struct registry *registry = NULL;

	(void)state;
	for (size_t i = 0; i < array_size(paths); i++)
		assert_int_equal(
			registry_open(paths[i], &registry, reason, sizeof(reason)),
			-EINVAL);
	assert_int_equal(registry_open(scratch_path(state, "none/registry.db"), &registry,
				       reason, sizeof(reason)),
			 -ENOENT);
	assert_contains(reason, "none: does not exist");
}

static void put(void **state, const void *bytes, size_t size)
{
	scratch_write(state, "registry.db", bytes, size);
	assert_int_equal(chmod(registry_path(state), 0600), 0);
}

static void what_is_no_database_is_refused_and_left_as_it_is(void **state)
{
	static const char text[] =
		"This is a letter, and by no means a database of SQLite. "
		"It is longer than a header of a hundred bytes, though.";
	char after[sizeof(text) + 1];
	FILE *file;

	put(state, text, sizeof(text));
	assert_open_fails(state, -EBADMSG, "damaged or not a registry");
	file = fopen(registry_path(state), "re");
	assert_non_null(file);
	assert_int_equal(fread(after, 1, sizeof(after), file), sizeof(text));
	(void)fclose(file);
	assert_memory_equal(after, text, sizeof(text));
}

/* Runs SQL of an ill-willed root on the file, apart from the registry's own code. */
static void sql_run(void **state, const char *sql)
{
	sqlite3 *database;
	char *error = NULL;

	assert_int_equal(sqlite3_open(registry_path(state), &database), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(database, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
		SQLITE_OK);
	if (sqlite3_exec(database, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void another_programs_database_is_refused_and_left_as_it_is(void **state)
{
	put(state, "", 0);
	sql_run(state,
		"CREATE TABLE letters (text); INSERT INTO letters VALUES ('dear');");
	assert_open_fails(state, -EBADMSG, "not a registry of Hygie");
	sql_run(state, "PRAGMA user_version = 1");
	assert_open_fails(state, -EBADMSG, "not a registry of Hygie");
	sql_run(state, "SELECT text FROM letters");
	/* not even its journal mode: no -wal is there */
	assert_int_equal(access(scratch_path(state, "registry.db-wal"), F_OK), -1);
}

static void a_newer_version_is_refused(void **state)
{
	registry_close(open_new(state));
	sql_run(state, "PRAGMA user_version = 2");
	assert_open_fails(state, -EPROTONOSUPPORT, "made by a newer Hygie (version 2");
	sql_run(state, "PRAGMA user_version = 0");
	assert_open_fails(state, -EBADMSG, "not a registry of Hygie");
}

static void a_damaged_file_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	char garbage[4096];
	int fd;

	for (uint8_t i = 1; i <= 100; i++) {
		const struct enrolment e = make("alice", i);

		assert_int_equal(registry_add(registry, &e, false), 0);
	}
	registry_close(registry);
	/* The tree of the table's pages, not the header. */
	memset(garbage, 0x5A, sizeof(garbage));
	fd = open(registry_path(state), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t page = 1; page < 20; page++)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), page * 4096), 4096);
	assert_int_equal(close(fd), 0);
	assert_open_fails(state, -EBADMSG, "damaged");
}

static void a_truncated_file_is_refused(void **state)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 1);

	assert_int_equal(registry_add(registry, &e, false), 0);
	registry_close(registry);
	assert_int_equal(truncate(registry_path(state), 4096), 0);
	assert_open_fails(state, -EBADMSG, "damaged");
}

static void a_missing_table_or_column_is_refused(void **state)
{
	registry_close(open_new(state));
	sql_run(state, "ALTER TABLE enrolment DROP COLUMN revoke_reason");
	assert_open_fails(state, -EBADMSG, "cannot be used");
	sql_run(state, "DROP TABLE enrolment");
	assert_open_fails(state, -EBADMSG, "cannot be used");
}

/* The table as a forger would make it: same columns, no types, no rules. */
static void forge(void **state, const char *update)
{
	struct registry *registry = open_new(state);
	const struct enrolment e = make("alice", 2);
	char sql[1024];

	assert_int_equal(registry_add(registry, &e, false), 0);
	registry_close(registry);
	(void)snprintf(
		sql, sizeof(sql),
		"CREATE TABLE forged (key_id, user, store_key_id, scheme, person_id, "
		"holder, issuer_key_id, not_before, not_after, certificate, state, "
		"enrolled_by, enrolled_at, revoked_by, revoked_at, revoke_reason);"
		"INSERT INTO forged SELECT * FROM enrolment; DROP TABLE enrolment;"
		"ALTER TABLE forged RENAME TO enrolment; UPDATE enrolment SET %s",
		update);
	sql_run(state, sql);
}

static void a_row_that_could_not_be_ours_is_refused(void **state)
{
	static const char *const updates[] = {
		"user = NULL",
		"user = ''",
		"user = x'616C696365'",
		"user = 5",
		"user = 'al' || char(0) || 'ice'",
		"user = 'al' || char(10) || 'ice'",
		"user = hex(zeroblob(128))", /* 256 characters: no room for the end */
		"person_id = hex(zeroblob(64))",
		"scheme = CAST(x'C328' AS TEXT)",
		"store_key_id = x'01'",
		"store_key_id = 'text'",
		"issuer_key_id = zeroblob(33)",
		"issuer_key_id = NULL",
		"not_before = 'soon'",
		"not_after = 2.5",
		"not_after = -1",
		"certificate = zeroblob(16385)",
		"certificate = x''",
		"certificate = 'text'",
		"state = 0",
		"state = 3",
		"state = 4294967297", /* 1 in 32 bits */
		"state = 'active'",
		"state = 2",           /* revoked, by nobody */
		"revoked_by = 'root'", /* active and revoked */
		"enrolled_at = NULL",
	};

	for (size_t i = 0; i < array_size(updates); i++) {
		cleanup_registry struct registry *registry = NULL;
		struct enrolment e, before;
		struct listing listing = { 0 };
		int r;

		(void)unlink(registry_path(state));
		forge(state, updates[i]);
		registry = open_new(state);
		memset(&e, 0x77, sizeof(e));
		before = e;
		r = registry_find_card(registry, make("alice", 2).key_id, &e);
		if (r != -EBADMSG)
			fail_msg("%d: %s", r, updates[i]);
		assert_same(&e, &before);
		assert_int_equal(registry_list(registry, list_note, &listing), -EBADMSG);
		assert_int_equal(listing.count, 0);
	}
}

static void a_trigger_in_the_file_does_not_run(void **state)
{
	struct registry *registry;
	const struct enrolment e = make("alice", 1);

	registry_close(open_new(state));
	sql_run(state, "CREATE TRIGGER t AFTER INSERT ON enrolment BEGIN "
		       "UPDATE enrolment SET user = 'mallory'; END");
	registry = open_new(state);
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_owner(registry, 1, "alice");
	registry_close(registry);
}

/* --- other programs, full disks, power cuts --------------------------------------- */

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
		scratch_test(an_enrolment_is_found_whole_after_reopening),
		scratch_test(the_largest_enrolment_is_kept_whole),
		scratch_test(an_unfit_enrolment_is_refused),
		scratch_test(a_user_is_a_cardholder_by_his_cards),
		scratch_test(anothers_active_card_is_not_taken_without_reassign),
		scratch_test(the_same_users_card_is_refreshed),
		scratch_test(a_revoked_card_is_shown_as_such_and_enrolled_anew),
		scratch_test(revoking_a_user_takes_all_his_cards_and_no_others),
		scratch_test(digits_that_fit_two_cards_revoke_none),
		scratch_test(a_revocation_that_is_not_clear_is_refused),
		scratch_test(a_list_is_by_user_then_time_and_can_be_ended),
		scratch_test(the_file_is_made_for_its_owner_alone),
		scratch_test(a_file_that_is_not_safe_is_refused),
		scratch_test(an_unsafe_companion_is_refused),
		scratch_test(a_folder_that_others_can_write_is_refused),
		scratch_test(a_path_that_names_no_file_is_refused),
		scratch_test(what_is_no_database_is_refused_and_left_as_it_is),
		scratch_test(another_programs_database_is_refused_and_left_as_it_is),
		scratch_test(a_newer_version_is_refused),
		scratch_test(a_damaged_file_is_refused),
		scratch_test(a_truncated_file_is_refused),
		scratch_test(a_missing_table_or_column_is_refused),
		scratch_test(a_row_that_could_not_be_ours_is_refused),
		scratch_test(a_trigger_in_the_file_does_not_run),
		scratch_test(a_held_write_lock_refuses_changes_in_time_and_not_reads),
		scratch_test(a_file_locked_as_a_whole_is_not_opened_and_says_so_in_time),
		scratch_test(a_full_disk_refuses_and_keeps_what_was),
		scratch_test(a_read_only_file_system_lets_people_in_and_refuses_changes),
		scratch_test(
			a_writer_killed_at_any_moment_leaves_old_or_new_and_nothing_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
