/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a session; see locker_record.h. A line for each process: its pid, and when
 * it was started, by which another one of that pid is told from it (proc(5), stat).
 */
#include "locker_record.h"

#include "process.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#define TEXT_MAX 512

struct locker_record {
	int fd;
};

/* In ticks since the machine started; 0 where the process is gone. */
static uint64_t start_of(pid_t pid)
{
	uint64_t start = 0;

	return process_field(pid, PROCESS_START, &start) ? start : 0;
}

int locker_record_open(const char *session, struct locker_record **ret_record)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	cleanup_close int fd = -1;
	struct locker_record *record;

	if (!folder || folder[0] != '/' ||
	    (size_t)snprintf(path, sizeof(path), "%s/hygie-session-lock-%s", folder,
			     session) >= sizeof(path))
		return -ENOENT;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	record = malloc(sizeof(*record));
	if (!record)
		return -ENOMEM;
	record->fd = fd;
	fd = -1;
	*ret_record = record;
	return 0;
}

void locker_record_close(struct locker_record *record)
{
	if (!record)
		return;
	(void)close(record->fd);
	free(record);
}

void locker_record_write(struct locker_record *record, const pid_t pids[], size_t count)
{
	char text[TEXT_MAX];
	size_t used = 0;

	if (!record)
		return;
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(text + used, sizeof(text) - used, "%d %" PRIu64 "\n",
				 (int)pids[i], start_of(pids[i]));

		if (n < 0 || (size_t)n >= sizeof(text) - used)
			return;
		used += (size_t)n;
	}
	if (ftruncate(record->fd, 0) < 0 ||
	    pwrite(record->fd, text, used, 0) != (ssize_t)used)
		log_warning("the locker's processes were not written down: %s",
			    error_text(errno));
}

/* A descriptor of the process that was started then; -1 where that one is gone. */
static int open_process(pid_t pid, uint64_t start)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0 || (start != 0 && start_of(pid) == start))
		return fd;
	(void)close(fd);
	return -1;
}

size_t locker_record_read(const struct locker_record *record,
			  int ret_fds[LOCKER_PIDS_MAX])
{
	char text[TEXT_MAX + 1], *place = NULL;
	size_t count = 0;
	bool all = true;
	ssize_t n = record ? pread(record->fd, text, TEXT_MAX, 0) : -1;

	if (n < 0)
		return 0;
	text[n] = '\0';
	for (const char *line = strtok_r(text, "\n", &place);
	     line && count < LOCKER_PIDS_MAX; line = strtok_r(NULL, "\n", &place)) {
		char *end;
		long pid = strtol(line, &end, 10);
		int fd = open_process((pid_t)pid, strtoull(end, NULL, 10));

		if (fd >= 0)
			ret_fds[count++] = fd;
		all = all && fd >= 0;
	}
	while (!all && count > 0)
		(void)close(ret_fds[--count]);
	return count;
}
