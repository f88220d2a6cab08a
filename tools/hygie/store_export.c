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
#include "libhygie/folder_remove.h"
#include "output.h"
#include "store_archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_MILLISECONDS 10000
#define ATTEMPTS 3 /* at the store's own files, while rights change */

struct export
{
	const char *name;
	const char *folder;
	int folder_fd;
	int store_fd; /* the store's own folder, as it was at the beginning */
	char cipher[PATH_MAX];
	bool movable;   /* what lies there */
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

/* Where an entry goes, and its name in the manifest. */
static int target_enter(const struct export *export, const struct tree *tree,
			const FTSENT *entry, char ret_name[PATH_MAX],
			struct archive_entry *ret_target)
{
	int n = snprintf(ret_name, PATH_MAX, "%s%s", tree->prefix,
			 entry->fts_path + strlen(tree->from));

	if (n >= PATH_MAX)
		return fail_at(export, entry->fts_path, -ENAMETOOLONG);
	if (strpbrk(ret_name, "\n\\"))
		return archive_fail(export->error, -EINVAL,
				    "%s: its name cannot stand in a list of checksums",
				    entry->fts_path);
	return archive_enter(export->folder_fd, export->folder, ret_name, ret_target,
			     export->error);
}

/* Copied by an earlier run, as it seems: by its size, time, owner and mode. */
static bool looks_whole(const struct archive_entry *copy, const struct stat *like)
{
	struct stat st;

	return lstat(copy->path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == like->st_size && st.st_mtim.tv_sec == like->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == like->st_mtim.tv_nsec && st.st_uid == like->st_uid &&
	       st.st_gid == like->st_gid && st.st_mode == like->st_mode;
}

/* Whether it is: both are read. 1, 0 or a negative errno. */
static int is_whole(struct export *export, const struct archive_entry *source,
		    const struct archive_entry *copy, char ret_hash[ARCHIVE_HASH_SIZE])
{
	struct archive_progress silent = { .shown = false };
	char is[ARCHIVE_HASH_SIZE] = "";
	int r = archive_hash(source, &silent, ret_hash, export->error);

	if (r == 0)
		r = archive_hash(copy, &export->progress, is, export->error);
	return r < 0 ? r : strcmp(is, ret_hash) == 0;
}

static int file_export(struct export *export, const struct tree *tree,
		       const FTSENT *entry)
{
	cleanup_entry struct archive_entry source = ARCHIVE_NO_ENTRY,
					   target = ARCHIVE_NO_ENTRY;
	const struct stat *st = entry->fts_statp;
	char name[PATH_MAX], hash[ARCHIVE_HASH_SIZE];
	int r = archive_name(entry->fts_path, &source, export->error);

	if (r == 0)
		r = target_enter(export, tree, entry, name, &target);
	if (r == 0 && !tree->own && looks_whole(&target, st))
		r = is_whole(export, &source, &target, hash);
	if (r == 0)
		r = archive_copy(&source, &target, st, st->st_mode & 07777,
				 &export->progress, hash, export->error);
	if (r >= 0)
		r = fprintf(export->manifest, "%s  %s\n", hash, name) < 0 ? -ENOMEM : 0;
	return r;
}

static int link_export(struct export *export, const struct tree *tree,
		       const FTSENT *entry)
{
	cleanup_entry struct archive_entry target = ARCHIVE_NO_ENTRY;
	char name[PATH_MAX], to[PATH_MAX], hash[ARCHIVE_HASH_SIZE];
	ssize_t size = readlink(entry->fts_path, to, sizeof(to) - 1);
	int r;

	if (size < 0)
		return fail_at(export, entry->fts_path, -errno);
	to[size] = '\0';
	r = target_enter(export, tree, entry, name, &target);
	if (r == 0)
		r = archive_link(to, &target, entry->fts_statp, hash, export->error);
	if (r == 0 && fprintf(export->manifest, ARCHIVE_LINK "%s  %s\n", hash, name) < 0)
		r = -ENOMEM;
	return r;
}

/* Removes what an earlier run copied and the store has no more, or as something else. */
static int entry_prune(const char *from, int to, const char *name)
{
	char source[PATH_MAX], copy[NAME_MAX + 32];
	struct stat one, other;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (snprintf(source, sizeof(source), "%s/%s", from, name) >= (int)sizeof(source))
		return -ENAMETOOLONG;
	(void)snprintf(copy, sizeof(copy), "/proc/self/fd/%d/%s", to, name);
	if (lstat(copy, &other) == 0 &&
	    (lstat(source, &one) < 0 ||
	     (one.st_mode & S_IFMT) != (other.st_mode & S_IFMT)))
		return folder_remove(copy, -1);
	return 0;
}

static int folder_prune(const struct export *export, const char *from,
			const struct archive_entry *to)
{
	int fd = open(to->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *there = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!there) {
		r = fail_at(export, to->shown, -errno);
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(there)))
		r = entry_prune(from, fd, entry->d_name);
	(void)closedir(there);
	return r < 0 ? fail_at(export, to->shown, r) : 0;
}

static int folder_export(struct export *export, const struct tree *tree,
			 const FTSENT *entry)
{
	cleanup_entry struct archive_entry target = ARCHIVE_NO_ENTRY;
	char name[PATH_MAX];
	int r = target_enter(export, tree, entry, name, &target);

	if (r == 0)
		r = archive_folder(&target, export->error);
	if (r == 0 && (!tree->own || entry->fts_level > 0))
		r = folder_prune(export, entry->fts_path, &target);
	if (r == 0 && fprintf(export->manifest, ARCHIVE_FOLDER "%s\n", name) < 0)
		r = -ENOMEM;
	return r;
}

/* fts_read() does not tell when a folder's list breaks off: it is read once more. */
static int folder_is_listed(const struct export *export, const char *path)
{
	DIR *folder = opendir(path);
	int r;

	if (!folder)
		return fail_at(export, path, -errno);
	do
		errno = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (readdir(folder));
	r = errno ? fail_at(export, path, -errno) : 0;
	(void)closedir(folder);
	return r;
}

/* Its owner and mode, once its entries are there. */
static int folder_end(const struct export *export, const struct tree *tree,
		      const FTSENT *entry)
{
	cleanup_entry struct archive_entry target = ARCHIVE_NO_ENTRY;
	char name[PATH_MAX];
	int r = folder_is_listed(export, entry->fts_path);

	if (r == 0)
		r = target_enter(export, tree, entry, name, &target);
	return r < 0 ? r
		     : archive_folder_rights(&target, entry->fts_statp,
					     entry->fts_statp->st_mode & 07777,
					     export->error);
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

	while (r == 0) {
		struct stat st;

		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): the walk is ours alone */
		entry = fts_read(walk);
		if (!entry) {
			r = errno ? fail_at(export, tree->from, -errno) : 0;
			break;
		}
		r = entry_export(export, tree, walk, entry);
		/* Removed meanwhile: it is none of the store's any more. */
		if (r == -ENOENT && !tree->own && entry->fts_level > 0 &&
		    lstat(entry->fts_path, &st) < 0 && errno == ENOENT)
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
		cleanup_entry struct archive_entry entry = ARCHIVE_NO_ENTRY;

		(void)snprintf(path, sizeof(path), STORES_FOLDER "/%s/%s", export->name,
			       files[i]);
		r = archive_name(path, &entry, export->error);
		if (r == 0)
			r = archive_hash(&entry, &silent, ret_hashes[i], export->error);
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

/* Nobody else may change the copy, and it is not made within what it is a copy of. */
static int folder_judge(const struct export *export)
{
	const char *const sources[] = { STORES_FOLDER, export->cipher };
	char whole[PATH_MAX], source[PATH_MAX];
	struct stat st;

	if (fstat(export->folder_fd, &st) < 0 || !realpath(export->folder, whole))
		return fail_at(export, export->folder, -errno);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return archive_fail(export->error, -EPERM,
				    "%s: others may write there; name a folder that is "
				    "yours alone",
				    export->folder);
	for (size_t i = 0; i < array_size(sources); i++) {
		size_t size = realpath(sources[i], source) ? strlen(source) : 0;

		if (size > 0 && strncmp(whole, source, size) == 0 &&
		    (whole[size] == '/' || !whole[size]))
			return archive_fail(export->error, -EINVAL,
					    "%s: lies within the store itself",
					    export->folder);
	}
	return 0;
}

/* Empty, or a run that was cut short left there what is gone on with. */
static int folder_look(const struct export *export)
{
	int fd = openat(export->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *there = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!there) {
		r = fail_at(export, export->folder, -errno);
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
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
	return r;
}

static int folder_admit(struct export *export)
{
	cleanup_entry struct archive_entry own = ARCHIVE_NO_ENTRY;
	int r;

	if (mkdir(export->folder, 0700) < 0 && errno != EEXIST)
		return fail_at(export, export->folder, -errno);
	export->folder_fd = open(export->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (export->folder_fd < 0)
		return fail_at(export, export->folder, -errno);
	r = folder_judge(export);
	if (r == 0)
		r = folder_look(export);
	if (r == 0)
		r = archive_enter(export->folder_fd, export->folder, export->name, &own,
				  export->error);
	return r < 0 ? r : archive_folder(&own, export->error);
}

/*
 * A reencryption puts another store into its place: the files before and after it do not
 * belong together. Our descriptor sees to it that its number is nobody else's.
 */
static int store_hold(struct export *export)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), STORES_FOLDER "/%s", export->name);
	export->store_fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return export->store_fd < 0 && errno != ENOENT ? fail_at(export, path, -errno)
						       : 0;
}

static int store_is_same(const struct export *export)
{
	struct stat before, now;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), STORES_FOLDER "/%s", export->name);
	if (fstat(export->store_fd, &before) == 0 && lstat(path, &now) == 0 &&
	    before.st_dev == now.st_dev && before.st_ino == now.st_ino)
		return 0;
	return archive_fail(export->error, -ESTALE,
			    "the store was reencrypted meanwhile; run this again, and it "
			    "exports the new one");
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
	int r;

	export->manifest = open_memstream(&export->manifest_text, &export->manifest_size);
	if (!export->manifest)
		return -ENOMEM;
	(void)snprintf(prefix, sizeof(prefix), "%s/cipher", export->name);
	r = folder_admit(export);
	if (r == 0)
		r = tree_export(export, &cipher);
	if (r == 0)
		r = own_export(export);
	if (r == 0)
		r = store_is_same(export);
	if (r == 0)
		r = manifest_put(export);
	(void)fclose(export->manifest);
	free(export->manifest_text);
	if (export->folder_fd >= 0)
		(void)close(export->folder_fd);
	archive_progress_end(&export->progress);
	return r;
}

/* Whether it has encrypted files that can be read as such. */
static bool is_movable(const json_t *record)
{
	const char *backend = json_string_value(json_object_get(record, "backend"));

	return backend && strcmp(backend, "gocryptfs") == 0;
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
		const char *kind = json_string_value(json_object_get(record, "kind"));
		const char *path = json_string_value(json_object_get(record, "cipher"));

		/* A copy that a reencryption began is told, too. */
		if (!kind || strcmp(kind, "store") != 0 || !path ||
		    strlen(path) >= sizeof(export->cipher))
			continue;
		memcpy(export->cipher, path, strlen(path) + 1);
		export->movable = is_movable(record);
	}
	return 0;
}

int command_store_export(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	struct archive_error error = { "" };
	struct export export = { .name = options->operands[0],
				 .folder = options->operands[1],
				 .folder_fd = -1,
				 .store_fd = -1,
				 .progress.shown = display_is_terminal(stderr),
				 .error = &error };
	const struct client_result result = { .outcome = HYGIE_OK };
	int r;

	r = store_hold(&export); /* before anybody says where its files are */
	if (r < 0)
		return archive_report(options, &error, r);
	if (cipher_find(options, &export, &exchange) < 0)
		return output_fault(options);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (!export.cipher[0])
		r = archive_fail(&error, -EBADMSG,
				 "store.ini cannot be read; \"hygie store check\" says "
				 "why");
	else if (!export.movable)
		r = archive_fail(&error, -EOPNOTSUPP,
				 "its file system encrypts the records (backend fscrypt) "
				 "and shows nobody the encrypted files: back up the open "
				 "store, by a program that encrypts");
	else
		r = export_run(&export);
	if (r < 0)
		return archive_report(options, &error, r);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&result), HYGIE_OK);
	return output_done(&result,
			   N_("The store is exported. In that folder \"sha256sum "
			      "--check MANIFEST.sha256\" says whether it is "
			      "whole."));
}
