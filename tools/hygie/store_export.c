/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store export: copies a store into a folder. A run that was cut short is gone on
 * with by the next: what is there with the right size and time is whole. store_archive.h
 * says what comes of it.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/durable.h"
#include "libhygie/error_text.h"
#include "output.h"
#include "store_archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MILLISECONDS 10000
#define ATTEMPTS 3 /* at the store's own files, while rights change */

struct export
{
	const char *name;
	const char *folder;
	char cipher[PATH_MAX];
	FILE *manifest; /* lines so far; written into place at the end */
	char *manifest_text;
	size_t manifest_size;
	struct archive_progress progress;
	struct archive_error *error;
};

/* What is copied: a tree, and what it is called in the export. */
struct tree {
	const char *from;
	const char *prefix; /* "NAME", "NAME/cipher" */
	bool own;           /* the store's own files, without the encrypted ones */
};

static int fail_at(const struct export *export, const char *path, int fault)
{
	return archive_fail(export->error, fault, "%s: %s", path, error_text(-fault));
}

/* Where an entry goes, and its name in the manifest, which is the end of that. */
static int target_make(const struct export *export, const struct tree *tree,
		       const FTSENT *entry, char ret_path[PATH_MAX],
		       const char **ret_name)
{
	int n = snprintf(ret_path, PATH_MAX, "%s/%s%s", export->folder, tree->prefix,
			 entry->fts_path + strlen(tree->from));

	if (n >= PATH_MAX)
		return fail_at(export, entry->fts_path, -ENAMETOOLONG);
	*ret_name = ret_path + strlen(export->folder) + 1;
	if (strpbrk(*ret_name, "\n\\"))
		return archive_fail(export->error, -EINVAL,
				    "%s: its name cannot stand in a list of checksums",
				    entry->fts_path);
	return 0;
}

static bool is_whole(const char *path, const struct stat *like)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == like->st_size && st.st_mtim.tv_sec == like->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == like->st_mtim.tv_nsec && st.st_uid == like->st_uid &&
	       st.st_gid == like->st_gid && st.st_mode == like->st_mode;
}

static int file_export(struct export *export, const struct tree *tree,
		       const FTSENT *entry)
{
	const struct stat *st = entry->fts_statp;
	char path[PATH_MAX], hash[ARCHIVE_HASH_SIZE];
	const char *name;
	int r = target_make(export, tree, entry, path, &name);

	if (r < 0)
		return r;
	if (!tree->own && is_whole(path, st))
		r = archive_hash(path, &export->progress, hash, export->error);
	else
		r = archive_copy(entry->fts_path, path, st, st->st_mode & 07777,
				 &export->progress, hash, export->error);
	if (r == 0 && fprintf(export->manifest, "%s  %s\n", hash, name) < 0)
		r = -ENOMEM;
	return r;
}

static int link_export(struct export *export, const struct tree *tree,
		       const FTSENT *entry)
{
	char path[PATH_MAX], target[PATH_MAX], hash[ARCHIVE_HASH_SIZE];
	ssize_t size = readlink(entry->fts_path, target, sizeof(target) - 1);
	const char *name;
	int r;

	if (size < 0)
		return fail_at(export, entry->fts_path, -errno);
	target[size] = '\0';
	r = target_make(export, tree, entry, path, &name);
	if (r == 0)
		r = archive_link(target, path, entry->fts_statp, hash, export->error);
	if (r == 0 && fprintf(export->manifest, ARCHIVE_LINK "%s  %s\n", hash, name) < 0)
		r = -ENOMEM;
	return r;
}

/* Removes what an earlier run copied and the store has no more. */
static int folder_prune(const struct export *export, const char *from, const char *to)
{
	const struct dirent *entry;
	DIR *there = opendir(to);
	int r = 0;

	if (!there)
		return fail_at(export, to, -errno);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(there))) {
		char source[PATH_MAX], copy[PATH_MAX];
		struct stat one, other;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(source, sizeof(source), "%s/%s", from, entry->d_name) >=
			    (int)sizeof(source) ||
		    snprintf(copy, sizeof(copy), "%s/%s", to, entry->d_name) >=
			    (int)sizeof(copy))
			r = -ENAMETOOLONG;
		else if (lstat(copy, &other) == 0 &&
			 (lstat(source, &one) < 0 ||
			  (one.st_mode & S_IFMT) != (other.st_mode & S_IFMT)))
			r = archive_remove(copy);
	}
	(void)closedir(there);
	return r < 0 ? fail_at(export, to, r) : 0;
}

static int folder_export(struct export *export, const struct tree *tree,
			 const FTSENT *entry)
{
	char path[PATH_MAX];
	const char *name;
	int r = target_make(export, tree, entry, path, &name);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_at(export, path, -errno);
	if (!tree->own || entry->fts_level > 0)
		r = folder_prune(export, entry->fts_path, path);
	if (r == 0 && fprintf(export->manifest, ARCHIVE_FOLDER "%s\n", name) < 0)
		r = -ENOMEM;
	return r;
}

/* Its owner and mode, once its entries are there. */
static int folder_end(const struct export *export, const struct tree *tree,
		      const FTSENT *entry)
{
	const struct stat *st = entry->fts_statp;
	char path[PATH_MAX];
	const char *name;
	int r = target_make(export, tree, entry, path, &name);

	if (r == 0 && (lchown(path, st->st_uid, st->st_gid) < 0 ||
		       chmod(path, st->st_mode & 07777) < 0))
		r = fail_at(export, path, -errno);
	return r;
}

/* Of the store's own folder: the encrypted files come apart, half-written ones not. */
static bool is_left_out(const struct tree *tree, const FTSENT *entry)
{
	const char *end = strrchr(entry->fts_name, '.');

	if (!tree->own)
		return false;
	return (entry->fts_level == 1 && strcmp(entry->fts_name, "cipher") == 0) ||
	       (end && strcmp(end, ".hygie-new") == 0);
}

static int entry_export(struct export *export, const struct tree *tree, FTS *walk,
			FTSENT *entry)
{
	if (is_left_out(tree, entry)) {
		(void)fts_set(walk, entry, FTS_SKIP);
		return 0;
	}
	switch (entry->fts_info) {
	case FTS_D:
		return folder_export(export, tree, entry);
	case FTS_DP:
		return folder_end(export, tree, entry);
	case FTS_F:
		return file_export(export, tree, entry);
	case FTS_SL:
	case FTS_SLNONE:
		return link_export(export, tree, entry);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return fail_at(export, entry->fts_path, -entry->fts_errno);
	default: /* a socket, a pipe: nothing is in them */
		return 0;
	}
}

static int tree_export(struct export *export, const struct tree *tree)
{
	char *const roots[] = { strdup(tree->from), NULL };
	FTS *walk = roots[0] ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	FTSENT *entry;
	int r = walk ? 0 : -ENOMEM;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the walk is ours alone */
	while (r == 0 && (entry = fts_read(walk))) {
		r = entry_export(export, tree, walk, entry);
		/* Removed meanwhile: it is none of the store's any more. */
		if (r == -ENOENT && entry->fts_level > 0 && access(tree->from, F_OK) == 0)
			r = 0;
	}
	if (walk)
		(void)fts_close(walk);
	free(roots[0]);
	return r;
}

/* store.ini and keys.cms as they are now, in one hash. */
static int rights_hash(const struct export *export, char ret_hashes[2][ARCHIVE_HASH_SIZE])
{
	static const char *const files[] = { "store.ini", "keys.cms" };
	struct archive_progress silent = { .shown = false };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_size(files); i++) {
		(void)snprintf(path, sizeof(path), STORES_FOLDER "/%s/%s", export->name,
			       files[i]);
		r = archive_hash(path, &silent, ret_hashes[i], export->error);
	}
	return r;
}

/* They belong together: copied again if rights changed meanwhile. */
static int own_export(struct export *export)
{
	char from[PATH_MAX], before[2][ARCHIVE_HASH_SIZE], after[2][ARCHIVE_HASH_SIZE];
	struct tree tree = { from, export->name, true };
	long mark = ftell(export->manifest);
	int r = 0;

	(void)snprintf(from, sizeof(from), STORES_FOLDER "/%s", export->name);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (fseek(export->manifest, mark, SEEK_SET) < 0)
			return -ENOMEM;
		r = rights_hash(export, before);
		if (r == 0)
			r = tree_export(export, &tree);
		if (r == 0)
			r = rights_hash(export, after);
		if (r == 0 && memcmp(before, after, sizeof(after)) == 0)
			return 0;
		if (r < 0 && r != -EAGAIN && r != -ENOENT)
			return r;
	}
	return archive_fail(export->error, -EAGAIN,
			    "the store's rights change all the time; try again later");
}

/* The folder is empty, or a run that was cut short left there what is gone on with. */
static int folder_admit(const struct export *export)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *there;
	int r = 0;

	if (mkdir(export->folder, 0700) < 0 && errno != EEXIST)
		return fail_at(export, export->folder, -errno);
	there = opendir(export->folder);
	if (!there)
		return fail_at(export, export->folder, -errno);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(there)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, ARCHIVE_MANIFEST ".hygie-new") != 0 &&
		    strcmp(entry->d_name, export->name) != 0)
			r = archive_fail(export->error, -EEXIST,
					 "%s: holds something else already (%s); name an "
					 "empty folder",
					 export->folder, entry->d_name);
	(void)closedir(there);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s", export->folder, export->name);
	return mkdir(path, 0700) < 0 && errno != EEXIST ? fail_at(export, path, -errno)
							: 0;
}

static int manifest_put(struct export *export)
{
	char path[PATH_MAX];
	int r;

	if (fflush(export->manifest) != 0)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/" ARCHIVE_MANIFEST, export->folder) >=
	    (int)sizeof(path))
		return fail_at(export, export->folder, -ENAMETOOLONG);
	r = archive_flush(export->folder, export->error);
	if (r == 0)
		r = durable_write(path, 0600, export->manifest_text,
				  export->manifest_size);
	return r < 0 && !export->error->text[0] ? fail_at(export, path, r) : r;
}

static int export_run(struct export *export)
{
	char prefix[NAME_MAX + 16];
	struct tree cipher = { export->cipher, prefix, false };
	int r = folder_admit(export);

	if (r < 0)
		return r;
	export->manifest = open_memstream(&export->manifest_text, &export->manifest_size);
	if (!export->manifest)
		return -ENOMEM;
	(void)snprintf(prefix, sizeof(prefix), "%s/cipher", export->name);
	r = tree_export(export, &cipher);
	if (r == 0)
		r = own_export(export);
	if (r == 0)
		r = manifest_put(export);
	(void)fclose(export->manifest);
	free(export->manifest_text);
	archive_progress_end(&export->progress);
	return r;
}

/* Where the encrypted files lie: hygied says it, to root alone. */
static int cipher_find(const struct options *options, struct export *export,
		       struct exchange *exchange)
{
	cleanup_message struct wire_message *request = NULL;
	const json_t *record;
	size_t i;

	if (wire_message_new(WIRE_REQUEST_STORE_CHECK, &request) < 0)
		return -ENOMEM;
	wire_add_string(request, TAG_STORE, export->name);
	exchange_run(options, request, ASK_MILLISECONDS, exchange);
	json_array_foreach(exchange->items, i, record)
	{
		const char *path = json_string_value(json_object_get(record, "cipher"));

		if (path && strlen(path) < sizeof(export->cipher))
			memcpy(export->cipher, path, strlen(path) + 1);
	}
	return 0;
}

int command_store_export(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	struct archive_error error = { "" };
	struct export export = { .name = options->operands[0],
				 .folder = options->operands[1],
				 .progress.shown = display_is_terminal(stderr),
				 .error = &error };
	const struct client_result result = { .outcome = HYGIE_OK };
	int r;

	if (cipher_find(options, &export, &exchange) < 0)
		return output_fault(options);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	r = export.cipher[0] ? export_run(&export)
			     : archive_fail(&error, -EBADMSG,
					    "store.ini cannot be read; \"hygie store "
					    "check\" says why");
	if (r < 0)
		return archive_report(options, &error, r);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&result), HYGIE_OK);
	return output_done(&result,
			   N_("The store is exported. In that folder \"sha256sum "
			      "--check MANIFEST.sha256\" says whether it is "
			      "whole."));
}
