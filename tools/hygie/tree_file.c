/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying one entry of a tree over; declared in tree.h.
 */
#include "tree.h"

#include "libhygie/durable.h"
#include "libhygie/folder_remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((size_t)256 * 1024)
#define PAGE ((size_t)4096) /* gocryptfs's, and most file systems' */

/* Both sides of a file that is read, and room for a block of each. */
struct ends {
	int from, to;
	uint8_t *block, *other;
};
#define NO_ENDS ((struct ends){ .from = -1, .to = -1 })

static void ends_leave(struct ends *ends)
{
	if (ends->from >= 0)
		(void)close(ends->from);
	if (ends->to >= 0)
		(void)close(ends->to);
	free(ends->block);
	free(ends->other);
}
#define cleanup_ends cleanup_with(ends_leave)

static int source_open(struct ends *ends, int from, const char *name,
		       const struct stat *expected)
{
	struct stat st;

	ends->block = malloc(BLOCK);
	ends->other = malloc(BLOCK);
	if (!ends->block || !ends->other)
		return -ENOMEM;
	ends->from = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (ends->from < 0 || fstat(ends->from, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && st.st_ino == expected->st_ino ? 0 : -ESTALE;
}

int tree_remove(int folder, const char *name)
{
	char path[NAME_MAX + 32];

	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder, name);
	return folder_remove(path, -1);
}

/* Where data begins at or after `at`; `size` when only a hole is left. */
static off_t data_next(int fd, off_t at, off_t size)
{
	off_t next = lseek(fd, at, SEEK_DATA);

	if (next < 0)
		return errno == ENXIO ? size : at; /* it may know no holes */
	return next < size ? next : size;
}

static ssize_t block_read(int fd, uint8_t *block, off_t at, off_t size)
{
	size_t wanted = size - at < (off_t)BLOCK ? (size_t)(size - at) : BLOCK, done = 0;

	while (done < wanted) {
		ssize_t n = pread(fd, block + done, wanted - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ESTALE; /* shorter than it was */
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int write_at(int fd, const uint8_t *bytes, size_t size, off_t at)
{
	if (lseek(fd, at, SEEK_SET) < 0)
		return -errno;
	return write_all(fd, bytes, size);
}

/* What is nothing but zeros stays a hole. */
static int block_write(int fd, const uint8_t *block, size_t size, off_t at)
{
	int r = 0;

	for (size_t begin = 0; r == 0 && begin < size;) {
		size_t end = begin;

		while (end < size &&
		       !is_zero(block + end, size - end < PAGE ? size - end : PAGE))
			end += size - end < PAGE ? size - end : PAGE;
		if (end > begin)
			r = write_at(fd, block + begin, end - begin, at + (off_t)begin);
		begin = end + (size - end < PAGE ? size - end : PAGE);
	}
	return r;
}

/* Holes count as what they would hold. */
static void tell(struct tree *tree, off_t *told, off_t at)
{
	tree_progress_add(tree->progress, 0, (uint64_t)(at - *told));
	*told = at;
}

static int bytes_copy(struct tree *tree, const struct ends *ends, off_t size)
{
	off_t at = 0, told = 0;
	int r = 0;

	while (r == 0 && (at = data_next(ends->from, at, size)) < size) {
		ssize_t n = block_read(ends->from, ends->block, at, size);

		r = n < 0 ? (int)n : block_write(ends->to, ends->block, (size_t)n, at);
		if (r == 0)
			r = tree_look(tree);
		at += n;
		if (r == 0)
			tell(tree, &told, at);
	}
	if (r == 0 && ftruncate(ends->to, size) < 0)
		r = -errno;
	if (r == 0)
		tell(tree, &told, size);
	return r;
}

/* 1: the same, and told; 0: not. */
static int bytes_compare(struct tree *tree, const struct ends *ends, off_t size)
{
	off_t at = 0, told = 0;

	for (;;) {
		off_t one = data_next(ends->from, at, size),
		      other = data_next(ends->to, at, size);
		ssize_t n;

		at = one < other ? one : other;
		if (at >= size)
			break;
		n = block_read(ends->from, ends->block, at, size);
		if (n < 0)
			return (int)n;
		if (block_read(ends->to, ends->other, at, size) != n ||
		    memcmp(ends->block, ends->other, (size_t)n) != 0)
			return 0; /* or it cannot be read: made anew */
		if (tree_look(tree) < 0)
			return -ECANCELED;
		at += n;
		tell(tree, &told, at);
	}
	tell(tree, &told, size);
	return 1;
}

/* Attributes before the owner's change would go with it; the time comes last. */
static int rights_give(int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = fchown(to, st->st_uid, st->st_gid) < 0 ||
				fchmod(to, st->st_mode & 07777) < 0
			? -errno
			: tree_attributes_copy(from, to);

	return r == 0 && futimens(to, times) < 0 ? -errno : r;
}

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool rights_are_same(const struct stat *one, const struct stat *other)
{
	return one->st_uid == other->st_uid && one->st_gid == other->st_gid &&
	       one->st_mode == other->st_mode &&
	       is_same_time(&one->st_mtim, &other->st_mtim);
}

/* Whether it was copied, as it seems. */
static bool looks_whole(int to, const char *name, const struct stat *like)
{
	struct stat st;

	return fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == like->st_size && rights_are_same(&st, like) &&
	       (like->st_nlink > 1 || st.st_nlink == 1);
}

/* Whether it was: both are read. 1, 0 or a negative errno. */
static int is_whole(struct tree *tree, int from, int to, const char *name,
		    const struct stat *st)
{
	cleanup_ends struct ends ends = NO_ENDS;
	int r = source_open(&ends, from, name, st);

	if (r < 0)
		return r;
	ends.to = openat(to, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (ends.to < 0)
		return 0;
	r = bytes_compare(tree, &ends, st->st_size);
	return r == 1 ? tree_attributes_compare(ends.from, ends.to) : r;
}

static int file_copy(struct tree *tree, int from, int to, const char *name,
		     const struct stat *st)
{
	cleanup_ends struct ends ends = NO_ENDS;
	int r = source_open(&ends, from, name, st);

	if (r == 0)
		r = tree_remove(to, name);
	if (r < 0)
		return r;
	ends.to = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600);
	if (ends.to < 0)
		return -errno;
	r = bytes_copy(tree, &ends, st->st_size);
	return r == 0 ? rights_give(ends.from, ends.to, st) : r;
}

int tree_file(struct tree *tree, int from, int to, const char *name,
	      const struct stat *st)
{
	int r = looks_whole(to, name, st);

	if (r == 1 && tree->pass == TREE_COPY)
		tree_progress_add(tree->progress, 0, (uint64_t)st->st_size);
	else if (r == 1)
		r = is_whole(tree, from, to, name, st);
	if (r == 0) {
		tree->repaired++;
		r = file_copy(tree, from, to, name, st);
	}
	return r < 0 ? r : 0;
}

/* 1: the same target; 0: not. */
static int links_compare(int from, int to, const char *name)
{
	char one[PATH_MAX], other[PATH_MAX];
	ssize_t size = readlinkat(from, name, one, sizeof(one)),
		there = readlinkat(to, name, other, sizeof(other));

	if (size < 0)
		return -errno;
	return size == there && memcmp(one, other, (size_t)size) == 0;
}

/* Whether it is there already. 1, 0 or a negative errno. */
static int node_compare(int from, int to, const char *name, const struct stat *st)
{
	struct stat copy;

	if (fstatat(to, name, &copy, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!rights_are_same(st, &copy))
		return 0;
	return S_ISLNK(st->st_mode) ? links_compare(from, to, name) : 1;
}

static int node_make(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t size;

	if (!S_ISLNK(st->st_mode))
		return mknodat(to, name, (st->st_mode & S_IFMT) | 0600, 0) < 0 ? -errno
									       : 0;
	size = readlinkat(from, name, target, sizeof(target) - 1);
	if (size < 0)
		return -errno;
	target[size] = '\0';
	return symlinkat(target, to, name) < 0 ? -errno : 0;
}

int tree_node(struct tree *tree, int from, int to, const char *name,
	      const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = node_compare(from, to, name, st);

	if (r != 0)
		return r < 0 ? r : 0;
	tree->repaired++;
	r = tree_remove(to, name);
	if (r == 0)
		r = node_make(from, to, name, st);
	if (r < 0)
		return r;
	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0) ||
	    utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int tree_folder_rights(int from, int to, const struct stat *st)
{
	return rights_give(from, to, st);
}
