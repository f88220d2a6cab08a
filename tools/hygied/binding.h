/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings: which logind session was opened, or unlocked last, by which card. Each is a
 * file of its own, named after the session, in a folder under /run: a daemon that starts
 * anew knows them all, a machine that starts anew none. Whether the session still lives
 * is not known here; see session.h.
 */
#pragma once

#include "hygied/readers.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BINDINGS_FOLDER "/run/hygie/sessions"

struct binding {
	char session[HYGIE_SESSION_MAX]; /* logind's id: letters, digits, '-' and '_' */
	char user[HYGIE_USER_MAX];
	uid_t uid;
	uint8_t key_id[HYGIE_KEY_ID_SIZE]; /* the card's key */
	char reader[READER_NAME_MAX];      /* where the card was; a URI without reader */
	char service[HYGIE_SERVICE_MAX];   /* PAM service that it was proven to */
	uint64_t since;                    /* seconds since 1970 */
};

/*
 * Writes the session's binding, whole or not at all, over an earlier one; makes the
 * folder (mode 0700) where it is missing. -EINVAL for an id or text that does not fit in
 * a line of the file.
 */
int binding_write(const char *folder, const struct binding *binding) must_check;

/*
 * 0 and the session's binding; -ENOENT without one; -EINVAL for an id that is none;
 * -EBADMSG for a file that makes no sense; another errno of reading it.
 */
int binding_read(const char *folder, const char *session,
		 struct binding *ret_binding) must_check;

/* Takes the session's binding away; 0 also when there was none, else negative errno. */
int binding_remove(const char *folder, const char *session);

/*
 * Calls back with each binding, in the order of the ids; `each` may remove it. A file
 * that cannot be read is left out and logged. 0, or negative errno of reading the folder;
 * a folder that is not there holds none.
 */
int bindings_each(const char *folder,
		  void (*each)(void *context, const struct binding *binding),
		  void *context) must_check;
