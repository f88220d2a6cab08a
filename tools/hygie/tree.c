/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a tree; see tree.h. A list of levels instead of calls within calls: how deep
 * somebody has made it is bounded by us, not by the stack.
 */
#include "tree.h"

#include "libhygie/error_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LEVELS_MAX 1000 /* two descriptors each */
#define PATH_SHOWN 240  /* bytes of a path that are told: the last ones */

struct level {
	struct level *up;
	unsigned depth;
	DIR *from;
	int to;
	struct stat st;
	char name[NAME_MAX + 1];
};

int tree_look(const struct tree *tree)
{
	struct pollfd pollfd = { .fd = tree->watched, .events = POLLIN };

	return tree->watched >= 0 && poll(&pollfd, 1, 0) > 0 ? -ECANCELED : 0;
}

/* "FOLDER/FOLDER/NAME", of its end if it is too long. */
static void path_write(const struct level *level, const char *name, char *ret_path,
		       size_t size)
{
	size_t at = size - 1, length = strlen(name);

	ret_path[at] = '\0';
	for (;;) {
		if (length + 1 > at)
			break;
		at -= length;
		memcpy(ret_path + at, name, length);
		if (!level || !level->up)
			break;
		ret_path[--at] = '/';
		name = level->name;
		length = strlen(name);
		level = level->up;
	}
	memmove(ret_path, ret_path + at, size - at);
}

static int fail_at(const struct tree *tree, const struct level *level, const char *name,
		   int fault)
{
	char path[PATH_SHOWN];

	if (fault == -ECANCELED)
		return fault;
	path_write(level, name, path, PATH_SHOWN);
	return archive_fail(tree->error, fault,
			    "%s: %s. Mend that, or remove it; the same command then goes "
			    "on",
			    path, error_text(-fault));
}

static void level_free(struct level *level)
{
	if (level->from)
		(void)closedir(level->from);
	if (level->to >= 0)
		(void)close(level->to);
	free(level);
}

/* Opens the folder called `name` on both sides. */
static int level_new(int from, int to, const char *name, struct level **ret_level)
{
	struct level *level = calloc(1, sizeof(*level));
	int fd, r = level ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	level->to = -1;
	(void)snprintf(level->name, sizeof(level->name), "%s", name);
	fd = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &level->st) < 0)
		r = -errno;
	if (r == 0) {
		level->from = fdopendir(fd);
		r = level->from ? 0 : -ENOMEM;
	}
	if (fd >= 0 && !level->from)
		(void)close(fd);
	if (r == 0 && to >= 0) {
		level->to =
			openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = level->to < 0 ? -errno : 0;
	}
	if (r < 0) {
		level_free(level);
		return r;
	}
	*ret_level = level;
	return 0;
}

/* Removes what is in the copy alone, or as something else. */
static int level_prune(struct tree *tree, const struct level *level)
{
	int fd = openat(level->to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *there = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!there) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (r == 0 && (entry = readdir(there))) {
		struct stat one, other;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(fd, entry->d_name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
		    fstatat(dirfd(level->from), entry->d_name, &one,
			    AT_SYMLINK_NOFOLLOW) == 0 &&
		    (one.st_mode & S_IFMT) == (other.st_mode & S_IFMT))
			continue;
		tree->repaired++;
		r = tree_remove(fd, entry->d_name);
	}
	(void)closedir(there);
	return r;
}

static int level_enter(struct tree *tree, struct level **at, int from, int to,
		       const char *name)
{
	struct level *up = *at, *level = NULL;
	int r = 0;

	if (up && up->depth >= LEVELS_MAX)
		return -ELOOP;
	if (up && to >= 0 && mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = level_new(from, to, name, &level);
	if (r < 0)
		return r;
	level->up = up;
	level->depth = up ? up->depth + 1 : 1;
	*at = level;
	return level->to >= 0 ? level_prune(tree, level) : 0;
}

static int level_leave(const struct tree *tree, struct level **at)
{
	struct level *level = *at;
	int r = 0;

	if (tree->pass != TREE_MEASURE)
		r = tree_folder_rights(dirfd(level->from), level->to, &level->st);
	if (r < 0)
		r = fail_at(tree, level->up, level->name, r);
	*at = level->up;
	level_free(level);
	return r;
}

static void leave_out(struct tree *tree, const struct level *level, const char *name)
{
	if (tree->left_out++ == 0)
		path_write(level, name, tree->first_left_out,
			   sizeof(tree->first_left_out));
}

/* Gives the copy of the first name another one. */
static int link_make(const struct tree *tree, const struct tree_link *first, int to,
		     const char *name)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	char path[sizeof("/proc/self/fd/") + 16];
	cleanup_close int fd =
		(int)syscall(SYS_openat2, tree->to, first->path, &how, sizeof(how));
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_ino != first->to)
		return -ENAMETOOLONG; /* its path was cut */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, to, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Names of one file: the first is copied, the others are made names of the copy. */
static int linked_walk(struct tree *tree, const struct level *level, const char *name,
		       const struct stat *st)
{
	const struct tree_link *first = tree_links_find(&tree->links, st->st_ino);
	char path[PATH_MAX];
	struct stat copy;
	int r;

	if (first && fstatat(level->to, name, &copy, AT_SYMLINK_NOFOLLOW) == 0 &&
	    copy.st_ino == first->to)
		return 0;
	if (first) {
		tree->repaired++;
		r = tree_remove(level->to, name);
		return r < 0 ? r : link_make(tree, first, level->to, name);
	}
	/* What was one file with another once, and is none now. */
	if (fstatat(level->to, name, &copy, AT_SYMLINK_NOFOLLOW) == 0 &&
	    tree_links_find_copy(&tree->links, copy.st_ino)) {
		r = tree_remove(level->to, name);
		if (r < 0)
			return r;
	}
	r = tree_file(tree, dirfd(level->from), level->to, name, st);
	if (r == 0 && fstatat(level->to, name, &copy, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r < 0)
		return r;
	path_write(level, name, path, sizeof(path));
	return tree_links_add(&tree->links, st->st_ino, copy.st_ino, path);
}

static int file_walk(struct tree *tree, const struct level *level, const char *name,
		     const struct stat *st)
{
	tree->files++;
	tree->bytes += (uint64_t)st->st_size;
	if (tree->pass == TREE_MEASURE)
		return 0;
	tree_progress_add(tree->progress, 1, 0);
	if (st->st_nlink > 1)
		return linked_walk(tree, level, name, st);
	return tree_file(tree, dirfd(level->from), level->to, name, st);
}

static int entry_walk(struct tree *tree, struct level **at, const char *name)
{
	struct level *level = *at;
	struct stat st;
	int r = 0;

	if (fstatat(dirfd(level->from), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (tree->pass == TREE_MEASURE && tree->visit)
		r = tree->visit(tree->context, level->depth, name, &st);
	if (r < 0)
		return r;
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return level_enter(tree, at, dirfd(level->from), level->to, name);
	case S_IFREG:
		return file_walk(tree, level, name, &st);
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
		return tree->pass == TREE_MEASURE ? 0
						  : tree_node(tree, dirfd(level->from),
							      level->to, name, &st);
	default: /* a device: nothing is in it */
		leave_out(tree, level, name);
		return tree->pass == TREE_MEASURE ? 0 : tree_remove(level->to, name);
	}
}

static int step(struct tree *tree, struct level **at)
{
	struct level *level = *at;
	const struct dirent *entry;
	char name[NAME_MAX + 1];
	int r = tree_look(tree);

	if (r < 0)
		return r;
	errno = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	entry = readdir(level->from);
	if (!entry)
		return errno ? fail_at(tree, level->up, level->name, -errno)
			     : level_leave(tree, at);
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	(void)snprintf(name, sizeof(name), "%s", entry->d_name);
	r = entry_walk(tree, at, name);
	return r < 0 ? fail_at(tree, level, name, r) : 0;
}

int tree_walk(struct tree *tree, int from, int to)
{
	struct level *level = NULL;
	int r;

	tree->files = tree->bytes = tree->repaired = tree->left_out = 0;
	tree->links = (struct tree_links){ NULL, NULL, NULL };
	tree->to = to;
	r = level_enter(tree, &level, from, to, ".");
	if (r < 0)
		r = fail_at(tree, NULL, ".", r);
	while (r == 0 && level)
		r = step(tree, &level);
	while (level) {
		struct level *up = level->up;

		level_free(level);
		level = up;
	}
	tree_links_free(&tree->links);
	return r;
}
