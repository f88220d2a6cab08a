/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what only its owner can have written; declared in trusted_file.h. The walk by
 * openat() is the one way, on every kernel: openat2's RESOLVE_NO_SYMLINKS would spare the
 * opens but not the look at each parent's owner and mode.
 */
#include "libhygie/trusted_file.h"

#include "libhygie/error_text.h"
#include "libhygie/printable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_NAMES_MAX 256

/* One path being opened: what all steps need, for checks and for messages. */
struct walk {
	const char *path;
	uid_t owner;
	struct file_error *error; /* may be NULL */
};

/* Tells about `length` bytes of the path; returns `fault`. */
static __attribute__((format(printf, 4, 5))) int
walk_fail(const struct walk *walk, size_t length, int fault, const char *format, ...)
{
	char text[sizeof(walk->error->text)];
	int used;
	va_list arguments;

	if (walk->error == NULL)
		return fault;
	used = snprintf(text, sizeof(text), "%.*s: ", length < 256 ? (int)length : 256,
			walk->path);
	if (used > 0 && (size_t)used < sizeof(text)) {
		va_start(arguments, format);
		(void)vsnprintf(text + used, sizeof(text) - (size_t)used, format,
				arguments);
		va_end(arguments);
	}
	printable_copy(walk->error->text, sizeof(walk->error->text), text, strlen(text));
	return fault;
}

/* The same for a failed system call. */
static int walk_fail_errno(const struct walk *walk, size_t length, int fault)
{
	switch (fault) {
	case -ELOOP:
		return walk_fail(walk, length, fault,
				 "is a symbolic link; put the real thing there or "
				 "configure the path without links");
	case -ENOENT:
		return walk_fail(walk, length, fault, "does not exist");
	default:
		return walk_fail(walk, length, fault, "%s", error_text(-fault));
	}
}

static const char *who_writes(mode_t mode)
{
	return mode & S_IWOTH ? "everybody" : "its group";
}

static int walk_check_mode(const struct walk *walk, size_t length, const struct stat *st)
{
	if (!(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return walk_fail(
		walk, length, -EPERM, "can be written by %s: run chmod go-w %.*s",
		who_writes(st->st_mode), length < 100 ? (int)length : 0, walk->path);
}

static int walk_check_owner(const struct walk *walk, size_t length, const struct stat *st,
			    bool root_will_do)
{
	if (st->st_uid == walk->owner || (root_will_do && st->st_uid == 0))
		return 0;
	return walk_fail(
		walk, length, -EPERM,
		"belongs to user %u: run chown %u %.*s (after a look at what is in it)",
		(unsigned)st->st_uid, (unsigned)walk->owner,
		length < 100 ? (int)length : 0, walk->path);
}

/*
 * A folder on the way. Only further up may it be a sticky one of root's: there nobody can
 * rename or remove what is root's or the owner's, and the next step must be that.
 */
static int walk_check_folder(const struct walk *walk, size_t length, int fd,
			     bool holds_it)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return walk_fail_errno(walk, length, -errno);
	r = walk_check_owner(walk, length, &st, true);
	if (r < 0)
		return r;
	if (!holds_it && (st.st_mode & S_ISVTX) && st.st_uid == 0)
		return 0;
	return walk_check_mode(walk, length, &st);
}

static int walk_check_file(const struct walk *walk, int fd, unsigned flags)
{
	size_t length = strlen(walk->path);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return walk_fail_errno(walk, length, -errno);
	if (!S_ISREG(st.st_mode))
		return walk_fail(walk, length, -EPERM, "is not a regular file");
	r = walk_check_owner(walk, length, &st, false);
	if (r < 0)
		return r;
	r = walk_check_mode(walk, length, &st);
	if (r < 0)
		return r;
	if (st.st_nlink != 1 && !(flags & TRUSTED_ANY_LINKS))
		return walk_fail(walk, length, -EPERM,
				 "has %lu hard links; replace it by a copy of its own",
				 (unsigned long)st.st_nlink);
	return 0;
}

/* Opens one component; O_NOFOLLOW with O_DIRECTORY says ENOTDIR for a link, so look. */
static int component_open(int folder, const char *name, int flags)
{
	struct stat st;
	int fd = openat(folder, name,
			flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int fault = -errno;

	if (fd >= 0)
		return fd;
	if (fault == -ENOTDIR && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return fault;
}

/*
 * Opens the folder that the first `length` bytes of the path name, checking each one on
 * the way. `strict`: nobody else may write even this last one.
 */
static int walk_folder(const struct walk *walk, size_t length, bool strict, int *ret_fd)
{
	cleanup_close int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t at = 0;
	int r;

	if (fd < 0)
		return walk_fail_errno(walk, 1, -errno);
	while (at < length) {
		char name[NAME_MAX + 1];
		size_t begin = at + 1;
		size_t end = begin + strcspn(walk->path + begin, "/");
		int next;

		r = walk_check_folder(walk, at > 0 ? at : 1, fd, false);
		if (r < 0)
			return r;
		if (end - begin >= sizeof(name))
			return walk_fail_errno(walk, length, -ENAMETOOLONG);
		memcpy(name, walk->path + begin, end - begin);
		name[end - begin] = '\0';
		next = component_open(fd, name, O_PATH | O_DIRECTORY);
		if (next < 0)
			return walk_fail_errno(walk, end, next);
		(void)close(fd);
		fd = next;
		at = end;
	}
	r = walk_check_folder(walk, length > 0 ? length : 1, fd, strict);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

bool trusted_path_is_plain(const char *path)
{
	const char *at = path;

	if (*at != '/' || strlen(path) >= PATH_MAX)
		return false;
	while (*at == '/') {
		size_t length = strcspn(++at, "/");

		if (length == 0 || (length == 1 && at[0] == '.') ||
		    (length == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += length;
	}
	return true;
}

static int walk_begin(const struct walk *walk)
{
	if (trusted_path_is_plain(walk->path))
		return 0;
	return walk_fail(
		walk, strlen(walk->path), -EINVAL,
		"is not a plain absolute path; write it from / on, without \"..\", "
		"\"//\" or a slash at the end");
}

int trusted_file_open(const char *path, uid_t owner, unsigned flags, int *ret_fd,
		      struct file_error *ret_error)
{
	const struct walk walk = { path, owner, ret_error };
	cleanup_close int folder = -1;
	cleanup_close int fd = -1;
	int r = walk_begin(&walk);

	if (r < 0)
		return r;
	r = walk_folder(&walk, (size_t)(strrchr(path, '/') - path), true, &folder);
	if (r < 0)
		return r;
	fd = component_open(folder, strrchr(path, '/') + 1, O_RDONLY);
	if (fd < 0)
		return walk_fail_errno(&walk, strlen(path), fd);
	r = walk_check_file(&walk, fd, flags);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Reads to the end, which may have moved since fstat; one byte over `max` is too much. */
static int descriptor_read(int fd, size_t max, char **ret_text, size_t *ret_size)
{
	cleanup_free char *text = malloc(max + 1);
	size_t size = 0;

	if (text == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, text + size, max + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_size = size;
	text = NULL;
	return 0;
}

int trusted_file_read(const char *path, uid_t owner, size_t max, char **ret_text,
		      size_t *ret_size, struct file_error *ret_error)
{
	const struct walk walk = { path, owner, ret_error };
	cleanup_close int fd = -1;
	int r = trusted_file_open(path, owner, 0, &fd, ret_error);

	if (r < 0)
		return r;
	r = descriptor_read(fd, max, ret_text, ret_size);
	if (r == -EFBIG)
		return walk_fail(&walk, strlen(path), r, "is larger than %zu bytes", max);
	return r < 0 ? walk_fail_errno(&walk, strlen(path), r) : 0;
}

int trusted_folder_open(const char *path, uid_t owner, int *ret_fd,
			struct file_error *ret_error)
{
	const struct walk walk = { path, owner, ret_error };
	cleanup_close int folder = -1;
	int fd;
	int r = walk_begin(&walk);

	if (r < 0)
		return r;
	r = walk_folder(&walk, strlen(path), true, &folder);
	if (r < 0)
		return r;
	/* O_PATH cannot be read: open the very same folder again. */
	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return walk_fail_errno(&walk, strlen(path), -errno);
	*ret_fd = fd;
	return 0;
}

void trusted_names_free(struct trusted_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct trusted_names){ 0 };
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool name_is_wanted(const char *name, const char *suffix)
{
	size_t length = strlen(name);
	size_t tail = strlen(suffix);

	return name[0] != '.' && length > tail &&
	       strcmp(name + length - tail, suffix) == 0;
}

#pragma GCC diagnostic push
/* gcc 12 loses what is stored at an index that it does not know. */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static int names_add(struct trusted_names *names, const char *name)
{
	char *copy;

	if (names->count == FOLDER_NAMES_MAX)
		return -E2BIG;
	copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	names->name[names->count++] = copy;
	return 0;
}
#pragma GCC diagnostic pop

/* Fills `names`, which the caller frees in any case. */
static int names_read(DIR *folder, const char *suffix, struct trusted_names *names)
{
	names->name = calloc(FOLDER_NAMES_MAX, sizeof(*names->name));
	if (names->name == NULL)
		return -ENOMEM;
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
		entry = readdir(folder);
		if (entry == NULL)
			return -errno;
		if (!name_is_wanted(entry->d_name, suffix))
			continue;
		r = names_add(names, entry->d_name);
		if (r < 0)
			return r;
	}
}

int trusted_folder_list(const char *path, const char *suffix, uid_t owner,
			struct trusted_names *ret_names, struct file_error *ret_error)
{
	const struct walk walk = { path, owner, ret_error };
	cleanup_trusted_names struct trusted_names names = { 0 };
	int fd = -1;
	DIR *folder;
	int r = trusted_folder_open(path, owner, &fd, ret_error);

	if (r < 0)
		return r;
	folder = fdopendir(fd);
	if (folder == NULL) {
		r = -errno;
		(void)close(fd);
		return walk_fail_errno(&walk, strlen(path), r);
	}
	r = names_read(folder, suffix, &names);
	(void)closedir(folder);
	if (r == -E2BIG)
		return walk_fail(&walk, strlen(path), r, "holds more than %d things",
				 FOLDER_NAMES_MAX);
	if (r < 0)
		return walk_fail_errno(&walk, strlen(path), r);
	if (names.count > 0)
		qsort(names.name, names.count, sizeof(*names.name), names_compare);
	*ret_names = names;
	names = (struct trusted_names){ 0 };
	return 0;
}
