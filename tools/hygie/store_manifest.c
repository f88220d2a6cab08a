/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the manifest of an export; see store_manifest.h.
 */
#include "store_manifest.h"

#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HASH_DIGITS (ARCHIVE_HASH_SIZE - 1)

static int fail_at(struct archive_error *error, const char *path, int fault)
{
	return archive_fail(error, fault, "%s: %s", path, error_text(-fault));
}

/* A line without its end: "HASH  PATH", or one of our comments. */
static bool line_parse(const char *text, struct manifest_line *ret_line)
{
	bool link = strncmp(text, ARCHIVE_LINK, strlen(ARCHIVE_LINK)) == 0;
	const char *hash = link ? text + strlen(ARCHIVE_LINK) : text;

	if (strncmp(text, ARCHIVE_FOLDER, strlen(ARCHIVE_FOLDER)) == 0) {
		*ret_line = (struct manifest_line){ MANIFEST_FOLDER, NULL,
						    text + strlen(ARCHIVE_FOLDER) };
		return true;
	}
	if (strlen(hash) < HASH_DIGITS + 3 ||
	    strspn(hash, "0123456789abcdef") != HASH_DIGITS ||
	    strncmp(hash + HASH_DIGITS, "  ", 2) != 0)
		return false;
	*ret_line = (struct manifest_line){ link ? MANIFEST_LINK : MANIFEST_FILE, hash,
					    hash + HASH_DIGITS + 2 };
	return true;
}

/* A file and nothing else. */
static int manifest_open(int folder_fd, const char *folder, FILE **ret_manifest,
			 struct archive_error *error)
{
	cleanup_entry struct archive_entry entry = ARCHIVE_NO_ENTRY;
	cleanup_close int fd = -1;
	struct stat st;
	int r = archive_enter(folder_fd, folder, ARCHIVE_MANIFEST, &entry, error);

	if (r < 0)
		return r;
	fd = open(entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return archive_fail(error, -ENOENT,
				    "%s: is not there: the folder is no export, or one "
				    "that is not complete",
				    entry.shown);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_at(error, entry.shown, -errno);
	if (!S_ISREG(st.st_mode))
		return fail_at(error, entry.shown, -EINVAL);
	*ret_manifest = fdopen(fd, "r");
	if (!*ret_manifest)
		return -ENOMEM;
	fd = -1; /* the stream's */
	return 0;
}

int manifest_each(int folder_fd, const char *folder,
		  int (*take)(void *context, const struct manifest_line *line),
		  void *context, struct archive_error *error)
{
	char text[PATH_MAX + 128]; /* more than any line that is ours */
	FILE *manifest = NULL;
	int r = manifest_open(folder_fd, folder, &manifest, error);

	/* A line that does not end, or has a NUL, was cut or is none of ours. */
	while (r == 0 && fgets(text, sizeof(text), manifest)) {
		char *end = strchr(text, '\n');
		struct manifest_line line;

		if (end)
			*end = '\0';
		r = end && line_parse(text, &line)
			    ? take(context, &line)
			    : archive_fail(error, -EBADMSG,
					   "%s/" ARCHIVE_MANIFEST ": is damaged", folder);
	}
	if (r == 0 && ferror(manifest))
		r = archive_fail(error, -EIO, "%s/" ARCHIVE_MANIFEST ": cannot be read",
				 folder);
	if (manifest)
		(void)fclose(manifest);
	return r;
}
