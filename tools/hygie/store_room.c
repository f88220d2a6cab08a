/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on a disk; see store_room.h.
 */
#include "store_room.h"

#include "libhygie/error_text.h"
#include "tree_links.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define MARGIN ((uint64_t)16 << 20) /* for what a file system needs besides */
#define FILES_MARGIN ((uint64_t)64)

/* Over a network f_frsize is what is sent at once (NFS: a MiB), and no room is taken by it. */
#define BLOCK_MAX ((uint64_t)64 << 10)
#define BLOCK_USUAL ((uint64_t)4096)

static uint64_t sum(uint64_t one, uint64_t other)
{
	uint64_t both;

	return __builtin_add_overflow(one, other, &both) ? UINT64_MAX : both;
}

void store_room_add(struct store_room *room, uint64_t size, uint64_t block)
{
	uint64_t rest = size % block;

	room->bytes = sum(room->bytes, rest ? sum(size, block - rest) : size);
	room->files++;
}

/* 1: another name of a file that was counted; 0: none; -ENOMEM. */
static int is_counted(struct tree_links *links, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || st->st_nlink == 1)
		return 0;
	if (tree_links_find(links, st->st_ino))
		return 1;
	return tree_links_add(links, st->st_ino, st->st_ino, "");
}

int store_room_measure(const char *path, struct store_room *ret_room)
{
	char *const roots[] = { strdup(path), NULL };
	FTS *walk = roots[0] ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	struct tree_links links = { NULL, NULL, NULL };
	struct store_room room = { 0, 0 };
	const FTSENT *entry;
	int r = walk ? 0 : -ENOMEM;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the walk is ours alone */
	while (r >= 0 && (entry = fts_read(walk))) {
		if (entry->fts_info != FTS_F && entry->fts_info != FTS_D &&
		    entry->fts_info != FTS_SL && entry->fts_info != FTS_DEFAULT)
			continue;
		r = is_counted(&links, entry->fts_statp);
		if (r == 0)
			store_room_add(&room, (uint64_t)entry->fts_statp->st_blocks * 512,
				       512);
	}
	free(roots[0]);
	tree_links_free(&links);
	if (walk)
		(void)fts_close(walk);
	if (r < 0)
		return r;
	*ret_room = room;
	return 0;
}

int store_room_block(const char *folder, uint64_t *ret_block)
{
	struct statvfs system;

	if (statvfs(folder, &system) < 0)
		return -errno;
	*ret_block = system.f_frsize > 0 && system.f_frsize <= BLOCK_MAX ? system.f_frsize
									 : BLOCK_USUAL;
	return 0;
}

static uint64_t missing(uint64_t wanted, uint64_t there, uint64_t margin)
{
	uint64_t rest = wanted > there ? wanted - there : 0;

	return sum(rest, sum(rest / 64, margin));
}

int store_room_look(const char *folder, const struct store_room *wanted,
		    const struct store_room *there, const char *what,
		    struct archive_error *error)
{
	uint64_t bytes = missing(wanted->bytes, there->bytes, MARGIN), free_bytes;
	uint64_t files = missing(wanted->files, there->files, FILES_MARGIN);
	struct statvfs system;

	if (statvfs(folder, &system) < 0)
		return archive_fail(error, -errno, "%s: %s", folder, error_text(errno));
	if (__builtin_mul_overflow((uint64_t)system.f_bavail, (uint64_t)system.f_frsize,
				   &free_bytes))
		free_bytes = UINT64_MAX;
	if (bytes > free_bytes)
		return archive_fail(error, -ENOSPC,
				    "%.200s: %" PRIu64 " MiB are free there, and %" PRIu64
				    " MiB are needed for %s. Make room first",
				    folder, free_bytes >> 20, bytes >> 20, what);
	/* Some file systems (btrfs) make as many as it takes, and say 0. */
	if (system.f_files > 0 && files > system.f_favail)
		return archive_fail(error, -ENOSPC,
				    "%.200s: %" PRIu64
				    " more files can be made there (inodes), and %" PRIu64
				    " are needed for %s. Make room first",
				    folder, (uint64_t)system.f_favail, files, what);
	return 0;
}
