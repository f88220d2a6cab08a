/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of an exported store, line by line; store_archive.h says what stands in it.
 * It lies where somebody else may have put something: nothing of it is believed but its
 * form.
 */
#pragma once

#include "store_archive.h"

enum manifest_kind {
	MANIFEST_FILE = 1,
	MANIFEST_FOLDER,
	MANIFEST_LINK,
};

struct manifest_line {
	enum manifest_kind kind;
	const char *
		hash; /* ARCHIVE_HASH_SIZE - 1 digits, with more after them; NULL: none */
	const char *path; /* from the export's folder on */
};

/*
 * Calls back for each line of the manifest in `folder`, open as `folder_fd`, until a
 * callback returns other than 0, which is then returned. What is handed over is gone after
 * it. A negative errno with `error`: -ENOENT: it is not there; -EBADMSG: it is damaged.
 */
int manifest_each(int folder_fd, const char *folder,
		  int (*take)(void *context, const struct manifest_line *line),
		  void *context, struct archive_error *error) must_check;
