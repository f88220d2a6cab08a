/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that gocryptfs cannot decrypt; see store_names.h. That there are some is found by
 * counting. Which one it is can only be told by owner, mode and times, which gocryptfs
 * hands on as they are (numbers of files it does not, where a disk is put together of
 * several): one that was seen is never named, since it would be removed.
 */
#include "store_names.h"

#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST ((size_t)1024)

struct lookup {
	const struct store_names *names;
	size_t count;
	bool search; /* for the first that was not seen */
};

/* FNV-1a, of what is the same on both sides. */
static uint64_t look_of(const struct stat *st)
{
	const uint64_t parts[] = { st->st_mode,
				   st->st_uid,
				   st->st_gid,
				   (uint64_t)st->st_mtim.tv_sec,
				   (uint64_t)st->st_mtim.tv_nsec,
				   (uint64_t)st->st_ctim.tv_sec,
				   (uint64_t)st->st_ctim.tv_nsec };
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < array_size(parts); i++)
		for (unsigned shift = 0; shift < 64; shift += 8)
			hash = (hash ^ (parts[i] >> shift & 0xff)) * 0x100000001b3u;
	return hash;
}

static int remember(void *context, unsigned depth, const char *name,
		    const struct stat *st)
{
	struct store_names *names = context;
	size_t room = names->room ? 2 * names->room : ROOM_FIRST;
	uint64_t *more;

	(void)depth;
	(void)name;
	if (names->count == names->room) {
		more = reallocarray(names->seen, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		names->seen = more;
		names->room = room;
	}
	names->seen[names->count++] = look_of(st);
	return 0;
}

void store_names_watch(struct store_names *names, struct tree *tree)
{
	tree->visit = remember;
	tree->context = names;
}

static int by_value(const void *one, const void *other)
{
	const uint64_t *a = one, *b = other;

	return (*a > *b) - (*a < *b);
}

/* Encrypted names have no dot in them. */
static bool is_gocryptfs_own(const char *name)
{
	static const char own[] = "gocryptfs.", content[] = "gocryptfs.longname.",
			  end[] = ".name";
	size_t size = strlen(name), tail = sizeof(end) - 1;

	if (strncmp(name, own, sizeof(own) - 1) != 0)
		return false;
	return strncmp(name, content, sizeof(content) - 1) != 0 ||
	       strcmp(name + size - (size > tail ? tail : size), end) == 0;
}

static int look_up(void *context, unsigned depth, const char *name, const struct stat *st)
{
	struct lookup *lookup = context;
	uint64_t look;

	/* A disk's own; what fsck has put into it counts. */
	if (is_gocryptfs_own(name) || (depth == 1 && strcmp(name, "lost+found") == 0))
		return 0;
	lookup->count++;
	if (!lookup->search)
		return 0;
	look = look_of(st);
	return bsearch(&look, lookup->names->seen, lookup->names->count, sizeof(look),
		       by_value)
		       ? 0
		       : -EUCLEAN;
}

/* One of them, or what is known of all. */
static int tell(const struct lookup *lookup, const char *cipher, int found,
		struct archive_error *error)
{
	static const char what[] =
		"cannot be decrypted, and would be missing from the copy. Bring it back "
		"from a backup, or remove it; the same command then goes on";
	char path[sizeof(error->text)];

	if (found < 0 && found != -EUCLEAN)
		return found;
	if (found == 0)
		return archive_fail(
			error, -EUCLEAN,
			"%.200s: %zu entries are there, and %zu of them are seen; what "
			"has a name that %s",
			cipher, lookup->count, lookup->names->count, what);
	(void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(error->text, ":"),
		       error->text);
	return archive_fail(error, -EUCLEAN, "%.150s/%.200s: has a name that %s", cipher,
			    path, what);
}

int store_names_compare(struct store_names *names, const char *cipher, int watched,
			struct archive_error *error)
{
	struct lookup lookup = { .names = names };
	struct tree_progress silent = { .quiet = true };
	struct tree tree = { .pass = TREE_MEASURE,
			     .watched = watched,
			     .progress = &silent,
			     .error = error,
			     .visit = look_up,
			     .context = &lookup };
	int fd = open(cipher, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

	if (fd < 0)
		return archive_fail(error, -errno, "%s: %s", cipher, error_text(errno));
	r = tree_walk(&tree, fd, -1);
	if (r == 0 && lookup.count != names->count) {
		qsort(names->seen, names->count, sizeof(*names->seen), by_value);
		lookup.count = 0;
		lookup.search = true;
		r = tell(&lookup, cipher, tree_walk(&tree, fd, -1), error);
	}
	(void)close(fd);
	return r;
}

void store_names_free(struct store_names *names)
{
	free(names->seen);
	*names = (struct store_names){ NULL, 0, 0 };
}
