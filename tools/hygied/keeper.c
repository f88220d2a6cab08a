/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a keeper by systemd's bus, and talking to it; see keeper.h.
 */
#include "hygied/keeper.h"

#include "libhygie/error_text.h"
#include "libhygie/wire.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SOCKET_SUFFIX ".sock"
#define START_TIMEOUT_US 10000000ull
#define UNIT_SIZE 128

struct keeper {
	sd_event *loop;
	char name[UNIT_SIZE];
	sd_bus *bus; /* until the unit runs */
	char *job;   /* object path of the starting */
	int fd;      /* -1 before CONNECTED */
	sd_event_source *source, *timer;
	keeper_callback callback;
	void *context;
};

static void tell(const struct keeper *keeper, enum keeper_event_kind kind,
		 const char *text)
{
	struct keeper_event event = { .kind = kind };

	(void)snprintf(event.text, sizeof(event.text), "%s", text);
	keeper->callback(keeper->context, &event);
}

/* ---- reports ---- */

static int read_holder_field(const struct wire_field *field, struct keeper_holder *holder)
{
	uint32_t number;
	int r = 0;

	switch (field->tag) {
	case TAG_USER_ID:
		r = wire_field_u32(field, &number);
		holder->uid = r == 0 ? number : (uid_t)-1;
		break;
	case TAG_NAME:
		r = wire_field_string(field, holder->program, sizeof(holder->program));
		break;
	case TAG_FILE:
		r = wire_field_string(field, holder->file, sizeof(holder->file));
		break;
	default:
		break;
	}
	return r;
}

static int read_holders(const struct wire_message *message, struct keeper_event *event)
{
	struct wire_field field;
	size_t cursor = 0;
	uint32_t pid;
	int r = 0;

	while (r == 0 && wire_next_field(message, &cursor, &field)) {
		if (field.tag == TAG_PROCESS) {
			if (event->holder_count == HYGIE_HOLDERS_TOLD)
				return -E2BIG;
			r = wire_field_u32(&field, &pid);
			if (r == 0)
				event->holders[event->holder_count++].pid = (pid_t)pid;
		} else if (event->holder_count > 0) {
			r = read_holder_field(&field,
					      &event->holders[event->holder_count - 1]);
		}
	}
	return r;
}

static int read_report(const struct wire_message *message, struct keeper_event *event)
{
	static const struct {
		enum wire_type type;
		enum keeper_event_kind kind;
	} kinds[] = {
		{ WIRE_KEEPER_DONE, KEEPER_IS_DONE },
		{ WIRE_KEEPER_FAILED, KEEPER_FAILED },
		{ WIRE_KEEPER_OPENED, KEEPER_OPENED },
		{ WIRE_KEEPER_BUSY, KEEPER_BUSY },
		{ WIRE_KEEPER_CLOSED, KEEPER_CLOSED },
		{ WIRE_KEEPER_STATE, KEEPER_STATE },
		{ WIRE_KEEPER_IDLE, KEEPER_IDLE },
		{ WIRE_KEEPER_FORCED, KEEPER_FORCED },
	};
	uint32_t failure = 0;
	int r;

	for (size_t i = 0; i < array_size(kinds); i++)
		if (wire_message_type(message) == (uint16_t)kinds[i].type)
			event->kind = kinds[i].kind;
	if (!protocol_allows(PROTOCOL_KEEPER_REPORTS, wire_message_type(message)))
		return -EBADMSG;
	r = wire_optional(wire_get_u32(message, TAG_FAILURE, &failure));
	event->failure = (enum keeper_failure)failure;
	if (r == 0)
		r = wire_optional(wire_get_string(message, TAG_TEXT, event->text,
						  sizeof(event->text)));
	if (r == 0)
		r = wire_optional(wire_get_string(message, TAG_STATE, event->state,
						  sizeof(event->state)));
	if (r == 0)
		r = wire_optional(wire_get_u64(message, TAG_SINCE, &event->since));
	if (r == 0)
		r = wire_optional(wire_get_bytes(message, TAG_NOTE, &event->note,
						 &event->note_size));
	return r == 0 ? read_holders(message, event) : r;
}

/* One message at a time: the callback may free the keeper. */
static int on_report(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *keeper = userdata;
	cleanup_message struct wire_message *message = NULL;
	struct keeper_event event = { .note_size = 0 };
	int r = wire_receive(fd, &message);

	(void)revents;
	if (r == -EAGAIN)
		return 0;
	if (r == 0)
		r = read_report(message, &event);
	if (r < 0) {
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		tell(keeper, KEEPER_GONE, error_text(-r));
		return 0;
	}
	keeper->callback(keeper->context, &event);
	return 0;
}

/* ---- connecting ---- */

static int connect_socket(struct keeper *keeper)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	r = snprintf(address.sun_path, sizeof(address.sun_path),
		     KEEPER_FOLDER "/%s" SOCKET_SUFFIX, keeper->name);
	if (r < 0 || (size_t)r >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = sd_event_add_io(keeper->loop, &keeper->source, fd, EPOLLIN, on_report,
			    keeper);
	if (r < 0)
		return r;
	keeper->fd = fd;
	fd = -1;
	return 0;
}

/* From a handler of the loop's own: the bus is not closed within one of its own. */
static int on_job_over(sd_event_source *source, void *userdata)
{
	struct keeper *keeper = userdata;
	int r;

	(void)source;
	keeper->timer = sd_event_source_disable_unref(keeper->timer);
	keeper->bus = sd_bus_close_unref(keeper->bus);
	r = connect_socket(keeper);
	if (r < 0)
		tell(keeper, KEEPER_ABSENT, error_text(-r));
	else
		tell(keeper, KEEPER_CONNECTED, "");
	return 0;
}

static int on_start_failed(sd_event_source *source, void *userdata)
{
	struct keeper *keeper = userdata;

	(void)source;
	keeper->timer = sd_event_source_disable_unref(keeper->timer);
	keeper->bus = sd_bus_close_unref(keeper->bus);
	tell(keeper, KEEPER_ABSENT, "systemd does not start hygie-store@.service");
	return 0;
}

static int on_start_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	return on_start_failed(source, userdata);
}

static int finish_later(struct keeper *keeper, sd_event_handler_t what)
{
	(void)sd_event_source_disable_unref(keeper->timer);
	keeper->timer = NULL;
	return sd_event_add_defer(keeper->loop, &keeper->timer, what, keeper);
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct keeper *keeper = userdata;
	const char *job, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0 ||
	    !keeper->job || strcmp(job, keeper->job) != 0)
		return 0;
	return finish_later(keeper,
			    strcmp(result, "done") == 0 ? on_job_over : on_start_failed);
}

static int on_job(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct keeper *keeper = userdata;
	const char *job;

	(void)error;
	if (sd_bus_message_is_method_error(answer, NULL) ||
	    sd_bus_message_read(answer, "o", &job) < 0)
		return finish_later(keeper, on_start_failed);
	keeper->job = strdup(job);
	return keeper->job ? 0 : finish_later(keeper, on_start_failed);
}

static int start_unit(struct keeper *keeper)
{
	char unit[UNIT_SIZE + 32];
	int r;

	(void)snprintf(unit, sizeof(unit), "hygie-store@%s.service", keeper->name);
	r = sd_bus_open_system(&keeper->bus);
	if (r >= 0)
		r = sd_bus_attach_event(keeper->bus, keeper->loop, 0);
	if (r >= 0)
		r = sd_bus_match_signal_async(keeper->bus, NULL, SYSTEMD, SYSTEMD_PATH,
					      SYSTEMD_MANAGER, "JobRemoved",
					      on_job_removed, NULL, keeper);
	if (r >= 0)
		r = sd_bus_call_method_async(keeper->bus, NULL, SYSTEMD, SYSTEMD_PATH,
					     SYSTEMD_MANAGER, "StartUnit", on_job, keeper,
					     "ss", unit, "replace");
	if (r >= 0)
		r = sd_event_add_time_relative(keeper->loop, &keeper->timer,
					       CLOCK_MONOTONIC, START_TIMEOUT_US, 0,
					       on_start_slow, keeper);
	return r;
}

static int keeper_new(sd_event *loop, const char *name, keeper_callback callback,
		      void *context, struct keeper **ret_keeper)
{
	struct keeper *keeper;

	if (strlen(name) >= sizeof(keeper->name))
		return -ENAMETOOLONG;
	keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return -ENOMEM;
	keeper->loop = loop;
	keeper->fd = -1;
	keeper->callback = callback;
	keeper->context = context;
	memcpy(keeper->name, name, strlen(name) + 1);
	*ret_keeper = keeper;
	return 0;
}

int keeper_start(sd_event *loop, const char *name, keeper_callback callback,
		 void *context, struct keeper **ret_keeper)
{
	struct keeper *keeper;
	int r;

	r = keeper_new(loop, name, callback, context, &keeper);
	if (r < 0)
		return r;
	r = start_unit(keeper);
	if (r < 0) {
		keeper->bus = sd_bus_close_unref(keeper->bus);
		r = finish_later(keeper, on_start_failed);
	}
	if (r < 0) {
		keeper_free(keeper);
		return r;
	}
	*ret_keeper = keeper;
	return 0;
}

static int on_attached(sd_event_source *source, void *userdata)
{
	struct keeper *keeper = userdata;

	(void)source;
	keeper->timer = sd_event_source_disable_unref(keeper->timer);
	tell(keeper, KEEPER_CONNECTED, "");
	return 0;
}

int keeper_attach(sd_event *loop, const char *name, keeper_callback callback,
		  void *context, struct keeper **ret_keeper)
{
	struct keeper *keeper;
	int r;

	r = keeper_new(loop, name, callback, context, &keeper);
	if (r < 0)
		return r;
	r = connect_socket(keeper);
	if (r >= 0)
		r = finish_later(keeper, on_attached);
	if (r < 0) {
		keeper_free(keeper);
		return r;
	}
	*ret_keeper = keeper;
	return 0;
}

bool keeper_is_gone(int error)
{
	return error == -ECONNREFUSED || error == -ENOENT;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	(void)sd_event_source_disable_unref(keeper->timer);
	(void)sd_event_source_disable_unref(keeper->source);
	(void)sd_bus_close_unref(keeper->bus);
	if (keeper->fd >= 0)
		(void)close(keeper->fd);
	free(keeper->job);
	free(keeper);
}

/* ---- orders ---- */

static int order_new(const struct keeper *keeper, enum wire_type type,
		     const struct keeper_place *place, struct wire_message **ret_order)
{
	int r;

	if (keeper->fd < 0)
		return -ENOTCONN;
	r = wire_message_new((uint16_t)type, ret_order);
	if (r == 0 && place) {
		if (place->backend)
			wire_add_string(*ret_order, TAG_BACKEND,
					backend_word(place->backend));
		wire_add_string(*ret_order, TAG_CIPHER, place->cipher);
		wire_add_string(*ret_order, TAG_MOUNT, place->mount);
	}
	return r;
}

static int order_send(const struct keeper *keeper, enum wire_type type)
{
	cleanup_message struct wire_message *order = NULL;
	int r = order_new(keeper, type, NULL, &order);

	return r < 0 ? r : wire_send(keeper->fd, order);
}

int keeper_init(struct keeper *keeper, const struct keeper_place *place,
		const struct secret *secret)
{
	cleanup_message struct wire_message *order = NULL;
	int r = order_new(keeper, WIRE_KEEPER_INIT, place, &order);

	if (r < 0)
		return r;
	wire_add_u32(order, TAG_GROUP_ID, place->group);
	wire_add_secret(order, TAG_SECRET, secret);
	return wire_send(keeper->fd, order);
}

int keeper_open(struct keeper *keeper, const struct keeper_place *place, uint32_t idle,
		const struct secret *secret, const void *note, size_t size)
{
	cleanup_message struct wire_message *order = NULL;
	int r = order_new(keeper, WIRE_KEEPER_OPEN, place, &order);

	if (r < 0)
		return r;
	wire_add_secret(order, TAG_SECRET, secret);
	wire_add_bytes(order, TAG_NOTE, note, size);
	if (place->read_only)
		wire_add_u32(order, TAG_FIXED, 1);
	if (idle)
		wire_add_u32(order, TAG_IDLE, idle * 1000);
	return wire_send(keeper->fd, order);
}

int keeper_note(struct keeper *keeper, const void *note, size_t size)
{
	cleanup_message struct wire_message *order = NULL;
	int r = order_new(keeper, WIRE_KEEPER_NOTE, NULL, &order);

	if (r < 0)
		return r;
	wire_add_bytes(order, TAG_NOTE, note, size);
	return wire_send(keeper->fd, order);
}

int keeper_ask(struct keeper *keeper)
{
	return order_send(keeper, WIRE_KEEPER_STATUS);
}

int keeper_close(struct keeper *keeper, unsigned limit)
{
	cleanup_message struct wire_message *order = NULL;
	int r = order_new(keeper, WIRE_KEEPER_CLOSE, NULL, &order);

	if (r < 0)
		return r;
	if (limit)
		wire_add_u32(order, TAG_LIMIT, limit);
	return wire_send(keeper->fd, order);
}

int keepers_each(void (*each)(void *context, const char *name), void *context)
{
	DIR *folder = opendir(KEEPER_FOLDER);
	const struct dirent *entry;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
	while ((entry = readdir(folder))) {
		size_t length = strlen(entry->d_name), suffix = strlen(SOCKET_SUFFIX);
		char name[UNIT_SIZE];

		/* A side of a reencryption has ended with whoever did that. */
		if (entry->d_name[0] == '.' || length <= suffix ||
		    length - suffix >= sizeof(name) ||
		    strcmp(entry->d_name + length - suffix, SOCKET_SUFFIX) != 0)
			continue;
		memcpy(name, entry->d_name, length - suffix);
		name[length - suffix] = '\0';
		each(context, name);
	}
	(void)closedir(folder);
	return 0;
}
