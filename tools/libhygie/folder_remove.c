/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a tree; see folder_remove.h. Members of a store's group can make one that is
 * deeper than any path, or all our descriptors, can reach, and it has to be removable all
 * the same.
 */
#include "libhygie/folder_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder on the way down to where we are. */
struct step {
	struct step *up;
	dev_t device;
	ino_t number;
	char *name; /* in it: the one that was entered; owned */
};

static int steps_push(struct step **at, int fd, const char *name)
{
	struct step *step = calloc(1, sizeof(*step));
	struct stat st;

	if (!step || !(step->name = strdup(name)) || fstat(fd, &st) < 0) {
		int r = step && step->name ? -errno : -ENOMEM;

		if (step)
			free(step->name);
		free(step);
		return r;
	}
	step->device = st.st_dev;
	step->number = st.st_ino;
	step->up = *at;
	*at = step;
	return 0;
}

static void steps_pop(struct step **at)
{
	struct step *step = *at;

	*at = step->up;
	free(step->name);
	free(step);
}

/*
 * A folder within that one, and nothing that is mounted there. Not by openat2(2), which
 * hygied has not got: RestrictSUIDSGID= of its unit takes it away.
 */
static int folder_open(int fd, const char *name)
{
	cleanup_close int within =
		openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx about;
	int found;

	if (within < 0)
		return -errno;
	if (statx(within, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &about) < 0)
		return -errno;
	if (!(about.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return -EOPNOTSUPP;
	if (about.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EXDEV;
	found = within;
	within = -1;
	return found;
}

/* 0: it is gone; 1: a folder that is not empty; negative errno. */
static int entry_remove(int fd, const char *name)
{
	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -errno;
}

static bool has_spoken(int watched)
{
	struct pollfd pollfd = { .fd = watched, .events = POLLIN };

	return watched >= 0 && poll(&pollfd, 1, 0) > 0;
}

/* Removes what can be removed at once. 1: a folder is left, its name is in `ret_name`. */
static int folder_empty(int fd, int watched, char **ret_name)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!folder) {
		r = -errno;
		if (copy >= 0)
			(void)close(copy);
		return r;
	}
	while (r == 0) {
		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
		entry = readdir(folder);
		if (!entry) {
			r = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = has_spoken(watched) ? -ECANCELED : entry_remove(fd, entry->d_name);
		if (r == 1 && !(*ret_name = strdup(entry->d_name)))
			r = -ENOMEM;
	}
	(void)closedir(folder);
	return r;
}

static int step_down(int *fd, struct step **at, const char *name)
{
	int within = folder_open(*fd, name), r;

	if (within < 0)
		return within;
	r = steps_push(at, *fd, name);
	if (r < 0) {
		(void)close(within);
		return r;
	}
	(void)close(*fd);
	*fd = within;
	return 0;
}

/* Back to where we came from, and nowhere else. */
static int step_up(int *fd, struct step **at)
{
	int above = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct stat st;

	if (above < 0)
		return -errno;
	(void)close(*fd);
	*fd = above;
	if (fstat(above, &st) < 0)
		return -errno;
	if (st.st_dev != (*at)->device || st.st_ino != (*at)->number)
		return -ESTALE;
	r = entry_remove(above, (*at)->name);
	steps_pop(at);
	return r == 1 ? -ENOTEMPTY : r;
}

/* All that is in the folder; `fd` may be another one then. */
static int tree_empty(int *fd, int watched)
{
	struct step *at = NULL;
	int r;

	do {
		cleanup_free char *name = NULL;

		r = has_spoken(watched) ? -ECANCELED : folder_empty(*fd, watched, &name);
		if (name)
			r = step_down(fd, &at, name);
		else if (r == 0 && at)
			r = step_up(fd, &at);
		else
			break;
	} while (r == 0);
	while (at)
		steps_pop(&at);
	return r;
}

int folder_remove_held(const char *path, int folder, int watched)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = tree_empty(&fd, watched);
	(void)close(fd);
	if (r == 0)
		r = entry_remove(AT_FDCWD, path);
	return r == 1 ? -ENOTEMPTY : r;
}

int folder_remove(const char *path, int watched)
{
	int fd, r = entry_remove(AT_FDCWD, path);

	if (r != 1)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = folder_remove_held(path, fd, watched);
	(void)close(fd);
	return r;
}
