/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders that only their owner (root, in production) can have written: the
 * configuration, the card profiles, the registry, a PKCS#11 module. Each component of the
 * path is opened in turn without following a symbolic link, and judged by what was
 * opened, so nobody can put another thing there between the check and the use.
 *
 * What is asked of a path:
 *	the path	absolute, without "..", no symbolic link anywhere in it
 *	each parent	owned by root or the owner, writable by neither group nor others;
 *			further up (not the folder that holds the file) a folder of root's
 *			may be writable if it is sticky, as /tmp: nobody can rename or
 *			remove in it what is root's or the owner's
 *	the file	regular, owned by the owner, not writable by group or others, of
 *			one name (a second hard link may lie where others reach it)
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* For a person: the path, what is wrong with it, what to do. Printable, one line. */
struct file_error {
	char text[512];
};

/* What is not asked of the file after all. */
enum trusted_flag {
	TRUSTED_ANY_LINKS =
		1u << 0, /* hard links: a package's file that is only executed */
};

/* Whether a path is absolute, without ".", "..", "//" or a slash at the end. */
bool trusted_path_is_plain(const char *path);

/*
 * Opens a file for reading. 0 and a descriptor that the caller closes; -ENOENT when it is
 * not there (a folder on the way included); -EPERM when it or a parent is not to be
 * trusted; -ELOOP for a symbolic link; -EINVAL for an unfit path; another errno of
 * open(). ret_error (may be NULL) is filled on every failure. `flags`: enum trusted_flag.
 */
int trusted_file_open(const char *path, uid_t owner, unsigned flags, int *ret_fd,
		      struct file_error *ret_error) must_check;

/*
 * Reads a file whole. *ret_text is malloc'ed, has a NUL after its *ret_size bytes (and
 * may hold others). Errors as trusted_file_open, and -EFBIG beyond `max` bytes.
 */
int trusted_file_read(const char *path, uid_t owner, size_t max, char **ret_text,
		      size_t *ret_size, struct file_error *ret_error) must_check;

/*
 * Opens a folder that neither group nor others can write and that is the owner's or
 * root's, under the same rules for its parents. The caller closes *ret_fd.
 */
int trusted_folder_open(const char *path, uid_t owner, int *ret_fd,
			struct file_error *ret_error) must_check;

/* Names in a folder, sorted by byte value, without the folder's path. */
struct trusted_names {
	char **name;
	size_t count;
};

/*
 * Lists a folder as trusted_folder_open: the names that end in `suffix` and do not begin
 * with a dot, at most 256 (-E2BIG). The caller gives the list to trusted_names_free.
 */
int trusted_folder_list(const char *path, const char *suffix, uid_t owner,
			struct trusted_names *ret_names,
			struct file_error *ret_error) must_check;

/* Frees what the list owns and empties it. */
void trusted_names_free(struct trusted_names *names);
#define cleanup_trusted_names cleanup_with(trusted_names_free)
