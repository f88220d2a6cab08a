/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store import: copies an exported store, file by file as its manifest says, to
 * where hygied makes stores; hygied then judges it and gives it its place.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/error_text.h"
#include "libhygie/folder_remove.h"
#include "output.h"
#include "store_archive.h"
#include "store_manifest.h"
#include "store_room.h"

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
	int folder_fd;
	char stage[PATH_MAX]; /* .../.NAME.new */
	int stage_fd;         /* locked: no other import or creation of that name */
	struct archive_progress progress;
	struct archive_error *error;
};

static int fail_at(const struct import *import, const char *path, int fault)
{
	return archive_fail(import->error, fault, "%s: %s", path, error_text(-fault));
}

/* One entry, NAME/...: where it is, where it goes, and what it is called in the store. */
struct ends {
	struct archive_entry from, to;
	const char *within; /* "", or "/..." */
};
#define NO_ENDS ((struct ends){ .from = { .folder = -1 }, .to = { .folder = -1 } })

static void ends_leave(struct ends *ends)
{
	archive_leave(&ends->from);
	archive_leave(&ends->to);
}
#define cleanup_ends cleanup_with(ends_leave)

/* 0, or -EBADMSG for a path that leads out of the store. */
static int path_judge(const struct import *import, const char *path)
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
	return 0;
}

/* Errors of path_judge() and archive_enter(). */
static int ends_enter(const struct import *import, const char *path,
		      struct ends *ret_ends)
{
	const char *within = path + strlen(import->name);
	int r = path_judge(import, path);

	if (r < 0)
		return r;
	ret_ends->within = within;
	r = archive_enter(import->folder_fd, import->folder, path, &ret_ends->from,
			  import->error);
	if (r == 0)
		r = archive_enter(import->stage_fd, import->stage,
				  *within ? within + 1 : within, &ret_ends->to,
				  import->error);
	return r;
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
	cleanup_ends struct ends ends = NO_ENDS;
	struct stat st, owner;
	mode_t mode;
	int r = ends_enter(import, path, &ends);

	if (r < 0)
		return r;
	if (lstat(ends.from.path, &st) < 0)
		return fail_at(import, ends.from.shown, -errno);
	if (!S_ISDIR(st.st_mode))
		return fail_at(import, ends.from.shown, -ENOTDIR);
	rights_choose(ends.within, &st, &owner, &mode);
	r = archive_folder(&ends.to, import->error);
	return r < 0 ? r : archive_folder_rights(&ends.to, &owner, mode, import->error);
}

static int judge_hash(const struct import *import, const struct ends *ends,
		      const char *is, const char *listed)
{
	if (strncmp(is, listed, HASH_DIGITS) == 0)
		return 0;
	return archive_fail(import->error, -EBADMSG,
			    "%s: is not as the manifest says: the export was damaged or "
			    "changed",
			    ends->from.shown);
}

static int file_import(struct import *import, const char *hash, const char *path)
{
	cleanup_ends struct ends ends = NO_ENDS;
	char is[ARCHIVE_HASH_SIZE];
	struct stat st, owner;
	mode_t mode;
	int r = ends_enter(import, path, &ends);

	if (r < 0)
		return r;
	if (lstat(ends.from.path, &st) < 0)
		return fail_at(import, ends.from.shown, -errno);
	rights_choose(ends.within, &st, &owner, &mode);
	r = archive_copy(&ends.from, &ends.to, &owner, mode, &import->progress, is,
			 import->error);
	return r < 0 ? r : judge_hash(import, &ends, is, hash);
}

static int link_import(const struct import *import, const char *hash, const char *path)
{
	cleanup_ends struct ends ends = NO_ENDS;
	char target[PATH_MAX], is[ARCHIVE_HASH_SIZE];
	struct stat st;
	ssize_t size;
	int r = ends_enter(import, path, &ends);

	if (r < 0)
		return r;
	if (!is_encrypted(ends.within))
		return archive_fail(import->error, -EBADMSG,
				    "%.100s: cannot be in a store", path);
	size = readlink(ends.from.path, target, sizeof(target) - 1);
	if (size < 0 || lstat(ends.from.path, &st) < 0)
		return fail_at(import, ends.from.shown, -errno);
	target[size] = '\0';
	r = archive_link(target, &ends.to, &st, is, import->error);
	return r < 0 ? r : judge_hash(import, &ends, is, hash);
}

static int line_import(void *context, const struct manifest_line *line)
{
	struct import *import = context;

	switch (line->kind) {
	case MANIFEST_FOLDER:
		return folder_import(import, line->path);
	case MANIFEST_LINK:
		return link_import(import, line->hash, line->path);
	default:
		return file_import(import, line->hash, line->path);
	}
}

/* ---- whether there is room for it ---- */

struct measure {
	const struct import *import;
	uint64_t block;
	struct store_room room;
};

/* What it will take: each byte is written, holes too. */
static int line_measure(void *context, const struct manifest_line *line)
{
	cleanup_entry struct archive_entry from = ARCHIVE_NO_ENTRY;
	struct measure *measure = context;
	const struct import *import = measure->import;
	struct stat st;
	int r = path_judge(import, line->path);

	if (r == 0)
		r = archive_enter(import->folder_fd, import->folder, line->path, &from,
				  import->error);
	if (r < 0)
		return r;
	if (lstat(from.path, &st) < 0)
		return fail_at(import, from.shown, -errno);
	store_room_add(&measure->room,
		       S_ISDIR(st.st_mode) ? measure->block : (uint64_t)st.st_size,
		       measure->block);
	return 0;
}

static int room_look(const struct import *import)
{
	static const struct store_room nothing = { 0, 0 };
	struct measure measure = { .import = import };
	int r = store_room_block(STORES_FOLDER, &measure.block);

	if (r < 0)
		return fail_at(import, STORES_FOLDER, r);
	r = manifest_each(import->folder_fd, import->folder, line_measure, &measure,
			  import->error);
	return r < 0 ? r
		     : store_room_look(STORES_FOLDER, &measure.room, &nothing,
				       "the store", import->error);
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
		if (i == 0 && (r = folder_remove(import->stage, -1)) < 0)
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
	int r;

	import->folder_fd = open(import->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (import->folder_fd < 0)
		return fail_at(import, import->folder, -errno);
	r = stage_make(import);
	if (r == 0)
		r = room_look(import);
	if (r < 0)
		return r;
	r = manifest_each(import->folder_fd, import->folder, line_import, import,
			  import->error);
	if (r == 0)
		r = archive_flush(import->stage, import->error);
	archive_progress_end(&import->progress);
	if (r == -ENOSPC || r == -EDQUOT)
		return archive_fail(import->error, r,
				    "%s: the disk became full. Make room, then run this "
				    "again",
				    STORES_FOLDER);
	return r;
}

/* The stage goes unless it is the store now, may become it at any moment, or is another's. */
static void import_end(const struct import *import, bool asked,
		       enum hygie_outcome outcome)
{
	bool stays = asked && (outcome == HYGIE_OK || outcome == HYGIE_TIMED_OUT ||
			       outcome == HYGIE_UNAVAILABLE);

	if (import->folder_fd >= 0)
		(void)close(import->folder_fd);
	if (import->stage_fd < 0)
		return;
	if (!stays)
		(void)folder_remove(import->stage, -1); /* or the next one does it */
	(void)close(import->stage_fd);
}

int command_store_import(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	struct archive_error error = { "" };
	struct import import = { .folder = options->operands[0],
				 .name = options->operands[1],
				 .folder_fd = -1,
				 .stage_fd = -1,
				 .progress.shown = display_is_terminal(stderr),
				 .error = &error };
	int r;

	if (!name_is_plain(import.name))
		return output_usage(options, N_("No store can be called so."));
	r = files_import(&import);
	if (r == 0)
		r = take_in(options, &import, &exchange);
	import_end(&import, r == 0, exchange.result.outcome);
	if (r < 0)
		return archive_report(options, &error, r);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, "");
}
