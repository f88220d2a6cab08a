/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying the files of a store; see store_archive.h.
 */
#include "store_archive.h"

#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/durable.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK ((size_t)256 * 1024)
#define SHOW_EVERY 200000u /* microseconds */

int archive_fail(struct archive_error *error, int fault, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return fault;
}

int archive_report(const struct options *options, const struct archive_error *error,
		   int fault)
{
	const char *template = N_("The store was not copied: {1}");
	const char *detail = error->text[0] ? error->text : error_text(-fault);
	struct client_result result = { .outcome = HYGIE_BROKEN_SETUP };

	text_render(options->given & OPTION_JSON ? template : tr(template), &detail, 1,
		    result.text, sizeof(result.text));
	return output_failure(options, &result);
}

static int fail_at(struct archive_error *error, const char *path, int fault)
{
	return archive_fail(error, fault, "%s: %s", path, error_text(-fault));
}

void archive_progress_add(struct archive_progress *progress, uint64_t bytes)
{
	uint64_t now = monotonic_now();

	progress->bytes += bytes;
	if (!progress->shown || now < progress->next)
		return;
	progress->next = now + SHOW_EVERY;
	(void)fprintf(stderr, "\r%" PRIu64 " %s, %" PRIu64 " MiB ", progress->files,
		      tr("files"), progress->bytes >> 20);
}

void archive_progress_end(struct archive_progress *progress)
{
	progress->next = 0;
	archive_progress_add(progress, 0);
	if (progress->shown)
		(void)fputc('\n', stderr);
}

static int hash_end(EVP_MD_CTX *hash, char ret_hash[ARCHIVE_HASH_SIZE])
{
	uint8_t digest[32];

	if (EVP_DigestFinal_ex(hash, digest, NULL) != 1)
		return -ENOMEM;
	hex_write(digest, sizeof(digest), ret_hash);
	return 0;
}

/* Reads `from` to its end; writes it to `to` unless that is -1. */
static int bytes_pass(int from, int to, struct archive_progress *progress,
		      char ret_hash[ARCHIVE_HASH_SIZE])
{
	cleanup_free uint8_t *block = malloc(BLOCK);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	int r = block && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1
			? 0
			: -ENOMEM;

	while (r == 0) {
		ssize_t n = read(from, block, BLOCK);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		else if (EVP_DigestUpdate(hash, block, (size_t)n) != 1)
			r = -ENOMEM;
		else if (to >= 0)
			r = write_all(to, block, (size_t)n);
		if (r == 0)
			archive_progress_add(progress, (uint64_t)n);
	}
	if (r == 0)
		r = hash_end(hash, ret_hash);
	EVP_MD_CTX_free(hash);
	return r;
}

static int source_open(const char *path, int *ret_fd, struct stat *ret_st)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		(void)close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

static bool times_differ(const struct stat *one, const struct stat *other)
{
	return one->st_size != other->st_size ||
	       one->st_mtim.tv_sec != other->st_mtim.tv_sec ||
	       one->st_mtim.tv_nsec != other->st_mtim.tv_nsec;
}

/* glibc has no function for it yet. */
static int folder_below(int top, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, top, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int archive_enter(int top, const char *top_path, const char *within,
		  struct archive_entry *ret_entry, struct archive_error *error)
{
	const char *slash = strrchr(within, '/'), *name = slash ? slash + 1 : within;
	struct archive_entry *entry = ret_entry;
	char folder[PATH_MAX] = ".";

	entry->folder = -1;
	if (snprintf(entry->shown, sizeof(entry->shown), "%s%s%s", top_path,
		     within[0] ? "/" : "", within) >= (int)sizeof(entry->shown) ||
	    strlen(name) > NAME_MAX)
		return archive_fail(error, -ENAMETOOLONG, "%.300s: its name is too long",
				    within);
	if (slash)
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - within),
			       within);
	entry->folder = folder_below(top, folder);
	if (entry->folder == -ELOOP || entry->folder == -EXDEV)
		return archive_fail(error, entry->folder,
				    "%s: a symbolic link stands in the way",
				    entry->shown);
	if (entry->folder < 0)
		return fail_at(error, entry->shown, entry->folder);
	(void)snprintf(entry->path, sizeof(entry->path), "/proc/self/fd/%d/%s",
		       entry->folder, name[0] ? name : ".");
	return 0;
}

int archive_name(const char *path, struct archive_entry *ret_entry,
		 struct archive_error *error)
{
	ret_entry->folder = -1;
	if (strlen(path) >= sizeof(ret_entry->path))
		return archive_fail(error, -ENAMETOOLONG, "%.300s: its name is too long",
				    path);
	(void)snprintf(ret_entry->path, sizeof(ret_entry->path), "%s", path);
	(void)snprintf(ret_entry->shown, sizeof(ret_entry->shown), "%s", path);
	return 0;
}

void archive_leave(struct archive_entry *entry)
{
	if (entry->folder >= 0)
		(void)close(entry->folder);
	entry->folder = -1;
}

int archive_copy(const struct archive_entry *from, const struct archive_entry *to,
		 const struct stat *owner, mode_t mode, struct archive_progress *progress,
		 char ret_hash[ARCHIVE_HASH_SIZE], struct archive_error *error)
{
	cleanup_close int source = -1, copy = -1;
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
	struct stat before = { 0 }, after = { 0 };
	int r = source_open(from->path, &source, &before);

	if (r < 0)
		return fail_at(error, from->shown, r);
	/* Anew: a link in its place, or one file under two names, is no target. */
	(void)unlink(to->path);
	copy = open(to->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy < 0)
		return fail_at(error, to->shown, -errno);
	r = bytes_pass(source, copy, progress, ret_hash);
	if (r == 0 && fstat(source, &after) < 0)
		r = -errno;
	if (r == 0 && times_differ(&before, &after))
		return archive_fail(error, -EAGAIN, "%s: was changed meanwhile",
				    from->shown);
	times[1] = before.st_mtim;
	if (r == 0 &&
	    (fchown(copy, owner->st_uid, owner->st_gid) < 0 || fchmod(copy, mode) < 0 ||
	     fsync(copy) < 0 || futimens(copy, times) < 0))
		r = -errno;
	if (r < 0)
		return fail_at(error, to->shown, r);
	progress->files++;
	return 0;
}

int archive_hash(const struct archive_entry *entry, struct archive_progress *progress,
		 char ret_hash[ARCHIVE_HASH_SIZE], struct archive_error *error)
{
	cleanup_close int fd = -1;
	struct stat st;
	int r = source_open(entry->path, &fd, &st);

	if (r == 0)
		r = bytes_pass(fd, -1, progress, ret_hash);
	if (r < 0)
		return fail_at(error, entry->shown, r);
	progress->files++;
	return 0;
}

int archive_link(const char *target, const struct archive_entry *to,
		 const struct stat *owner, char ret_hash[ARCHIVE_HASH_SIZE],
		 struct archive_error *error)
{
	uint8_t digest[32];

	(void)unlink(to->path);
	if (symlink(target, to->path) < 0 ||
	    lchown(to->path, owner->st_uid, owner->st_gid) < 0)
		return fail_at(error, to->shown, -errno);
	if (EVP_Q_digest(NULL, "SHA256", NULL, target, strlen(target), digest, NULL) != 1)
		return fail_at(error, to->shown, -ENOMEM);
	hex_write(digest, sizeof(digest), ret_hash);
	return 0;
}

int archive_folder(const struct archive_entry *to, struct archive_error *error)
{
	struct stat st;

	if (mkdir(to->path, 0700) == 0)
		return 0;
	if (errno != EEXIST || lstat(to->path, &st) < 0)
		return fail_at(error, to->shown, -errno);
	return S_ISDIR(st.st_mode) ? 0 : fail_at(error, to->shown, -ENOTDIR);
}

int archive_folder_rights(const struct archive_entry *to, const struct stat *owner,
			  mode_t mode, struct archive_error *error)
{
	cleanup_close int fd =
		open(to->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchown(fd, owner->st_uid, owner->st_gid) < 0 ||
	    fchmod(fd, mode) < 0)
		return fail_at(error, to->shown, -errno);
	return 0;
}

int archive_flush(const char *path, struct archive_error *error)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? fail_at(error, path, -errno) : 0;
}
