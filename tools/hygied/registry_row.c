/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An enrolment's way into a row and back; declared in registry_row.h. SQLite stores what
 * it is given and gives what is in the file, so the types, sizes and characters of each
 * column are checked on the way back too: whoever swapped or damaged the file must not
 * reach further than a refusal.
 */
#include "hygied/registry_row.h"

#include "libhygie/printable.h"

#include <errno.h>
#include <string.h>

int registry_errno(sqlite3 *database)
{
	int code = sqlite3_extended_errcode(database);
	int system = sqlite3_system_errno(database);

	switch (code & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT: /* the table's rules are ours: it was changed */
	case SQLITE_MISMATCH:
	case SQLITE_SCHEMA:
		return -EBADMSG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return code == SQLITE_CANTOPEN_SYMLINK ? -ELOOP
		       : system > 0                    ? -system
						       : -EIO;
	default:
		return -EIO;
	}
}

/* A text that could have been stored: ended within its array, clean, not empty if so
 * said. */
static bool text_is_fit(const char *text, size_t size, bool may_be_empty)
{
	size_t length = strnlen(text, size);

	return length < size && (may_be_empty || length > 0) &&
	       printable_is_clean(text, length);
}

#define member_is_fit(enrolment, member, may_be_empty)                                   \
	text_is_fit((enrolment)->member, sizeof((enrolment)->member), may_be_empty)

/* All of it or nothing. */
static bool store_key_is_fit(const struct enrolment *e)
{
	if (!e->has_store_key)
		return e->store_wrap == ENVELOPE_WRAP_NONE &&
		       e->store_certificate_size == 0;
	return e->store_wrap >= ENVELOPE_WRAP_RSA_OAEP_SHA256 &&
	       e->store_wrap <= ENVELOPE_WRAP_EC && e->store_certificate_size > 0 &&
	       e->store_certificate_size <= REGISTRY_CERTIFICATE_MAX;
}

int enrolment_check(const struct enrolment *e)
{
	bool fit = member_is_fit(e, user, false) && member_is_fit(e, scheme, false) &&
		   member_is_fit(e, person_id, false) && member_is_fit(e, holder, true) &&
		   member_is_fit(e, enrolled_by, false) && e->certificate_size > 0 &&
		   e->certificate_size <= REGISTRY_CERTIFICATE_MAX &&
		   e->not_before <= e->not_after;

	return fit && store_key_is_fit(e) ? 0 : -EINVAL;
}

static int bind_key(sqlite3_stmt *statement, int index, const uint8_t *key)
{
	return sqlite3_bind_blob(statement, index, key, HYGIE_KEY_ID_SIZE, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

int registry_row_bind(sqlite3_stmt *statement, const struct enrolment *e)
{
	/* SQLite's results are 0 or positive; one check for all. */
	int r = bind_key(statement, 1, e->key_id) | bind_text(statement, 2, e->user) |
		(e->has_store_key ? bind_key(statement, 3, e->store_key_id)
				  : sqlite3_bind_null(statement, 3)) |
		bind_text(statement, 4, e->scheme) |
		bind_text(statement, 5, e->person_id) |
		bind_text(statement, 6, e->holder) |
		bind_key(statement, 7, e->issuer_key_id) |
		sqlite3_bind_int64(statement, 8, e->not_before) |
		sqlite3_bind_int64(statement, 9, e->not_after) |
		sqlite3_bind_blob(statement, 10, e->certificate, (int)e->certificate_size,
				  SQLITE_STATIC) |
		sqlite3_bind_int(statement, 11, ENROLMENT_ACTIVE) |
		bind_text(statement, 12, e->enrolled_by) |
		sqlite3_bind_int64(statement, 13, e->enrolled_at) |
		(e->has_store_key ? sqlite3_bind_int(statement, 14, (int)e->store_wrap)
				  : sqlite3_bind_null(statement, 14)) |
		(e->has_store_key ? sqlite3_bind_blob(statement, 15, e->store_certificate,
						      (int)e->store_certificate_size,
						      SQLITE_STATIC)
				  : sqlite3_bind_null(statement, 15));

	return r == SQLITE_OK ? 0 : registry_errno(sqlite3_db_handle(statement));
}

/* Reading a row: the first column that is not as it must be ends it. */
struct row {
	sqlite3_stmt *statement;
	int fault;
};

/* Whether column `index` has the type; notes the fault if not. */
static bool row_is(struct row *row, int index, int type)
{
	if (row->fault == 0 && sqlite3_column_type(row->statement, index) != type)
		row->fault = -EBADMSG;
	return row->fault == 0;
}

static int64_t row_integer(struct row *row, int index)
{
	return row_is(row, index, SQLITE_INTEGER)
		       ? sqlite3_column_int64(row->statement, index)
		       : 0;
}

/* Takes a blob of `minimum` to `maximum` bytes; returns its size. */
static size_t row_blob(struct row *row, int index, uint8_t *ret_bytes, size_t minimum,
		       size_t maximum)
{
	const void *bytes;
	size_t size;

	if (!row_is(row, index, SQLITE_BLOB))
		return 0;
	bytes = sqlite3_column_blob(row->statement, index);
	size = (size_t)sqlite3_column_bytes(row->statement, index);
	if (bytes == NULL && size > 0) {
		row->fault = -ENOMEM;
		return 0;
	}
	if (size < minimum || size > maximum) {
		row->fault = -EBADMSG;
		return 0;
	}
	memcpy(ret_bytes, bytes, size);
	return size;
}

static void row_text(struct row *row, int index, char *ret_text, size_t size,
		     bool may_be_empty)
{
	const char *text;
	size_t length;

	if (!row_is(row, index, SQLITE_TEXT))
		return;
	text = (const char *)sqlite3_column_text(row->statement, index);
	length = (size_t)sqlite3_column_bytes(row->statement, index);
	if (text == NULL) {
		row->fault = -ENOMEM;
		return;
	}
	if (length >= size || memchr(text, '\0', length) != NULL ||
	    !text_is_fit(text, length + 1, may_be_empty)) {
		row->fault = -EBADMSG;
		return;
	}
	memcpy(ret_text, text, length + 1);
}

#define row_member(row, index, enrolment, member, may_be_empty)                          \
	row_text(row, index, (enrolment)->member, sizeof((enrolment)->member),           \
		 may_be_empty)

/* The state and what goes with it, from column 10 on. */
static void row_state(struct row *row, struct enrolment *e)
{
	int64_t state = row_integer(row, 10);

	row_member(row, 11, e, enrolled_by, false);
	e->enrolled_at = row_integer(row, 12);
	if (state == ENROLMENT_ACTIVE) {
		e->state = ENROLMENT_ACTIVE;
		(void)row_is(row, 13, SQLITE_NULL);
		(void)row_is(row, 14, SQLITE_NULL);
		(void)row_is(row, 15, SQLITE_NULL);
	} else if (state == ENROLMENT_REVOKED) {
		e->state = ENROLMENT_REVOKED;
		row_member(row, 13, e, revoked_by, false);
		e->revoked_at = row_integer(row, 14);
		row_member(row, 15, e, revoke_reason, true);
	} else if (row->fault == 0) {
		row->fault = -EBADMSG;
	}
}

/* The key for stores: columns 2, 16 and 17, all or none. */
static void row_store_key(struct row *row, struct enrolment *e)
{
	e->has_store_key = sqlite3_column_type(row->statement, 2) != SQLITE_NULL;
	if (!e->has_store_key) {
		(void)row_is(row, 16, SQLITE_NULL);
		(void)row_is(row, 17, SQLITE_NULL);
		return;
	}
	(void)row_blob(row, 2, e->store_key_id, HYGIE_KEY_ID_SIZE, HYGIE_KEY_ID_SIZE);
	e->store_wrap = (enum envelope_wrap)row_integer(row, 16);
	e->store_certificate_size =
		row_blob(row, 17, e->store_certificate, 1, REGISTRY_CERTIFICATE_MAX);
	if (row->fault == 0 &&
	    (sqlite3_column_int64(row->statement, 16) != (int64_t)e->store_wrap ||
	     !store_key_is_fit(e)))
		row->fault = -EBADMSG;
}

int registry_row_read(sqlite3_stmt *statement, struct enrolment *ret_enrolment)
{
	struct row row = { statement, 0 };
	cleanup_free struct enrolment *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	(void)row_blob(&row, 0, e->key_id, HYGIE_KEY_ID_SIZE, HYGIE_KEY_ID_SIZE);
	row_member(&row, 1, e, user, false);
	row_store_key(&row, e);
	row_member(&row, 3, e, scheme, false);
	row_member(&row, 4, e, person_id, false);
	row_member(&row, 5, e, holder, true);
	(void)row_blob(&row, 6, e->issuer_key_id, HYGIE_KEY_ID_SIZE, HYGIE_KEY_ID_SIZE);
	e->not_before = row_integer(&row, 7);
	e->not_after = row_integer(&row, 8);
	e->certificate_size =
		row_blob(&row, 9, e->certificate, 1, REGISTRY_CERTIFICATE_MAX);
	row_state(&row, e);
	if (row.fault == 0 && e->not_before > e->not_after)
		row.fault = -EBADMSG;
	if (row.fault == 0)
		*ret_enrolment = *e;
	return row.fault;
}
