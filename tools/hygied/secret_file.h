/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login secrets' files, root's alone: HOME/secret/ (0700) holds, of each user who has
 * one, USER.cms (0600): the envelope (envelope.h) of his secret, for each of his cards.
 * Beside it may lie USER.off, one that was put aside, and USER.old, the one that another
 * secret took the place of; USER.old.1 and so on are what lay in these two before. Each is put in place whole (durable.h), and read only if
 * nobody but its owner (the effective user) can have written it.
 */
#pragma once

#include "hygied/envelope.h"
#include "libhygie/trusted_file.h"

#define SECRET_HOME "/var/lib/hygie" /* in production */

enum secret_place { SECRET_ON, SECRET_OFF, SECRET_OLD };

/* A file as it was read. */
struct secret_file {
	struct envelope *envelope;
	char *der; /* owned, `size` bytes */
	size_t size;
	int64_t since; /* when it was written, seconds since 1970 */
};

/*
 * Reads one. 0; -ENOENT: there is none; -EPERM, -ELOOP: not to be trusted; -EBADMSG: no
 * envelope; -EFBIG; -ENOMEM; another errno. ret_error (may be NULL) is filled on each
 * failure, for a person.
 */
int secret_file_load(const char *home, const char *user, enum secret_place place,
		     struct secret_file **ret_file,
		     struct file_error *ret_error) must_check;

/* Takes NULL. */
void secret_file_free(struct secret_file *file);
define_cleanup(cleanup_secret_file_function, struct secret_file, secret_file_free)
#define cleanup_secret_file cleanup_with(cleanup_secret_file_function)

	/* Puts one in place, and makes the folder where there is none. 0 or an errno. */
	int secret_file_save(const char *home, const char *user, enum secret_place place,
			     const void *der, size_t size) must_check;

/*
 * Calls back for each user who has one in use or put aside, by name, until a callback
 * returns other than 0, which is then returned. Without the folder there is none. The names
 * are files': the user may be unknown here. Errors as secret_file_load, for the folder.
 */
typedef int (*secret_user_callback)(void *context, const char *user);
int secret_files_each(const char *home, secret_user_callback callback, void *context,
		      struct file_error *ret_error) must_check;

/* Gives a file another place; what lay there is spared. 0; -ENOENT; an errno. */
int secret_file_move(const char *home, const char *user, enum secret_place from,
		     enum secret_place to) must_check;

/*
 * Makes room in a place: what lies there gets the first name of USER.old.1 to .999 that is
 * free. 0, also when nothing does; -EEXIST: none is free; another errno.
 */
int secret_file_spare(const char *home, const char *user,
		      enum secret_place place) must_check;

/* Whether the two hold the same bytes. */
bool secret_file_equals(const struct secret_file *one, const struct secret_file *other);
