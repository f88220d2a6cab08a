/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store import: copies an exported store, file by file as its manifest says, to
 * where hygied makes stores; hygied then judges it and gives it its place.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/error_text.h"
#include "output.h"
#include "store_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ASK_MILLISECONDS 30000
#define HASH_DIGITS (ARCHIVE_HASH_SIZE - 1)

struct import {
	const char *folder, *name;
	char stage[PATH_MAX]; /* .../.NAME.new */
	int stage_fd;         /* locked: no other import or creation of that name */
	struct archive_progress progress;
	struct archive_error *error;
};

static int fail_at(const struct import *import, const char *path, int fault)
{
	return archive_fail(import->error, fault, "%s: %s", path, error_text(-fault));
}

/*
 * Both ends of one entry, NAME/...: 0; -EBADMSG for a path that leads out of the store.
 */
static int ends_make(const struct import *import, const char *path,
		     char ret_from[PATH_MAX], char ret_to[PATH_MAX],
		     const char **ret_within)
{
	size_t size = strlen(import->name);
	const char *within = path + size;

	if (strncmp(path, import->name, size) != 0 || (*within != '/' && *within))
		return archive_fail(
			import->error, -EBADMSG,
			"%s/" ARCHIVE_MANIFEST
			" is of another store (%.100s): a store keeps its name",
			import->folder, path);
	if (strstr(within, "/../") || strstr(within, "//") || strstr(within, "/./") ||
	    (strlen(within) >= 3 && strcmp(within + strlen(within) - 3, "/..") == 0))
		return archive_fail(import->error, -EBADMSG,
				    "%.100s: cannot be in a store", path);
	if (snprintf(ret_from, PATH_MAX, "%s/%s", import->folder, path) >= PATH_MAX ||
	    snprintf(ret_to, PATH_MAX, "%s%s", import->stage, within) >= PATH_MAX)
		return fail_at(import, path, -ENAMETOOLONG);
	*ret_within = within;
	return 0;
}

/* The encrypted files keep owner and mode, without setuid; the store's own are root's. */
static bool is_encrypted(const char *within)
{
	return strncmp(within, "/cipher", 7) == 0 && (within[7] == '/' || !within[7]);
}

static void rights_choose(const char *within, const struct stat *st,
			  struct stat *ret_owner, mode_t *ret_mode)
{
	bool folder = S_ISDIR(st->st_mode);

	*ret_owner = *st;
	*ret_mode = st->st_mode & (folder ? 03777 : 00777);
	if (is_encrypted(within))
		return;
	ret_owner->st_uid = ret_owner->st_gid = 0;
	*ret_mode = folder ? 0700 : 0600;
}

static int folder_import(const struct import *import, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st, owner;
	const char *within;
	mode_t mode;
	int r = ends_make(import, path, from, to, &within);

	if (r < 0)
		return r;
	if (lstat(from, &st) < 0)
		return fail_at(import, from, -errno);
	if (!S_ISDIR(st.st_mode))
		return fail_at(import, from, -ENOTDIR);
	rights_choose(within, &st, &owner, &mode);
	if ((mkdir(to, 0700) < 0 && errno != EEXIST) ||
	    lchown(to, owner.st_uid, owner.st_gid) < 0 || chmod(to, mode) < 0)
		return fail_at(import, to, -errno);
	return 0;
}

static int changed(const struct import *import, const char *path)
{
	return archive_fail(import->error, -EBADMSG,
			    "%s: is not as the manifest says: the export was damaged or "
			    "changed",
			    path);
}

static int file_import(struct import *import, const char *hash, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX], is[ARCHIVE_HASH_SIZE];
	struct stat st, owner;
	const char *within;
	mode_t mode;
	int r = ends_make(import, path, from, to, &within);

	if (r < 0)
		return r;
	if (lstat(from, &st) < 0)
		return fail_at(import, from, -errno);
	rights_choose(within, &st, &owner, &mode);
	r = archive_copy(from, to, &owner, mode, &import->progress, is, import->error);
	return r == 0 && strncmp(is, hash, HASH_DIGITS) != 0 ? changed(import, from) : r;
}

static int link_import(const struct import *import, const char *hash, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX], target[PATH_MAX], is[ARCHIVE_HASH_SIZE];
	const char *within;
	struct stat st;
	ssize_t size;
	int r = ends_make(import, path, from, to, &within);

	if (r < 0)
		return r;
	if (!is_encrypted(within))
		return archive_fail(import->error, -EBADMSG,
				    "%.100s: cannot be in a store", path);
	size = readlink(from, target, sizeof(target) - 1);
	if (size < 0 || lstat(from, &st) < 0)
		return fail_at(import, from, -errno);
	target[size] = '\0';
	r = archive_link(target, to, &st, is, import->error);
	return r == 0 && strncmp(is, hash, HASH_DIGITS) != 0 ? changed(import, from) : r;
}

/* A line of the manifest, without its end: "HASH  PATH", or one of our comments. */
static int line_import(struct import *import, const char *line)
{
	bool link = strncmp(line, ARCHIVE_LINK, strlen(ARCHIVE_LINK)) == 0;
	const char *hash = link ? line + strlen(ARCHIVE_LINK) : line;

	if (strncmp(line, ARCHIVE_FOLDER, strlen(ARCHIVE_FOLDER)) == 0)
		return folder_import(import, line + strlen(ARCHIVE_FOLDER));
	if (strlen(hash) < HASH_DIGITS + 3 ||
	    strspn(hash, "0123456789abcdef") != HASH_DIGITS ||
	    strncmp(hash + HASH_DIGITS, "  ", 2) != 0)
		return archive_fail(import->error, -EBADMSG,
				    "%s/" ARCHIVE_MANIFEST ": is damaged",
				    import->folder);
	return link ? link_import(import, hash, hash + HASH_DIGITS + 2)
		    : file_import(import, hash, hash + HASH_DIGITS + 2);
}

static int manifest_import(struct import *import)
{
	char path[PATH_MAX];
	cleanup_free char *line = NULL;
	size_t room = 0;
	FILE *manifest;
	ssize_t size;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/" ARCHIVE_MANIFEST, import->folder) >=
	    (int)sizeof(path))
		return fail_at(import, import->folder, -ENAMETOOLONG);
	manifest = fopen(path, "re");
	if (!manifest)
		return errno == ENOENT ? archive_fail(import->error, -ENOENT,
						      "%s: is not there: the folder is "
						      "no export, or one that is not "
						      "complete",
						      path)
				       : fail_at(import, path, -errno);
	/* A line that does not end, or has a NUL, was cut or is none of ours. */
	while (r == 0 && (size = getline(&line, &room, manifest)) > 0) {
		bool ends = line[size - 1] == '\n';

		line[size - 1] = '\0';
		r = ends && strlen(line) + 1 == (size_t)size
			    ? line_import(import, line)
			    : archive_fail(import->error, -EBADMSG, "%s: is damaged",
					   path);
	}
	if (r == 0 && ferror(manifest))
		r = fail_at(import, path, -EIO);
	(void)fclose(manifest);
	return r;
}

/* The stage, empty and ours: what one that was killed left is removed. */
static int stage_make(struct import *import)
{
	char place[PATH_MAX];
	int r;

	(void)snprintf(place, sizeof(place), STORES_FOLDER "/%s", import->name);
	(void)snprintf(import->stage, sizeof(import->stage), STORES_FOLDER "/.%s.new",
		       import->name);
	if (access(place, F_OK) == 0)
		return archive_fail(import->error, -EEXIST, "%s: is there already",
				    place);
	if (mkdir(STORES_FOLDER, 0700) < 0 && errno != EEXIST)
		return fail_at(import, STORES_FOLDER, -errno);
	for (int i = 0; i < 2; i++) { /* the second is surely of our making */
		if (mkdir(import->stage, 0700) < 0 && errno != EEXIST)
			return fail_at(import, import->stage, -errno);
		if (import->stage_fd >= 0)
			(void)close(import->stage_fd);
		import->stage_fd = open(import->stage,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (import->stage_fd < 0)
			return fail_at(import, import->stage, -errno);
		if (flock(import->stage_fd, LOCK_EX | LOCK_NB) < 0) {
			(void)close(import->stage_fd);
			import->stage_fd = -1;
			return archive_fail(import->error, -EBUSY,
					    "%s: a store of that name is being made",
					    import->stage);
		}
		if (i == 0 && (r = archive_remove(import->stage)) < 0)
			return fail_at(import, import->stage, r);
	}
	return 0;
}

/* hygied judges what is there, and gives it its place. */
static int take_in(const struct options *options, const struct import *import,
		   struct exchange *exchange)
{
	cleanup_message struct wire_message *request = NULL;

	if (wire_message_new(WIRE_REQUEST_STORE_IMPORT, &request) < 0)
		return -ENOMEM;
	wire_add_string(request, TAG_STORE, import->name);
	exchange_run(options, request, ASK_MILLISECONDS, exchange);
	return 0;
}

static bool name_is_plain(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 64;
}

static int files_import(struct import *import)
{
	int r = stage_make(import);

	if (r == 0)
		r = manifest_import(import);
	if (r == 0)
		r = archive_flush(import->stage, import->error);
	archive_progress_end(&import->progress);
	return r;
}

/* The stage goes unless it is the store now, or another's. */
static void import_end(const struct import *import, bool done)
{
	if (import->stage_fd < 0)
		return;
	if (!done)
		archive_remove(import->stage); /* or the next one does it */
	(void)close(import->stage_fd);
}

int command_store_import(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	struct archive_error error = { "" };
	struct import import = { .folder = options->operands[0],
				 .name = options->operands[1],
				 .stage_fd = -1,
				 .progress.shown = display_is_terminal(stderr),
				 .error = &error };
	int r;

	if (!name_is_plain(import.name))
		return output_usage(options, N_("No store can be called so."));
	r = files_import(&import);
	if (r == 0)
		r = take_in(options, &import, &exchange);
	import_end(&import, r == 0 && exchange.result.outcome == HYGIE_OK);
	if (r < 0)
		return archive_report(options, &error, r);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, "");
}
