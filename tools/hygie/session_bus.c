/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session on the bus; see session_bus.h.
 */
#include "session_bus.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>

#define SERVICE "org.freedesktop.login1"
#define MANAGER "org.freedesktop.login1.Manager"
#define SESSION "org.freedesktop.login1.Session"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define RETRY_MS 1000

struct session_bus {
	sd_event *loop;
	sd_bus *bus;             /* NULL: lost; a timer looks for it */
	sd_event_source *retry;  /* runs only while the bus is lost */
	sd_event_source *leader; /* the session's first process */
	const char *session;
	char *path;
	const struct session_listener *listener;
	void *context;
	unsigned pending; /* LockedHints that were not answered yet */
};

static void connect_bus(struct session_bus *bus);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session_bus *bus = userdata;

	(void)source;
	(void)usec;
	bus->retry = sd_event_source_disable_unref(bus->retry);
	connect_bus(bus);
	return 0;
}

static void lose_bus(struct session_bus *bus)
{
	bus->bus = sd_bus_close_unref(bus->bus);
	if (bus->pending > 0) {
		bus->pending = 0;
		bus->listener->settled(bus->context);
	}
	if (sd_event_add_time_relative(bus->loop, &bus->retry, CLOCK_MONOTONIC,
				       RETRY_MS * 1000ull, 1000, on_retry, bus) < 0)
		(void)sd_event_exit(bus->loop, -ENOMEM);
}

/* After its handlers: the bus must not be closed within them. */
static int on_lost(sd_event_source *source, void *userdata)
{
	struct session_bus *bus = userdata;

	(void)source;
	bus->retry = sd_event_source_disable_unref(bus->retry);
	lose_bus(bus);
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct session_bus *bus = userdata;

	(void)message;
	(void)error;
	log_warning("the system bus is gone; waiting for it to come back");
	if (sd_event_add_defer(bus->loop, &bus->retry, on_lost, bus) < 0)
		(void)sd_event_exit(bus->loop, -ENOMEM);
	return 0;
}

static int on_lock(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct session_bus *bus = userdata;

	(void)message;
	(void)error;
	bus->listener->lock(bus->context);
	return 0;
}

static int on_unlock(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct session_bus *bus = userdata;

	(void)message;
	(void)error;
	bus->listener->unlock(bus->context);
	return 0;
}

static int on_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct session_bus *bus = userdata;
	const char *session;

	(void)error;
	if (sd_bus_message_read(message, "s", &session) >= 0 &&
	    strcmp(session, bus->session) == 0)
		bus->listener->ended(bus->context);
	return 0;
}

/* A session whose first process has ended lives on as long as one of us does. */
static int on_leader_ended(sd_event_source *source, int fd, uint32_t events,
			   void *userdata)
{
	struct session_bus *bus = userdata;

	(void)source;
	(void)fd;
	(void)events;
	bus->listener->ended(bus->context);
	return 0;
}

static void watch_leader(struct session_bus *bus, uint32_t pid)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0 || bus->leader)
		return;
	if (sd_event_add_io(bus->loop, &bus->leader, fd, EPOLLIN, on_leader_ended, bus) <
	    0)
		(void)close(fd);
	else
		(void)sd_event_source_set_io_fd_own(bus->leader, 1);
}

static int on_leader(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	uint32_t pid;

	(void)error;
	if (!sd_bus_message_is_method_error(answer, NULL) &&
	    sd_bus_message_read(answer, "v", "u", &pid) >= 0)
		watch_leader(userdata, pid);
	return 0;
}

static int on_hint(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *failure = sd_bus_message_get_error(answer);
	struct session_bus *bus = userdata;
	int locked;

	(void)error;
	if (failure)
		log_warning("logind tells nothing of session %s: %s", bus->session,
			    failure->message);
	else if (sd_bus_message_read(answer, "v", "b", &locked) >= 0)
		bus->listener->hint(bus->context, locked != 0);
	return 0;
}

static int ask(struct session_bus *bus, const char *property,
	       sd_bus_message_handler_t handler)
{
	return sd_bus_call_method_async(bus->bus, NULL, SERVICE, bus->path, PROPERTIES,
					"Get", handler, bus, "ss", SESSION, property);
}

/* A logind that began anew may have forgotten what it was told. */
static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct session_bus *bus = userdata;
	const char *name, *before, *after;

	(void)error;
	if (sd_bus_message_read(message, "sss", &name, &before, &after) >= 0 &&
	    after[0] && ask(bus, "LockedHint", on_hint) < 0)
		log_warning("logind cannot be asked");
	return 0;
}

static int on_told(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *failure = sd_bus_message_get_error(answer);
	struct session_bus *bus = userdata;

	(void)error;
	if (failure)
		log_error("logind does not take LockedHint: %s", failure->message);
	if (--bus->pending == 0)
		bus->listener->settled(bus->context);
	return 0;
}

void session_bus_tell(struct session_bus *bus, bool locked)
{
	int r = -ENOTCONN;

	if (bus->bus)
		r = sd_bus_call_method_async(bus->bus, NULL, SERVICE, bus->path, SESSION,
					     "SetLockedHint", on_told, bus, "b",
					     (int)locked);
	if (r >= 0)
		bus->pending++;
	else
		log_error("LockedHint: %s", error_text(-r));
}

bool session_bus_is_settled(const struct session_bus *bus)
{
	return bus->pending == 0;
}

/* The socket may come later: it is waited for without a clock. */
static int open_bus(struct session_bus *bus)
{
	int r = sd_bus_new(&bus->bus);

	if (r >= 0)
		r = sd_bus_set_address(bus->bus, "unix:path=/run/dbus/system_bus_socket");
	if (r >= 0)
		r = sd_bus_set_bus_client(bus->bus, 1);
	if (r >= 0)
		r = sd_bus_set_watch_bind(bus->bus, 1);
	if (r >= 0)
		r = sd_bus_start(bus->bus);
	return r < 0 ? r : sd_bus_attach_event(bus->bus, bus->loop, 0);
}

/* A signal of the session, or of another object with NULL for the session's path. */
static int listen_to(struct session_bus *bus, const char *sender, const char *path,
		     const char *interface, const char *member,
		     sd_bus_message_handler_t handler)
{
	return sd_bus_match_signal_async(bus->bus, NULL, sender, path, interface, member,
					 handler, NULL, bus);
}

static int listen_to_all(struct session_bus *bus)
{
	static const char owner[] =
		"type='signal',sender='org.freedesktop.DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',"
		"arg0='" SERVICE "'";
	int r = listen_to(bus, SERVICE, bus->path, SESSION, "Lock", on_lock);

	if (r >= 0)
		r = listen_to(bus, SERVICE, bus->path, SESSION, "Unlock", on_unlock);
	if (r >= 0)
		r = listen_to(bus, SERVICE, NULL, MANAGER, "SessionRemoved", on_removed);
	if (r >= 0)
		r = listen_to(bus, "org.freedesktop.DBus.Local", NULL,
			      "org.freedesktop.DBus.Local", "Disconnected",
			      on_disconnected);
	if (r >= 0)
		r = sd_bus_add_match_async(bus->bus, NULL, owner, on_owner_changed, NULL,
					   bus);
	return r;
}

static void connect_bus(struct session_bus *bus)
{
	int r = open_bus(bus);

	if (r >= 0)
		r = listen_to_all(bus);
	if (r >= 0)
		r = ask(bus, "LockedHint", on_hint);
	if (r >= 0)
		r = ask(bus, "Leader", on_leader);
	if (r >= 0)
		return;
	log_warning("no system bus: %s; Lock is not heard until there is one",
		    error_text(-r));
	lose_bus(bus);
}

int session_bus_start(sd_event *loop, const char *session,
		      const struct session_listener *listener, void *context,
		      struct session_bus **ret_bus)
{
	struct session_bus *bus = calloc(1, sizeof(*bus));
	int r = bus ? sd_bus_path_encode("/org/freedesktop/login1/session", session,
					 &bus->path)
		    : -ENOMEM;

	if (r < 0) {
		free(bus);
		return r;
	}
	bus->loop = loop;
	bus->session = session;
	bus->listener = listener;
	bus->context = context;
	*ret_bus = bus;
	connect_bus(bus);
	return 0;
}

void session_bus_free(struct session_bus *bus)
{
	if (!bus)
		return;
	(void)sd_event_source_disable_unref(bus->retry);
	(void)sd_event_source_disable_unref(bus->leader);
	(void)sd_bus_flush(bus->bus);
	(void)sd_bus_close_unref(bus->bus);
	free(bus->path);
	free(bus);
}
