/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying a store's records; see store_copy.h.
 */
#include "store_copy.h"

#include "language.h"
#include "libhygie/error_text.h"
#include "store_names.h"
#include "store_room.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COMPARISONS 3 /* each but the last may have to copy something anew */

static int fail_at(struct archive_error *error, const char *path, int fault)
{
	return archive_fail(error, fault, "%s: %s", path, error_text(-fault));
}

/*
 * A folder where gocryptfs serves: what is seen there by a process in another mount
 * namespace may be an empty folder, and nothing copied to nothing would be called whole.
 */
static int side_open(struct store_copy *copy, const char *path, int *ret_fd)
{
	char parent[PATH_MAX];
	struct stat st, above;
	struct statfs system;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail_at(copy->error, path, -errno);
	(void)snprintf(parent, sizeof(parent), "%s/..", path);
	if (fstatfs(fd, &system) < 0 || fstat(fd, &st) < 0 || stat(parent, &above) < 0) {
		(void)close(fd);
		return fail_at(copy->error, path, -errno);
	}
	if (system.f_type != FUSE_SUPER_MAGIC || st.st_dev == above.st_dev) {
		(void)close(fd);
		return archive_fail(
			copy->error, -EINVAL,
			"%s: the records are not seen there; run this outside "
			"of containers and other mount namespaces",
			path);
	}
	*ret_fd = fd;
	return 0;
}

static int pass(struct store_copy *copy, struct tree *tree, enum tree_pass which,
		int from, int to)
{
	static const char *const sentences[] = {
		[TREE_MEASURE] = NULL,
		[TREE_COPY] = N_("Copied: {1} of {2} files, {3} of {4} MiB."),
		[TREE_COMPARE] = N_("Compared: {1} of {2} files, {3} of {4} MiB."),
	};
	int r;

	tree->pass = which;
	tree_progress_begin(&copy->progress, sentences[which]);
	r = tree_walk(tree, from, to);
	tree_progress_end(&copy->progress);
	if (r == -ENOSPC)
		(void)archive_fail(copy->error, r,
				   "the file system is full. Make room, then run this "
				   "again: it goes on");
	return r;
}

/* Until nothing had to be copied anew. */
static int compare(struct store_copy *copy, struct tree *tree, int from, int to,
		   const char *cipher)
{
	int r = 0;

	for (unsigned i = 0; i < COMPARISONS; i++) {
		r = archive_flush(cipher, copy->error);
		if (r == 0)
			r = pass(copy, tree, TREE_COMPARE, from, to);
		if (r < 0 || tree->repaired == 0)
			return r;
	}
	return archive_fail(copy->error, -EIO,
			    "the copy differs from the records again and again: look "
			    "after the disk");
}

int store_copy_run(struct store_copy *copy, const char *from, const char *to,
		   const char *cipher, int watched)
{
	cleanup_names struct store_names names = { NULL, 0, 0 };
	cleanup_close int source = -1, target = -1;
	struct tree tree = { .watched = watched,
			     .progress = &copy->progress,
			     .error = copy->error };
	int r = side_open(copy, from, &source);

	if (r == 0)
		r = side_open(copy, to, &target);
	store_names_watch(&names, &tree);
	if (r == 0)
		r = pass(copy, &tree, TREE_MEASURE, source, -1);
	if (r == 0)
		r = store_names_compare(&names, copy->old_cipher, watched, copy->error);
	store_names_free(&names);
	copy->progress.all_files = tree.files;
	copy->progress.all_bytes = tree.bytes;
	if (r == 0)
		r = pass(copy, &tree, TREE_COPY, source, target);
	if (r == 0)
		r = compare(copy, &tree, source, target, cipher);
	if (r < 0)
		return r;
	copy->done = true;
	copy->files = tree.files;
	copy->bytes = tree.bytes;
	copy->left_out = tree.left_out;
	if (tree.left_out > 0 && !copy->progress.quiet)
		(void)fprintf(stderr, "%s (%" PRIu64 "): %s\n",
			      tr("Devices among the records are not copied"),
			      tree.left_out, tree.first_left_out);
	return 0;
}

int store_copy_room(const char *cipher, const char *begun, struct archive_error *error)
{
	const char *slash = strrchr(cipher, '/');
	struct store_room wanted, there = { 0, 0 };
	char parent[PATH_MAX];
	int r = store_room_measure(cipher, &wanted);

	if (r == 0 && begun[0])
		r = store_room_measure(begun, &there);
	if (r < 0)
		return fail_at(error, cipher, r);
	(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - cipher) : 0,
		       cipher);
	return store_room_look(parent, &wanted, &there, "another copy", error);
}
