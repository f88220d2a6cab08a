/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See listen.h.
 */
#include "hygie-store/listen.h"

#include "hygie-store/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>

int listen_new(int *ret_fd)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int listen_begin(int fd, const struct subject *subject, uint64_t events)
{
	struct mount_line lines[MOUNTED_MAX];
	unsigned what = subject->backend == BACKEND_FSCRYPT ? FAN_MARK_MOUNT
							    : FAN_MARK_FILESYSTEM;
	int count = mounted_list(subject, lines), heard = 0;

	for (int i = 0; i < count; i++) {
		if (!mounted_is_on_top(&lines[i]))
			continue;
		if (fanotify_mark(fd, FAN_MARK_ADD | what, events | FAN_ONDIR, AT_FDCWD,
				  lines[i].point) < 0)
			return -errno;
		heard = 1;
	}
	return count < 0 ? count : heard;
}

void listen_end(int fd)
{
	(void)fanotify_mark(fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
	(void)fanotify_mark(fd, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, AT_FDCWD, NULL);
}

/* Each event comes with the file open: as long as it is, we hold the store ourselves. */
bool listen_drain(int fd)
{
	struct fanotify_event_metadata events[64];
	pid_t ourselves = getpid();
	bool others = false;
	ssize_t size;

	while ((size = read(fd, events, sizeof(events))) > 0) {
		const struct fanotify_event_metadata *event = events;

		while (FAN_EVENT_OK(event, size)) {
			others = others || event->pid != ourselves;
			if (event->fd >= 0)
				(void)close(event->fd);
			event = FAN_EVENT_NEXT(event, size);
		}
	}
	return others;
}
