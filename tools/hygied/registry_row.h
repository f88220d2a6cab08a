/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the registry: the database's opening, its errors, and a row's way
 * in and out. Nobody else includes this.
 */
#pragma once

#include "hygied/registry.h"

#include <sqlite3.h>

/* The columns in the order in which a row is bound and read. */
#define REGISTRY_COLUMNS                                                                 \
	"key_id, user, store_key_id, scheme, person_id, holder, issuer_key_id, "         \
	"not_before, not_after, certificate, state, enrolled_by, enrolled_at, "          \
	"revoked_by, revoked_at, revoke_reason, store_wrap, store_certificate"

/* The negative errno for SQLite's last error on `database`; never 0. */
int registry_errno(sqlite3 *database);

/*
 * Opens and, if new, makes the database, as registry_open says. `busy_since` is kept for
 * as long as the database is open: when the wait for a lock began.
 */
int registry_database_open(const char *path, uint64_t *busy_since, sqlite3 **ret_database,
			   char *reason, size_t size) must_check;

/* Whether an enrolment may be stored: -EINVAL if not. */
int enrolment_check(const struct enrolment *enrolment) must_check;

/* Binds an enrolment as active to the first 15 parameters, borrowed. */
int registry_row_bind(sqlite3_stmt *statement,
		      const struct enrolment *enrolment) must_check;

/* Reads the current row. -EBADMSG when it could not have been ours. */
int registry_row_read(sqlite3_stmt *statement,
		      struct enrolment *ret_enrolment) must_check;
