/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: the registry's file: what is not safe, not ours or not whole is refused.
 */
#include "unit/registry_scratch.h"

#include <errno.h>
#include <sqlite3.h>

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
	sql_run(state, "PRAGMA user_version = 3");
	assert_open_fails(state, -EPROTONOSUPPORT, "made by a newer Hygie (version 3");
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

/* A registry as version 1 made it, with one row. */
static const char version_1_sql[] =
	"CREATE TABLE enrolment ("
	" key_id BLOB NOT NULL PRIMARY KEY CHECK (length(key_id) = 32),"
	" user TEXT NOT NULL CHECK (length(user) > 0),"
	" store_key_id BLOB CHECK (length(store_key_id) = 32),"
	" scheme TEXT NOT NULL, person_id TEXT NOT NULL, holder TEXT NOT NULL,"
	" issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),"
	" not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
	" certificate BLOB NOT NULL,"
	" state INTEGER NOT NULL CHECK (state IN (1, 2)),"
	" enrolled_by TEXT NOT NULL, enrolled_at INTEGER NOT NULL,"
	" revoked_by TEXT, revoked_at INTEGER, revoke_reason TEXT,"
	" CHECK ((state = 2) = (revoked_by IS NOT NULL)),"
	" CHECK ((state = 2) = (revoked_at IS NOT NULL))"
	") STRICT; CREATE INDEX enrolment_user ON enrolment (user);"
	"INSERT INTO enrolment VALUES (zeroblob(32), 'alice', NULL, 'us-piv', '1', 'A', "
	"zeroblob(32), 1, 2, x'30', 1, 'root', 3, NULL, NULL, NULL);"
	"PRAGMA application_id = 1213810505; PRAGMA user_version = 1;";

static void a_registry_of_version_1_is_brought_up_to_date(void **state)
{
	struct enrolment e = make("bob", 2), back;
	const uint8_t zeros[HYGIE_KEY_ID_SIZE] = { 0 };
	struct registry *registry;

	put(state, "", 0);
	sql_run(state, version_1_sql);
	for (int i = 0; i < 2; i++) { /* and stays so */
		registry = open_new(state);
		assert_int_equal(registry_find_card(registry, zeros, &back), 0);
		assert_string_equal(back.user, "alice");
		assert_false(back.has_store_key);
		if (i == 0)
			assert_int_equal(registry_add(registry, &e, false), 0);
		assert_owner(registry, 2, "bob");
		registry_close(registry);
	}
	sql_run(state, "PRAGMA user_version = 3");
	assert_open_fails(state, -EPROTONOSUPPORT, "made by a newer Hygie (version 3");
}

/* The file as a version before saw it: the columns are absent, its rows are there. */
static void an_upgrade_that_fails_leaves_version_1(void **state)
{
	sqlite3 *other;
	struct registry *registry;

	put(state, "", 0);
	sql_run(state, version_1_sql);
	/* It is held by another program. */
	assert_int_equal(sqlite3_open(registry_path(state), &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	(void)chmod(scratch_path(state, "registry.db-wal"), 0600);
	(void)chmod(scratch_path(state, "registry.db-shm"), 0600);
	assert_open_fails(state, -EBUSY, "cannot be brought up to date");
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	sql_run(state,
		"INSERT INTO enrolment SELECT CAST(x'01' || zeroblob(31) AS BLOB), 'bob', NULL, "
		"'us-piv', '1', 'A', zeroblob(32), 1, 2, x'30', 1, 'root', 3, NULL, "
		"NULL, NULL");
	/* The second change fails, so the first is not made. */
	sql_run(state, "ALTER TABLE enrolment ADD COLUMN store_certificate BLOB");
	assert_open_fails(state, -EBADMSG, "cannot be used");
	sql_run(state, "ALTER TABLE enrolment DROP COLUMN store_certificate;"
		       "SELECT 1 / (user_version = 1) FROM pragma_user_version");
	registry = open_new(state);
	registry_close(registry);
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
		"enrolled_by, enrolled_at, revoked_by, revoked_at, revoke_reason, "
		"store_wrap, store_certificate);"
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
		"store_key_id = NULL", /* but a wrap */
		"store_wrap = 0",
		"store_wrap = 5",
		"store_wrap = 4294967300", /* 4 in 32 bits */
		"store_wrap = NULL",
		"store_certificate = NULL",
		"store_certificate = x''",
		"store_certificate = zeroblob(16385)",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(the_file_is_made_for_its_owner_alone),
		scratch_test(a_file_that_is_not_safe_is_refused),
		scratch_test(an_unsafe_companion_is_refused),
		scratch_test(a_folder_that_others_can_write_is_refused),
		scratch_test(a_path_that_names_no_file_is_refused),
		scratch_test(what_is_no_database_is_refused_and_left_as_it_is),
		scratch_test(another_programs_database_is_refused_and_left_as_it_is),
		scratch_test(a_newer_version_is_refused),
		scratch_test(a_registry_of_version_1_is_brought_up_to_date),
		scratch_test(an_upgrade_that_fails_leaves_version_1),
		scratch_test(a_damaged_file_is_refused),
		scratch_test(a_truncated_file_is_refused),
		scratch_test(a_missing_table_or_column_is_refused),
		scratch_test(a_row_that_could_not_be_ours_is_refused),
		scratch_test(a_trigger_in_the_file_does_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
