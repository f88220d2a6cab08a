/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the registry and changes in it; declared in registry.h. Statements are
 * prepared once, so a login compiles no SQL; a table that is not ours is found then.
 */
#include "hygied/registry.h"

#include "hygied/registry_row.h"
#include "libhygie/printable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum statement {
	STATEMENT_FIND,
	STATEMENT_USER_STATE,
	STATEMENT_COUNT_ACTIVE,
	STATEMENT_ADD,
	STATEMENT_COUNT_KEY,
	STATEMENT_REVOKE_KEY,
	STATEMENT_REVOKE_USER,
	STATEMENT_LIST,
	STATEMENT_LIST_USER,
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_COUNT
};

#define KEY_BEGINS "substr(lower(hex(key_id)), 1, length(?4)) = ?4 AND state = 1"
#define SET_REVOKED "SET state = 2, revoked_by = ?1, revoked_at = ?2, revoke_reason = ?3"

static const char *const statement_sql[STATEMENT_COUNT] = {
	[STATEMENT_FIND] = "SELECT " REGISTRY_COLUMNS " FROM enrolment WHERE key_id = ?1",
	[STATEMENT_USER_STATE] = "SELECT coalesce(min(state), 0) FROM enrolment "
				 "WHERE user = ?1",
	[STATEMENT_COUNT_ACTIVE] = "SELECT count(*) FROM enrolment WHERE state = 1",
	[STATEMENT_ADD] =
		"INSERT OR REPLACE INTO enrolment (" REGISTRY_COLUMNS ") VALUES "
		"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
		"NULL, NULL, NULL, ?14, ?15)",
	[STATEMENT_COUNT_KEY] = "SELECT count(*) FROM enrolment WHERE " KEY_BEGINS,
	[STATEMENT_REVOKE_KEY] = "UPDATE enrolment " SET_REVOKED " WHERE " KEY_BEGINS,
	[STATEMENT_REVOKE_USER] =
		"UPDATE enrolment " SET_REVOKED " WHERE user = ?4 AND state = 1",
	[STATEMENT_LIST] = "SELECT " REGISTRY_COLUMNS " FROM enrolment "
			   "ORDER BY user, enrolled_at, key_id",
	[STATEMENT_LIST_USER] = "SELECT " REGISTRY_COLUMNS " FROM enrolment "
				"WHERE user = ?1 ORDER BY enrolled_at, key_id",
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
};

struct registry {
	sqlite3 *database;
	uint64_t busy_since; /* of registry_file.c */
	sqlite3_stmt *statement[STATEMENT_COUNT];
};

static int statements_prepare(struct registry *registry)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(registry->database, statement_sql[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &registry->statement[i],
				       NULL) != SQLITE_OK)
			/* SQLITE_ERROR: a table or column is missing */
			return (sqlite3_errcode(registry->database) & 0xFF) ==
					       SQLITE_ERROR
				       ? -EBADMSG
				       : registry_errno(registry->database);
	return 0;
}

int registry_open(const char *path, struct registry **ret_registry, char *reason,
		  size_t size)
{
	cleanup_registry struct registry *registry = calloc(1, sizeof(*registry));
	int r;

	(void)snprintf(reason, size, "%s: out of memory", path);
	if (registry == NULL)
		return -ENOMEM;
	r = registry_database_open(path, &registry->busy_since, &registry->database,
				   reason, size);
	if (r < 0)
		return r;
	r = statements_prepare(registry);
	if (r < 0) {
		(void)snprintf(
			reason, size,
			"%s: cannot be used: %s; keep it aside and restore a backup",
			path, sqlite3_errmsg(registry->database));
		return r;
	}
	reason[0] = '\0';
	*ret_registry = registry;
	registry = NULL;
	return 0;
}

void registry_close(struct registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(registry->statement[i]);
	(void)sqlite3_close(registry->database);
	free(registry);
}

/* A statement while it runs: reset, without its borrowed values, when it goes. */
static void statement_end(sqlite3_stmt **statement)
{
	(void)sqlite3_reset(*statement);
	(void)sqlite3_clear_bindings(*statement);
}
#define cleanup_statement cleanup_with(statement_end)

/* 1: a row; 0: done; or a negative errno. */
static int statement_step(struct registry *registry, sqlite3_stmt *statement)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return registry_errno(registry->database);
	}
}

/* Runs a statement that has no values and no rows. */
static int statement_run(struct registry *registry, enum statement which)
{
	cleanup_statement sqlite3_stmt *statement = registry->statement[which];

	return statement_step(registry, statement);
}

/*
 * Ends a transaction that was begun: commits if all went well so far. A commit that fails
 * leaves nothing behind: SQLite may keep the transaction open, so it is rolled back.
 */
static int transaction_end(struct registry *registry, int r)
{
	if (r == 0)
		r = statement_run(registry, STATEMENT_COMMIT);
	if (r < 0 && !sqlite3_get_autocommit(registry->database))
		(void)statement_run(registry, STATEMENT_ROLLBACK);
	return r;
}

int registry_find_card(struct registry *registry, const uint8_t key_id[HYGIE_KEY_ID_SIZE],
		       struct enrolment *ret_enrolment)
{
	cleanup_statement sqlite3_stmt *statement = registry->statement[STATEMENT_FIND];
	const void *found;
	int r;

	if (sqlite3_bind_blob(statement, 1, key_id, HYGIE_KEY_ID_SIZE, SQLITE_STATIC) !=
	    SQLITE_OK)
		return registry_errno(registry->database);
	r = statement_step(registry, statement);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	/* An index that lies must not give one person another's card. */
	if (sqlite3_column_type(statement, 0) != SQLITE_BLOB ||
	    sqlite3_column_bytes(statement, 0) != HYGIE_KEY_ID_SIZE)
		return -EBADMSG;
	found = sqlite3_column_blob(statement, 0);
	if (found == NULL)
		return -ENOMEM;
	if (memcmp(found, key_id, HYGIE_KEY_ID_SIZE) != 0)
		return -EBADMSG;
	return registry_row_read(statement, ret_enrolment);
}

int registry_user_state(struct registry *registry, const char *user,
			enum enrolment_state *ret_state)
{
	cleanup_statement sqlite3_stmt *statement =
		registry->statement[STATEMENT_USER_STATE];
	int state, r;

	if (sqlite3_bind_text(statement, 1, user, -1, SQLITE_STATIC) != SQLITE_OK)
		return registry_errno(registry->database);
	r = statement_step(registry, statement);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	state = sqlite3_column_int(statement, 0);
	if (state != 0 && state != ENROLMENT_ACTIVE && state != ENROLMENT_REVOKED)
		return -EBADMSG;
	*ret_state = (enum enrolment_state)state;
	return 0;
}

int registry_count_active(struct registry *registry, uint64_t *ret_count)
{
	cleanup_statement sqlite3_stmt *statement =
		registry->statement[STATEMENT_COUNT_ACTIVE];
	int r;

	r = statement_step(registry, statement);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	*ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
	return 0;
}

/* Whether the card may become this user's: -EEXIST if it is another's. */
static int card_is_free(struct registry *registry, const struct enrolment *enrolment)
{
	cleanup_free struct enrolment *old = calloc(1, sizeof(*old));
	int r;

	if (old == NULL)
		return -ENOMEM;
	r = registry_find_card(registry, enrolment->key_id, old);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (old->state == ENROLMENT_ACTIVE && strcmp(old->user, enrolment->user) != 0)
		return -EEXIST;
	return 0;
}

static int row_write(struct registry *registry, const struct enrolment *enrolment)
{
	cleanup_statement sqlite3_stmt *statement = registry->statement[STATEMENT_ADD];
	int r = registry_row_bind(statement, enrolment);

	return r < 0 ? r : statement_step(registry, statement);
}

int registry_add(struct registry *registry, const struct enrolment *enrolment,
		 bool reassign)
{
	int r = enrolment_check(enrolment);

	if (r < 0)
		return r;
	r = statement_run(registry, STATEMENT_BEGIN);
	if (r < 0)
		return r;
	if (!reassign)
		r = card_is_free(registry, enrolment);
	if (r == 0)
		r = row_write(registry, enrolment);
	return transaction_end(registry, r);
}

/* 8 to 64 hex digits, in small letters into `ret_key`. */
static int key_prefix_read(const char *key_id, char ret_key[2 * HYGIE_KEY_ID_SIZE + 1])
{
	size_t length = strlen(key_id);

	if (length < 8 || length > (size_t)2 * HYGIE_KEY_ID_SIZE)
		return -EINVAL;
	for (size_t i = 0; i <= length; i++) {
		char digit = key_id[i];

		if (digit >= 'A' && digit <= 'F')
			digit = (char)(digit + ('a' - 'A'));
		if (i < length && !(digit >= '0' && digit <= '9') &&
		    !(digit >= 'a' && digit <= 'f'))
			return -EINVAL;
		ret_key[i] = digit;
	}
	return 0;
}

/* -ENOENT for none, -ENOTUNIQ for several active cards. */
static int key_is_one(struct registry *registry, const char *key)
{
	cleanup_statement sqlite3_stmt *statement =
		registry->statement[STATEMENT_COUNT_KEY];
	int64_t count;
	int r;

	if (sqlite3_bind_text(statement, 4, key, -1, SQLITE_STATIC) != SQLITE_OK)
		return registry_errno(registry->database);
	r = statement_step(registry, statement);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	count = sqlite3_column_int64(statement, 0);
	return count == 1 ? 0 : count == 0 ? -ENOENT : -ENOTUNIQ;
}

/* What a revocation says of itself. */
struct revocation {
	const char *by;
	const char *reason;
	int64_t when;
};

static int revocation_write(struct registry *registry, enum statement which,
			    const char *wanted, const struct revocation *revocation,
			    size_t *ret_count)
{
	cleanup_statement sqlite3_stmt *statement = registry->statement[which];
	int r;

	if (sqlite3_bind_text(statement, 1, revocation->by, -1, SQLITE_STATIC) !=
		    SQLITE_OK ||
	    sqlite3_bind_int64(statement, 2, revocation->when) != SQLITE_OK ||
	    sqlite3_bind_text(statement, 3, revocation->reason, -1, SQLITE_STATIC) !=
		    SQLITE_OK ||
	    sqlite3_bind_text(statement, 4, wanted, -1, SQLITE_STATIC) != SQLITE_OK)
		return registry_errno(registry->database);
	r = statement_step(registry, statement);
	if (r < 0)
		return r;
	*ret_count = (size_t)sqlite3_changes(registry->database);
	return *ret_count > 0 ? 0 : -ENOENT;
}

static bool text_is_fit(const char *text, size_t size)
{
	size_t length = strlen(text);

	return length < size && printable_is_clean(text, length);
}

int registry_revoke(struct registry *registry, const char *key_id, const char *user,
		    const char *by, const char *reason, int64_t when, size_t *ret_count)
{
	const struct revocation revocation = { by, reason, when };
	char key[2 * HYGIE_KEY_ID_SIZE + 1];
	size_t count = 0;
	int r;

	if ((key_id == NULL) == (user == NULL) || by[0] == '\0' ||
	    !text_is_fit(by, HYGIE_USER_MAX) ||
	    !text_is_fit(reason, REGISTRY_REASON_SIZE))
		return -EINVAL;
	if (key_id != NULL && key_prefix_read(key_id, key) < 0)
		return -EINVAL;
	r = statement_run(registry, STATEMENT_BEGIN);
	if (r < 0)
		return r;
	if (key_id != NULL) {
		r = key_is_one(registry, key);
		if (r == 0)
			r = revocation_write(registry, STATEMENT_REVOKE_KEY, key,
					     &revocation, &count);
	} else {
		r = revocation_write(registry, STATEMENT_REVOKE_USER, user, &revocation,
				     &count);
	}
	r = transaction_end(registry, r);
	if (r == 0)
		*ret_count = count;
	return r;
}

static int rows_each(struct registry *registry, sqlite3_stmt *statement,
		     registry_callback callback, void *context)
{
	cleanup_free struct enrolment *enrolment = malloc(sizeof(*enrolment));
	int r;

	if (enrolment == NULL)
		return -ENOMEM;
	while ((r = statement_step(registry, statement)) > 0) {
		r = registry_row_read(statement, enrolment);
		if (r == 0)
			r = callback(context, enrolment);
		if (r != 0)
			return r;
	}
	return r;
}

int registry_list(struct registry *registry, registry_callback callback, void *context)
{
	cleanup_statement sqlite3_stmt *statement = registry->statement[STATEMENT_LIST];

	return rows_each(registry, statement, callback, context);
}

int registry_list_user(struct registry *registry, const char *user,
		       registry_callback callback, void *context)
{
	cleanup_statement sqlite3_stmt *statement =
		registry->statement[STATEMENT_LIST_USER];

	if (sqlite3_bind_text(statement, 1, user, -1, SQLITE_STATIC) != SQLITE_OK)
		return registry_errno(registry->database);
	return rows_each(registry, statement, callback, context);
}
