/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's socket; see door.h.
 */
#include "hygie-store/door.h"

#include "hygie-store/keep.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/protocol.h"
#include "libhygie/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PEERS_MAX 8
#define ALONE_US 10000000ull /* with a shut store and nobody connected */

struct door;

struct peer {
	struct door *door;
	unsigned number; /* 0: free */
	int fd;
	sd_event_source *source;
};

struct door {
	sd_event *loop;
	struct keep *keep;
	struct sockaddr_un address;
	int fd;
	sd_event_source *source, *timer;
	struct peer peers[PEERS_MAX];
	unsigned last_number;
	bool ending;
};

static bool has_peers(const struct door *door)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (door->peers[i].number)
			return true;
	return false;
}

static int on_alone(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct door *door = userdata;

	(void)source;
	(void)usec;
	door->timer = sd_event_source_disable_unref(door->timer);
	if (keep_is_shut(door->keep) && !has_peers(door))
		(void)sd_event_exit(door->loop, 0);
	return 0;
}

/* Not at once: hygied may only be starting anew. */
static void end_if_idle(struct door *door)
{
	bool now = door->ending;

	if (!keep_is_shut(door->keep))
		return;
	if (!now && !has_peers(door) && !door->timer)
		now = sd_event_add_time_relative(door->loop, &door->timer,
						 CLOCK_MONOTONIC, ALONE_US, 0, on_alone,
						 door) < 0;
	if (now)
		(void)sd_event_exit(door->loop, 0);
}

static void drop(struct peer *peer)
{
	(void)sd_event_source_disable_unref(peer->source);
	(void)close(peer->fd);
	*peer = (struct peer){ .door = peer->door };
}

/* Who reencrypts a store is gone, or has done: its sides are of no use to anybody else. */
static void end_if_forsaken(struct door *door)
{
	if (keep_is_side(door->keep) && !has_peers(door))
		keep_end(door->keep);
}

static void on_report(void *context, unsigned number, const struct wire_message *message)
{
	struct door *door = context;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &door->peers[i];

		if (!peer->number || (number && peer->number != number))
			continue;
		/* Who does not listen any more is noticed by his socket's end. */
		(void)!wire_send(peer->fd, message);
	}
}

static void on_shut(void *context)
{
	end_if_idle(context);
}

static const struct keep_listener listener = { .report = on_report, .shut = on_shut };

static int on_order(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct peer *peer = userdata;
	struct door *door = peer->door;
	cleanup_message struct wire_message *order = NULL;
	int r = wire_receive(fd, &order);

	(void)source;
	(void)revents;
	if (r == -EAGAIN)
		return 0;
	if (r == 0 && !protocol_allows(PROTOCOL_KEEPER, wire_message_type(order)))
		r = -EBADMSG;
	if (r == 0) {
		keep_order(door->keep, peer->number, order);
		return 0;
	}
	if (r != -ECONNRESET)
		log_error("an order that is none: %s", error_text(-r));
	drop(peer);
	end_if_forsaken(door);
	end_if_idle(door);
	return 0;
}

static bool is_root(int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
	       credentials.uid == 0;
}

static int on_connection(sd_event_source *source, int listening, uint32_t revents,
			 void *userdata)
{
	struct door *door = userdata;
	struct peer *peer = door->peers;
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (fd < 0)
		return 0;
	while (peer < door->peers + PEERS_MAX && peer->number)
		peer++;
	if (!is_root(fd) || peer == door->peers + PEERS_MAX ||
	    sd_event_add_io(door->loop, &peer->source, fd, EPOLLIN, on_order, peer) < 0) {
		log_warning("a connection is refused");
		(void)close(fd);
		return 0;
	}
	peer->fd = fd;
	peer->number = ++door->last_number;
	door->timer = sd_event_source_disable_unref(door->timer);
	return 0;
}

static int make_folder(void)
{
	struct stat status;

	if (mkdir("/run/hygie", 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(KEEP_FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(KEEP_FOLDER, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) && status.st_uid == 0 &&
			       (status.st_mode & 077) == 0
		       ? 0
		       : -EPERM;
}

/* The keep's lock is held: an older socket is nobody's. */
static int listen_at(struct door *door, const char *name)
{
	mode_t mask;
	int r;

	door->address.sun_family = AF_UNIX;
	(void)snprintf(door->address.sun_path, sizeof(door->address.sun_path),
		       KEEP_FOLDER "/%s.sock", name);
	if (unlink(door->address.sun_path) < 0 && errno != ENOENT)
		return -errno;
	door->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (door->fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(door->fd, (const struct sockaddr *)&door->address,
		 sizeof(door->address)) < 0 ||
			    listen(door->fd, PEERS_MAX) < 0
		    ? -errno
		    : 0;
	(void)umask(mask);
	return r;
}

int door_open(sd_event *loop, const char *name, struct door **ret_door)
{
	struct door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->loop = loop;
	door->fd = -1;
	for (size_t i = 0; i < PEERS_MAX; i++)
		door->peers[i].door = door;
	r = make_folder();
	if (r == 0)
		r = keep_new(loop, name, &listener, door, &door->keep);
	if (r == 0)
		r = listen_at(door, name);
	if (r == 0)
		r = sd_event_add_io(loop, &door->source, door->fd, EPOLLIN, on_connection,
				    door);
	if (r < 0) {
		door_free(door);
		return r;
	}
	end_if_idle(door);
	*ret_door = door;
	return 0;
}

void door_end(struct door *door)
{
	door->ending = true;
	keep_end(door->keep);
	end_if_idle(door);
}

void door_free(struct door *door)
{
	if (!door)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (door->peers[i].number)
			drop(&door->peers[i]);
	(void)sd_event_source_disable_unref(door->source);
	(void)sd_event_source_disable_unref(door->timer);
	if (door->fd >= 0) {
		(void)unlink(door->address.sun_path);
		(void)close(door->fd);
	}
	keep_free(door->keep);
	free(door);
}
