/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exported store: a folder with
 *
 *	MANIFEST.sha256		as sha256sum(1) writes and checks it, of all files below;
 *				written last: without it the export is not complete
 *	NAME/			store.ini, keys.cms, recovery.*, holders/, as they were
 *	NAME/cipher/		the encrypted files, with owners and modes
 *
 * What sha256sum does not know stands in comments of the manifest: "#folder PATH" and
 * "#link SHA-256-OF-ITS-TARGET  PATH". Here are the steps that both ways have in common.
 */
#pragma once

#include "libhygie/attributes.h"
#include "options.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define STORES_FOLDER "/var/lib/hygie/store"
#define ARCHIVE_MANIFEST "MANIFEST.sha256"
#define ARCHIVE_HASH_SIZE 65 /* hexadecimal, and a NUL */
#define ARCHIVE_FOLDER "#folder "
#define ARCHIVE_LINK "#link "

/* For a person: English. */
struct archive_error {
	char text[400];
};

/* Tells that failure, as output_failure() does; returns the exit status. */
int archive_report(const struct options *options, const struct archive_error *error,
		   int fault);

/* Fills it and returns `fault`. */
int archive_fail(struct archive_error *error, int fault, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How far it is, on standard error if a person reads there. */
struct archive_progress {
	bool shown;
	uint64_t files, bytes;
	uint64_t next; /* monotonic microseconds, when it is shown again */
};
void archive_progress_add(struct archive_progress *progress, uint64_t bytes);
void archive_progress_end(struct archive_progress *progress);

/*
 * One entry of a tree that somebody else may have prepared: `path` leads to it whatever
 * symbolic links lie in the tree, since the folders above it were opened through none.
 * The entry itself may be one: it is not followed.
 */
struct archive_entry {
	int folder;           /* that it lies in; -1: none */
	char path[PATH_MAX];  /* to use, while it is entered */
	char shown[PATH_MAX]; /* to tell */
};
#define ARCHIVE_NO_ENTRY ((struct archive_entry){ .folder = -1 })

/*
 * Enters the folders above `within` ("" is the top itself), from the open folder `top`
 * that is called `top_path`. 0, and archive_leave() closes it; a negative errno with
 * `error`: -ELOOP or -EXDEV when a symbolic link or ".." is on the way.
 */
int archive_enter(int top, const char *top_path, const char *within,
		  struct archive_entry *ret_entry,
		  struct archive_error *error) must_check;
/* An entry of a tree that is root's alone, by its path. 0 or -ENAMETOOLONG. */
int archive_name(const char *path, struct archive_entry *ret_entry,
		 struct archive_error *error) must_check;
void archive_leave(struct archive_entry *entry);
#define cleanup_entry cleanup_with(archive_leave)

/*
 * Copies the bytes of a regular file into `to`, which is made or emptied, with that owner
 * and mode, flushes it, and only then gives it the other's time: by that a later run
 * knows that it is whole. 0, and the hash of what was written; a negative errno, with
 * `error`: -ENOENT when `from` is not there any more, -EAGAIN when it changed meanwhile.
 */
int archive_copy(const struct archive_entry *from, const struct archive_entry *to,
		 const struct stat *owner, mode_t mode, struct archive_progress *progress,
		 char ret_hash[ARCHIVE_HASH_SIZE],
		 struct archive_error *error) must_check;

/* The hash of a file that is there. Errors as above. */
int archive_hash(const struct archive_entry *entry, struct archive_progress *progress,
		 char ret_hash[ARCHIVE_HASH_SIZE],
		 struct archive_error *error) must_check;

/* Makes a symbolic link with that owner, and hashes its target. */
int archive_link(const char *target, const struct archive_entry *to,
		 const struct stat *owner, char ret_hash[ARCHIVE_HASH_SIZE],
		 struct archive_error *error) must_check;

/* Makes a folder, or takes the one that is there: never what a link leads to. */
int archive_folder(const struct archive_entry *to,
		   struct archive_error *error) must_check;
/* Gives it owner and mode. */
int archive_folder_rights(const struct archive_entry *to, const struct stat *owner,
			  mode_t mode, struct archive_error *error) must_check;

/* Flushes all that was written to the file system that `path` lies on. */
int archive_flush(const char *path, struct archive_error *error) must_check;
