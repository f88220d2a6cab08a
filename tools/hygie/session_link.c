/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to hygied; see session_link.h. A link that was told something is replaced at
 * once when it ends: hygied began anew, and its socket is the service manager's. Else it
 * is tried again after a moment.
 */
#include "session_link.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/printable.h"
#include "libhygie/protocol.h"
#include "libhygie/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RETRY_MS 1000
#define TEXT_MAX (HYGIE_TEXT_MAX + 1)

struct session_link {
	sd_event *loop;
	sd_event_source *io, *retry, *cry;
	const char *path, *session;
	struct session_view next; /* what the telling at hand says so far */
	bool told;                /* this link was told something */
	bool away;                /* the log says so already */
	void (*telling)(void *context, const struct session_view *view);
	void *context;
};

static void connect_link(struct session_link *link);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session_link *link = userdata;

	(void)source;
	(void)usec;
	link->retry = sd_event_source_disable_unref(link->retry);
	connect_link(link);
	return 0;
}

static void lose(struct session_link *link, const char *why)
{
	unsigned delay = link->told ? 0 : RETRY_MS;

	link->io = sd_event_source_disable_unref(link->io);
	if (!link->away && delay > 0)
		log_warning("hygied does not answer: %s; trying again", why);
	link->away = delay > 0;
	link->told = false;
	if (sd_event_add_time_relative(link->loop, &link->retry, CLOCK_MONOTONIC,
				       delay * 1000ull, 1000, on_retry, link) < 0)
		(void)sd_event_exit(link->loop, -ENOMEM);
}

static bool is(const struct wire_message *item, uint16_t tag, const char *text)
{
	char said[HYGIE_TEXT_MAX];

	return wire_get_string(item, tag, said, sizeof(said)) == 0 &&
	       strcmp(said, text) == 0;
}

static void take_session(struct session_view *view, const struct wire_message *item)
{
	uint32_t locked = 0, left = 0;

	view->known = true;
	(void)!wire_get_string(item, TAG_PHASE, view->phase, sizeof(view->phase));
	(void)!wire_get_u32(item, TAG_LOCKED, &locked);
	(void)!wire_get_u32(item, TAG_LEFT, &left);
	view->locked = locked == 1;
	view->left = left;
	view->ends = is(item, TAG_REMOVAL, "logout");
}

static void take_program(struct session_view *view, const struct wire_message *item)
{
	struct busy_program program = { .pid = 0 };
	char path[HYGIE_PATH_MAX];
	const char *name;

	if (view->busy_count == array_size(view->busy) ||
	    wire_get_string(item, TAG_STORE, program.store, sizeof(program.store)) < 0 ||
	    wire_get_u32(item, TAG_PROCESS, &program.pid) < 0 ||
	    wire_get_string(item, TAG_VALUE, program.name, sizeof(program.name)) < 0 ||
	    wire_get_string(item, TAG_FILE, path, sizeof(path)) < 0)
		return;
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	(void)printable_copy(program.file, sizeof(program.file), name, strlen(name));
	view->busy[view->busy_count++] = program;
}

static void take_item(struct session_link *link, const struct wire_message *item)
{
	if (is(item, TAG_KIND, "session") && is(item, TAG_SESSION, link->session))
		take_session(&link->next, item);
	if (is(item, TAG_KIND, "store_program"))
		take_program(&link->next, item);
	if (!is(item, TAG_KIND, "end"))
		return;
	if (!link->told)
		log_info("hygied knows that a locker is here");
	link->told = true;
	link->away = false;
	link->telling(link->context, &link->next);
	link->next = (struct session_view){ .known = false };
}

/* Takes what has come. 0 when there is no more; what ended the link else. */
static int read_link(struct session_link *link, int fd, const char **ret_why)
{
	static char text[TEXT_MAX];
	int r;

	for (;;) {
		cleanup_message struct wire_message *message = NULL;

		r = wire_receive(fd, &message);
		if (r < 0)
			break;
		if (wire_message_type(message) == WIRE_ITEM) {
			take_item(link, message);
		} else {
			if (wire_get_string(message, TAG_TEXT, text, sizeof(text)) < 0)
				text[0] = '\0';
			*ret_why = text;
			return -ECONNRESET;
		}
	}
	*ret_why = error_text(-r);
	return r == -EAGAIN ? 0 : r;
}

static int on_link(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session_link *link = userdata;
	const char *why;

	(void)source;
	(void)events;
	if (read_link(link, fd, &why) < 0)
		lose(link, why);
	return 0;
}

/* Connects, and sends the request; never waits. The caller closes the descriptor. */
static int send_request(const char *path, const struct wire_message *request, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
	    sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = wire_send(fd, request);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* A request, and whoever reads what is answered. */
static int open_request(struct session_link *link, uint16_t type, uint32_t flags,
			sd_event_io_handler_t handler, sd_event_source **ret_source)
{
	cleanup_message struct wire_message *request = NULL;
	int fd = -1;
	int r = wire_message_new(type, &request);

	if (r < 0)
		return r;
	wire_add_u32(request, TAG_FLAGS, flags);
	r = send_request(link->path, request, &fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(link->loop, ret_source, fd, EPOLLIN, handler, link);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return sd_event_source_set_io_fd_own(*ret_source, 1);
}

static void connect_link(struct session_link *link)
{
	int r;

	link->next = (struct session_view){ .known = false };
	r = open_request(link, WIRE_REQUEST_WATCH, REQUEST_LOCKER, on_link, &link->io);
	if (r < 0)
		lose(link, error_text(-r));
}

/* What it came to is in hygied's log; the link hears what follows. */
static int on_cried(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session_link *link = userdata;
	cleanup_message struct wire_message *message = NULL;

	(void)source;
	(void)events;
	if (wire_receive(fd, &message) != -EAGAIN)
		link->cry = sd_event_source_disable_unref(link->cry);
	return 0;
}

void session_link_cry(struct session_link *link)
{
	int r;

	link->cry = sd_event_source_disable_unref(link->cry);
	r = open_request(link, WIRE_REQUEST_LOCK, 0, on_cried, &link->cry);
	if (r < 0)
		log_error("hygied cannot be told: %s", error_text(-r));
}

int session_link_start(sd_event *loop, const char *socket_path, const char *session,
		       void (*telling)(void *context, const struct session_view *view),
		       void *context, struct session_link **ret_link)
{
	struct session_link *link = calloc(1, sizeof(*link));

	if (!link)
		return -ENOMEM;
	link->loop = loop;
	link->path = socket_path ? socket_path : HYGIE_SOCKET_PATH;
	link->session = session;
	link->telling = telling;
	link->context = context;
	*ret_link = link;
	connect_link(link);
	return 0;
}

void session_link_free(struct session_link *link)
{
	if (!link)
		return;
	(void)sd_event_source_disable_unref(link->io);
	(void)sd_event_source_disable_unref(link->retry);
	(void)sd_event_source_disable_unref(link->cry);
	free(link);
}
