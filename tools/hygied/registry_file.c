/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry's file: judged, opened, made if new, and never touched if it is not ours;
 * declared in registry_row.h. SQLite opens by name, so safety rests on the folder: only
 * the owner can write it, hence nobody can swap what was judged.
 */
#include "hygied/registry_row.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define APPLICATION_ID 0x48594749 /* "HYGI": told by file(1) and checked here */
#define BUSY_MICROSECONDS 300000
#define BUSY_STEP_MICROSECONDS 10000

/* Where the file is, and where a person is told what is wrong with it. */
struct place {
	const char *path;
	const char *name; /* its last component */
	char *reason;
	size_t size;
};

static __attribute__((format(printf, 3, 4))) int
place_fail(const struct place *place, int fault, const char *format, ...)
{
	int used = snprintf(place->reason, place->size, "%s: ", place->path);
	va_list arguments;

	if (used > 0 && (size_t)used < place->size) {
		va_start(arguments, format);
		(void)vsnprintf(place->reason + used, place->size - (size_t)used, format,
				arguments);
		va_end(arguments);
	}
	return fault;
}

static int place_fail_database(const struct place *place, sqlite3 *database,
			       const char *doing)
{
	int fault = registry_errno(database);
	const char *advice = "look at the disk and the system's log";

	if (fault == -EBADMSG)
		advice =
			"the file is damaged or not a registry: keep it aside and restore "
			"a backup";
	else if (fault == -EBUSY)
		advice = "end the program that holds it";
	else if (fault == -ENOSPC || fault == -EFBIG)
		advice = "make room on the disk";
	else if (fault == -EROFS)
		advice = "make its file system writable";
	return place_fail(place, fault, "%s: %s; %s", doing, sqlite3_errmsg(database),
			  advice);
}

/* One file of the registry by name in its folder. -ENOENT is for the caller to judge. */
static int file_judge(const struct place *place, int folder, const char *name)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return place_fail(place, -ELOOP,
				  "%s is a symbolic link; put the file there", name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return place_fail(
			place, -EPERM,
			"%s is no regular file, or has hard links; replace it by "
			"a copy of its own",
			name);
	if (st.st_uid != geteuid())
		return place_fail(
			place, -EPERM,
			"%s belongs to user %u; run chown %u on it after a look at "
			"what is in it",
			name, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 07777) != 0600)
		return place_fail(place, -EPERM, "%s has mode %04o; run chmod 0600 on it",
				  name, (unsigned)(st.st_mode & 07777));
	return 0;
}

static int companions_judge(const struct place *place, int folder)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal" };

	for (size_t i = 0; i < array_size(suffixes); i++) {
		char name[NAME_MAX + 1];
		int n = snprintf(name, sizeof(name), "%s%s", place->name, suffixes[i]);
		int r;

		if (n < 0 || (size_t)n >= sizeof(name))
			return place_fail(place, -ENAMETOOLONG, "its name is too long");
		r = file_judge(place, folder, name);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/*
 * Makes an empty file. Closed before SQLite opens it: closing a second descriptor later
 * would drop SQLite's locks (POSIX).
 */
static int file_make(const struct place *place, int folder)
{
	int fd = openat(folder, place->name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = 0;

	if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(folder) < 0)
		r = -errno;
	if (fd >= 0)
		(void)close(fd);
	return r < 0 ? place_fail(place, r, "cannot be made: %s", error_text(-r)) : 0;
}

/*
 * On a file system that is mounted read-only: 1 when the file can be read as it is, since
 * no change waits in a -wal to be brought in. Elsewhere 0.
 */
static int folder_is_read_only(const struct place *place, int folder)
{
	char name[NAME_MAX + 1];
	struct statvfs fs;
	struct stat st;

	if (fstatvfs(folder, &fs) < 0)
		return -errno;
	if (!(fs.f_flag & ST_RDONLY))
		return 0;
	(void)snprintf(name, sizeof(name), "%s-wal", place->name);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return place_fail(
			place, -EROFS,
			"has changes in %s to be brought in, on a read-only file "
			"system; make it writable and start again",
			name);
	return 1;
}

/* Judges what is there and makes what is not. 1: to be opened for reading only. */
static int place_prepare(const struct place *place)
{
	cleanup_free char *folder_path =
		strndup(place->path, (size_t)(place->name - place->path - 1));
	cleanup_close int folder = -1;
	struct file_error error = { "" };
	int r;

	if (folder_path == NULL)
		return -ENOMEM;
	r = trusted_folder_open(folder_path, geteuid(), &folder, &error);
	if (r < 0) {
		(void)snprintf(place->reason, place->size, "%s", error.text);
		return r;
	}
	r = companions_judge(place, folder);
	if (r < 0)
		return r;
	r = file_judge(place, folder, place->name);
	if (r == -ENOENT)
		return file_make(place, folder);
	return r < 0 ? r : folder_is_read_only(place, folder);
}

/*
 * Called while another program holds a lock: 0 gives up. sqlite3_busy_timeout() adds up
 * the sleeps that it asked for, which on a loaded machine is far from the time that
 * passed, and the daemon stands still meanwhile.
 */
static int busy_wait(void *context, int calls)
{
	uint64_t *since = context;

	if (calls == 0)
		*since = monotonic_now();
	if (monotonic_now() - *since > BUSY_MICROSECONDS)
		return 0;
	(void)usleep(BUSY_STEP_MICROSECONDS);
	return 1;
}

/* What SQLite may do at all with a file that somebody could have damaged. */
static int database_harden(sqlite3 *database, uint64_t *busy_since)
{
	static const int off[] = {
		SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
		SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DDL,
		SQLITE_DBCONFIG_DQS_DML,        SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
	};

	for (size_t i = 0; i < array_size(off); i++)
		if (sqlite3_db_config(database, off[i], 0, NULL) != SQLITE_OK)
			return -EIO;
	if (sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) !=
		    SQLITE_OK ||
	    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) !=
		    SQLITE_OK ||
	    sqlite3_busy_handler(database, busy_wait, busy_since) != SQLITE_OK)
		return -EIO;
	(void)sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(database, SQLITE_LIMIT_LENGTH, 1024 * 1024);
	return 0;
}

/* The number that a PRAGMA or SELECT gives; negative errno in *ret_fault's stead. */
static int number_ask(sqlite3 *database, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		r = registry_errno(database);
	else
		*ret_number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

/* 1 when `sql` answers with the text `wanted`, 0 when with another, or a negative errno.
 */
static int answer_is(sqlite3 *database, const char *sql, const char *wanted)
{
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;
	int r;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	if (text == NULL)
		r = registry_errno(database);
	else
		r = strcmp(text, wanted) == 0;
	(void)sqlite3_finalize(statement);
	return r;
}

/* 1: made by us, this version; 0: empty, to be made; else a fault, told. */
static int database_recognise(const struct place *place, sqlite3 *database)
{
	int64_t application = 0, version = 0, tables = 0;
	int r = number_ask(database, "PRAGMA application_id", &application);

	if (r == 0)
		r = number_ask(database, "PRAGMA user_version", &version);
	if (r == 0)
		r = number_ask(database, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return place_fail_database(place, database, "cannot be read");
	if (application == 0 && version == 0 && tables == 0)
		return 0;
	if (application != APPLICATION_ID || version < 1)
		return place_fail(
			place, -EBADMSG,
			"is a database, but not a registry of Hygie; name another "
			"file in [paths] registry");
	if (version > REGISTRY_VERSION)
		return place_fail(
			place, -EPROTONOSUPPORT,
			"was made by a newer Hygie (version %lld, this one knows "
			"%d); install that one again",
			(long long)version, REGISTRY_VERSION);
	return 1;
}

static const char schema_sql[] =
	"CREATE TABLE enrolment ("
	" key_id BLOB NOT NULL PRIMARY KEY CHECK (length(key_id) = 32),"
	" user TEXT NOT NULL CHECK (length(user) > 0),"
	" store_key_id BLOB CHECK (length(store_key_id) = 32),"
	" scheme TEXT NOT NULL,"
	" person_id TEXT NOT NULL,"
	" holder TEXT NOT NULL,"
	" issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),"
	" not_before INTEGER NOT NULL,"
	" not_after INTEGER NOT NULL,"
	" certificate BLOB NOT NULL,"
	" state INTEGER NOT NULL CHECK (state IN (1, 2)),"
	" enrolled_by TEXT NOT NULL,"
	" enrolled_at INTEGER NOT NULL,"
	" revoked_by TEXT,"
	" revoked_at INTEGER,"
	" revoke_reason TEXT,"
	" CHECK ((state = 2) = (revoked_by IS NOT NULL)),"
	" CHECK ((state = 2) = (revoked_at IS NOT NULL))"
	") STRICT;"
	"CREATE INDEX enrolment_user ON enrolment (user);";

/* What version 2 has more: the key that opens record stores. */
static const char version_2_sql[] =
	"ALTER TABLE enrolment ADD COLUMN store_wrap INTEGER"
	" CHECK (store_wrap BETWEEN 1 AND 4);"
	"ALTER TABLE enrolment ADD COLUMN store_certificate BLOB"
	" CHECK ((store_key_id IS NULL) = (store_certificate IS NULL)"
	" AND (store_key_id IS NULL) = (store_wrap IS NULL));";

/* The whole of it is one transaction: a new file is empty or complete. */
static int database_make(const struct place *place, sqlite3 *database)
{
	char sql[2048];
	int r;

	(void)snprintf(sql, sizeof(sql),
		       "BEGIN IMMEDIATE;%s%sPRAGMA application_id = %d;"
		       "PRAGMA user_version = %d;COMMIT;",
		       schema_sql, version_2_sql, APPLICATION_ID, REGISTRY_VERSION);
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	r = place_fail_database(place, database, "cannot be made");
	(void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/*
 * Brings a registry of version 1 up to date, whole or not at all. An older Hygie does not
 * open it any more, so that it cannot enrol a card without saying what opens stores.
 */
static int database_upgrade(const struct place *place, sqlite3 *database, bool read_only)
{
	char sql[1024];
	int64_t version = 0;
	int r = number_ask(database, "PRAGMA user_version", &version);

	if (r < 0)
		return place_fail_database(place, database, "cannot be read");
	if (version == REGISTRY_VERSION)
		return 0;
	if (read_only)
		return place_fail(
			place, -EROFS,
			"is of an older version (%lld), on a read-only file system; make "
			"it writable and start again",
			(long long)version);
	(void)snprintf(sql, sizeof(sql),
		       "BEGIN IMMEDIATE;%sPRAGMA user_version = %d;COMMIT;",
		       version_2_sql, REGISTRY_VERSION);
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	r = (sqlite3_errcode(database) & 0xFF) == SQLITE_ERROR
		    ? place_fail(place, -EBADMSG,
				 "cannot be used: %s; keep it aside and restore a backup",
				 sqlite3_errmsg(database))
		    : place_fail_database(place, database,
					  "cannot be brought up to date");
	(void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* WAL and full durability. The mode stays in the file, so only once it is ours. */
static int database_make_durable(const struct place *place, sqlite3 *database)
{
	if (answer_is(database, "PRAGMA journal_mode = WAL", "wal") == 1 &&
	    sqlite3_exec(database, "PRAGMA synchronous = FULL", NULL, NULL, NULL) ==
		    SQLITE_OK)
		return 0;
	return place_fail_database(place, database, "cannot be set up");
}

static int database_check(const struct place *place, sqlite3 *database)
{
	int sound = answer_is(database, "PRAGMA quick_check(1)", "ok");

	if (sound < 0)
		return place_fail_database(place, database, "cannot be checked");
	if (sound == 0)
		return place_fail(place, -EBADMSG,
				  "is damaged; keep it aside and restore a backup");
	return 0;
}

static int database_settle(const struct place *place, sqlite3 *database, bool read_only)
{
	int known = database_recognise(place, database);
	int r = 0;

	if (known < 0)
		return known;
	if (sqlite3_exec(database,
			 "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
			 "PRAGMA temp_store = MEMORY",
			 NULL, NULL, NULL) != SQLITE_OK)
		return place_fail_database(place, database, "cannot be set up");
	if (!read_only)
		r = database_make_durable(place, database);
	if (r < 0)
		return r;
	if (known == 0)
		return database_make(place, database);
	r = database_check(place, database);
	return r < 0 ? r : database_upgrade(place, database, read_only);
}

/* "file:PATH?immutable=1", with what a URI gives a meaning written as %XX. */
static void uri_make(const char *path, char *ret_uri, size_t size)
{
	size_t used = (size_t)snprintf(ret_uri, size, "file:");

	for (; *path != '\0' && used + 16 < size; path++)
		used += (size_t)snprintf(ret_uri + used, size - used,
					 strchr("?#%", *path) != NULL ? "%%%02X" : "%c",
					 (unsigned char)*path);
	(void)snprintf(ret_uri + used, size - used, "?immutable=1");
}

/*
 * WAL wants to make a file beside the database even to read it. On a read-only file
 * system the database is therefore opened as one that nobody changes: people can still
 * log in, and every change is refused.
 */
static int database_open(const struct place *place, bool read_only,
			 sqlite3 **ret_database)
{
	const int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
			  SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	char uri[3 * PATH_MAX];
	int r;

	if (read_only) {
		uri_make(place->path, uri, sizeof(uri));
		r = sqlite3_open_v2(uri, ret_database,
				    flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	} else {
		r = sqlite3_open_v2(place->path, ret_database,
				    flags | SQLITE_OPEN_READWRITE, NULL);
	}
	if (r == SQLITE_OK)
		return 0;
	if (*ret_database == NULL)
		return place_fail(place, -ENOMEM, "out of memory");
	return place_fail_database(place, *ret_database, "cannot be opened");
}

int registry_database_open(
	const char *path, uint64_t *busy_since, sqlite3 **ret_database,
	/* NOLINTNEXTLINE(readability-non-const-parameter): written by refusals */
	char *reason, size_t size)
{
	const char *slash = strrchr(path, '/');
	const struct place place = { path, slash != NULL ? slash + 1 : path, reason,
				     size };
	sqlite3 *database = NULL;
	int prepared, r;

	if (path[0] != '/' || slash == NULL || slash == path || slash[1] == '\0')
		return place_fail(&place, -EINVAL, "is not the absolute path of a file");
	prepared = place_prepare(&place);
	if (prepared < 0)
		return prepared;
	r = database_open(&place, prepared == 1, &database);
	if (r == 0)
		r = database_harden(database, busy_since);
	if (r == 0)
		r = database_settle(&place, database, prepared == 1);
	if (r < 0) {
		(void)sqlite3_close(database);
		return r;
	}
	*ret_database = database;
	return 0;
}
