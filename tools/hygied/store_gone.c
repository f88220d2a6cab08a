/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing the folders that are to go, in a thread; see store_gone.h. The thread knows the
 * folder .gone and nothing else of hygied: a descriptor wakes it, another ends it.
 */
#include "hygied/store_gone.h"

#include "hygied/store_file.h"
#include "libhygie/error_text.h"
#include "libhygie/folder_remove.h"
#include "libhygie/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOVES_MAX 16 /* each but the last met a .gone that was just empty, and removed */

struct store_gone {
	int wake, stop; /* eventfd */
	bool runs;
	pthread_t thread;
};

/*
 * The folder, if it is one of its own: where a link leads, or in what is mounted there, lies
 * what nobody gave to be removed. -ENOENT, -ELOOP, -ENOTDIR, -EXDEV or another errno.
 */
static int gone_open(void)
{
	int fd = open(STORE_GONE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx about;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, 0, &about) == 0 &&
	    !(about.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return fd;
	(void)close(fd);
	return -EXDEV;
}

static int not_emptied(int fault)
{
	log_warning("%s: is not emptied: %s", STORE_GONE,
		    fault == -EXDEV ? "something is mounted there" : error_text(-fault));
	return fault;
}

/* Removes one; what cannot be is tried again by the next start. */
static int entry_remove(const char *name, int stop)
{
	char path[sizeof(STORE_GONE) + 1 + NAME_MAX];
	int r;

	(void)snprintf(path, sizeof(path), STORE_GONE "/%s", name);
	r = folder_remove(path, stop);
	if (r < 0 && r != -ECANCELED)
		log_warning("%s: cannot be removed: %s", path, error_text(-r));
	return r;
}

/* Removes all that is there, and then .gone itself. */
static void all_remove(int stop)
{
	int fd = gone_open(), r = 0;
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (fd >= 0 && !folder)
		(void)close(fd);
	if (fd < 0 && fd != -ENOENT)
		(void)not_emptied(fd);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (folder && r != -ECANCELED && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = entry_remove(entry->d_name, stop);
	if (folder)
		(void)closedir(folder);
	(void)rmdir(STORE_GONE);
}

static void *thread_main(void *argument)
{
	const struct store_gone *gone = argument;
	struct pollfd events[] = { { .fd = gone->stop, .events = POLLIN },
				   { .fd = gone->wake, .events = POLLIN } };
	eventfd_t value;

	for (;;) {
		if (poll(events, array_size(events), -1) < 0)
			continue;
		if (events[0].revents)
			return NULL;
		(void)eventfd_read(gone->wake, &value);
		all_remove(gone->stop);
	}
}

/* Deaf to signals, which belong to the event loop. */
static int thread_start(struct store_gone *gone)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&gone->thread, NULL, thread_main, gone);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	gone->runs = r == 0;
	return r;
}

/* What is there waits for the next start where no thread can be had. */
static void wake(struct store_gone *gone)
{
	int r = gone->runs ? 0 : thread_start(gone);

	if (r < 0)
		(void)not_emptied(r);
	(void)eventfd_write(gone->wake, 1);
}

int store_gone_start(struct store_gone **ret_gone)
{
	struct store_gone *gone = calloc(1, sizeof(*gone));

	if (!gone)
		return -ENOMEM;
	gone->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	gone->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (gone->wake < 0 || gone->stop < 0) {
		int r = -errno;

		store_gone_stop(gone);
		return r;
	}
	if (access(STORE_GONE, F_OK) == 0)
		wake(gone);
	*ret_gone = gone;
	return 0;
}

void store_gone_stop(struct store_gone *gone)
{
	if (!gone)
		return;
	if (gone->runs) {
		(void)eventfd_write(gone->stop, 1);
		(void)pthread_join(gone->thread, NULL);
	}
	if (gone->wake >= 0)
		(void)close(gone->wake);
	if (gone->stop >= 0)
		(void)close(gone->stop);
	free(gone);
}

/* By the number of the folder: no other that is there has it. */
static int move(const char *path)
{
	char to[32];
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	(void)snprintf(to, sizeof(to), "%" PRIu64, (uint64_t)st.st_ino);
	for (unsigned i = 0; i < MOVES_MAX; i++) {
		cleanup_close int gone = -1;

		if (mkdir(STORE_GONE, 0700) < 0 && errno != EEXIST)
			return -errno;
		gone = gone_open();
		if (gone < 0 && gone != -ENOENT)
			return not_emptied(gone);
		if (gone >= 0 &&
		    renameat2(AT_FDCWD, path, gone, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (gone >= 0 && errno != ENOENT)
			return -errno;
	}
	return -EAGAIN;
}

int store_gone_take(struct store_gone *gone, const char *path)
{
	int r = move(path);

	if (r == 0)
		wake(gone);
	return r;
}
