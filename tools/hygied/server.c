/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket and its peers; see server.h.
 */
#include "hygied/server.h"

#include "hygied/lock_request.h"
#include "hygied/login.h"
#include "hygied/peer.h"
#include "hygied/requests.h"
#include "hygied/secret_request.h"
#include "hygied/session_request.h"
#include "hygied/store_admin.h"
#include "hygied/store_create.h"
#include "hygied/store_import.h"
#include "hygied/store_recover.h"
#include "hygied/store_reencrypt.h"
#include "hygied/store_rekey.h"
#include "hygied/store_request.h"
#include "hygied/usage.h"
#include "hygied/watch.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG SOMAXCONN /* a full queue would look like a dead daemon */
#define PEERS_MAX 1024
#define WARN_PAUSE_US 1000000

struct server {
	struct hygied *hygied;
	int fd;
	sd_event_source *source;
	struct usage usage;
	struct peer *peers[PEERS_MAX];
	size_t peer_count;
	unsigned turned_away; /* since the last warning */
	uint64_t warn_again;  /* not before */
};

static const struct {
	enum wire_type type;
	void (*serve)(struct hygied *hygied, struct peer *peer,
		      const struct wire_message *request);
} services[] = {
	{ WIRE_REQUEST_AUTHENTICATE, login_serve },
	{ WIRE_REQUEST_ENROL, login_serve },
	{ WIRE_REQUEST_PIN_CHANGE, login_serve },
	{ WIRE_REQUEST_PIN_UNBLOCK, login_serve },
	{ WIRE_REQUEST_STATUS, request_status },
	{ WIRE_REQUEST_CARDS, request_cards },
	{ WIRE_REQUEST_REVOKE, request_revoke },
	{ WIRE_REQUEST_OPEN_SESSION, request_open_session },
	{ WIRE_REQUEST_CLOSE_SESSION, request_close_session },
	{ WIRE_REQUEST_WATCH, watch_serve },
	{ WIRE_REQUEST_LOCK, request_lock },
	{ WIRE_REQUEST_STORE_CREATE, store_create_serve },
	{ WIRE_REQUEST_STORE_ADD, request_store_add },
	{ WIRE_REQUEST_STORE_REMOVE, request_store_remove },
	{ WIRE_REQUEST_STORE_ROTATE, request_store_rotate },
	{ WIRE_REQUEST_STORE_RECOVER, store_recover_serve },
	{ WIRE_REQUEST_STORE_RECOVERY, store_rekey_serve },
	{ WIRE_REQUEST_STORE_IMPORT, request_store_import },
	{ WIRE_REQUEST_STORE_REENCRYPT, store_reencrypt_serve },
	{ WIRE_REQUEST_STORE_CHECK, request_store_check },
	{ WIRE_REQUEST_STORE_OPEN, login_serve },
	{ WIRE_REQUEST_STORE_CLOSE, request_store_close },
	{ WIRE_REQUEST_STORE_STATUS, request_store_status },
	{ WIRE_REQUEST_SECRET_ENABLE, request_secret_enable },
	{ WIRE_REQUEST_SECRET_DISABLE, request_secret_disable },
	{ WIRE_REQUEST_SECRET_LIST, request_secret_list },
	{ WIRE_REQUEST_SECRET_SHOW, login_serve },
};

static void on_request(void *context, struct peer *peer,
		       const struct wire_message *request)
{
	struct server *server = context;

	for (size_t i = 0; i < array_size(services); i++) {
		if ((uint16_t)services[i].type != wire_message_type(request))
			continue;
		services[i].serve(server->hygied, peer, request);
		return;
	}
	peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
}

static void on_gone(void *context, struct peer *peer)
{
	struct server *server = context;

	for (size_t i = 0; i < server->peer_count; i++) {
		if (server->peers[i] != peer)
			continue;
		server->peers[i] = server->peers[--server->peer_count];
		break;
	}
	usage_end(&server->usage, peer_uid(peer));
	peer_free(peer);
}

static const struct peer_callbacks peer_callbacks = {
	.request = on_request,
	.gone = on_gone,
};

/* Tells a peer that is over its limit, without keeping anything of it. */
static void turn_away(int fd)
{
	cleanup_message struct wire_message *result = NULL;

	if (wire_message_new(WIRE_RESULT, &result) == 0) {
		wire_add_u32(result, TAG_OUTCOME, HYGIE_TOO_MANY);
		wire_add_string(result, TAG_TEXT, outcome_text(HYGIE_TOO_MANY));
		(void)!wire_send(fd, result);
	}
	peer_close(fd);
}

/* One line a second, however many there are: a flood must not drown the audit. */
static void warn_of_many(struct server *server, uid_t uid)
{
	uint64_t now = monotonic_now();

	server->turned_away++;
	if (now < server->warn_again)
		return;
	log_warning("uid %u: too many requests; %u turned away since the last warning",
		    uid, server->turned_away);
	server->turned_away = 0;
	server->warn_again = now + WARN_PAUSE_US;
}

static void admit(struct server *server, int fd, uid_t uid)
{
	struct peer *peer;
	int r;

	if (server->peer_count >= PEERS_MAX ||
	    !usage_begin(&server->usage, &server->hygied->settings, uid,
			 monotonic_now())) {
		warn_of_many(server, uid);
		turn_away(fd);
		return;
	}
	r = peer_new(server->hygied->loop, fd, uid, &peer_callbacks, server, &peer);
	if (r < 0) {
		log_error("cannot serve uid %u: %s", uid, error_text(-r));
		usage_end(&server->usage, uid);
		return;
	}
	server->peers[server->peer_count++] = peer;
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents,
			 void *userdata)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	int fd;

	(void)source;
	(void)revents;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("accept: %s", error_text(errno));
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
		log_error("SO_PEERCRED: %s", error_text(errno));
		(void)close(fd);
		return 0;
	}
	admit(userdata, fd, credentials.uid);
	return 0;
}

int server_start(struct hygied *hygied, int fd, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		(void)close(fd);
		return -ENOMEM;
	}
	server->hygied = hygied;
	server->fd = fd;
	/* The system manager's socket may be one that waits. */
	r = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r >= 0)
		r = sd_event_add_io(hygied->loop, &server->source, fd, EPOLLIN,
				    on_connection, server);
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->peer_count > 0)
		on_gone(server, server->peers[0]);
	(void)sd_event_source_disable_unref(server->source);
	(void)close(server->fd);
	free(server);
}

void server_card_changed(struct server *server, enum cards_change change,
			 struct card *card)
{
	for (size_t i = 0; i < server->peer_count; i++)
		peer_card_changed(server->peers[i], change, card);
}

void server_sessions_changed(struct server *server)
{
	for (size_t i = 0; i < server->peer_count; i++)
		peer_sessions_changed(server->peers[i]);
}

static int make_folder(const char *path)
{
	char folder[SETTINGS_PATH_SIZE];
	char *slash;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* A socket that answers is another daemon's, or the system manager's: not to be taken. */
static bool is_served(const struct sockaddr_un *address)
{
	cleanup_close int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 &&
	       (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN);
}

int server_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = make_folder(path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (is_served(&address)) {
		log_error("%s: another hygied serves here already", path);
		return -EADDRINUSE;
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
