/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus; see logind.h. Signals are matched, never polled for.
 */
#include "hygied/logind.h"

#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#define SERVICE "org.freedesktop.login1"
#define MANAGER "org.freedesktop.login1.Manager"
#define MANAGER_PATH "/org/freedesktop/login1"
#define SESSION "org.freedesktop.login1.Session"
#define SESSION_PATH "/org/freedesktop/login1/session"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define RETRY_MS 1000

struct logind {
	sd_event *loop;
	sd_bus *bus;            /* NULL: lost; a timer tries again */
	sd_event_source *retry; /* runs only while the bus is lost */
	const struct logind_listener *listener;
	void *context;
	int inhibitor; /* a descriptor that holds sleep up, or -1 */
	bool there;
};

static void connect_bus(struct logind *logind);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct logind *logind = userdata;

	(void)source;
	(void)usec;
	logind->retry = sd_event_source_disable_unref(logind->retry);
	connect_bus(logind);
	return 0;
}

/* The inhibitor ends with the logind that gave it. */
static void lose_inhibitor(struct logind *logind)
{
	if (logind->inhibitor >= 0)
		(void)close(logind->inhibitor);
	logind->inhibitor = -1;
}

static void lose_bus(struct logind *logind)
{
	lose_inhibitor(logind);
	logind->there = false;
	logind->bus = sd_bus_close_unref(logind->bus);
	if (sd_event_add_time_relative(logind->loop, &logind->retry, CLOCK_MONOTONIC,
				       RETRY_MS * 1000ull, 1000, on_retry, logind) < 0)
		log_error("no memory to look for the bus again: sessions are not locked");
}

/* After its handlers: the bus must not be closed within them. */
static int on_lost(sd_event_source *source, void *userdata)
{
	struct logind *logind = userdata;

	(void)source;
	logind->retry = sd_event_source_disable_unref(logind->retry);
	lose_bus(logind);
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;

	(void)message;
	(void)error;
	log_warning("the system bus is gone; waiting for it to come back");
	if (sd_event_add_defer(logind->loop, &logind->retry, on_lost, logind) < 0)
		log_error("no memory to look for the bus again: sessions are not locked");
	return 0;
}

/* What a call came to, where nothing but its failure matters. */
static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	const char *what = userdata;
	const sd_bus_error *failure = sd_bus_message_get_error(answer);

	(void)error;
	if (failure)
		log_warning("logind: %s: %s", what, failure->message);
	return 0;
}

/* The methods that are called; sd-bus hands their names to on_answer(), not const. */
static char lock_method[] = "LockSession", terminate_method[] = "TerminateSession",
	    kill_method[] = "KillSession", activate_method[] = "ActivateSession",
	    greeter_method[] = "SwitchToGreeter";

/* A call of the manager with a session's id. */
static void call_manager(struct logind *logind, char *method, const char *session)
{
	int r = -ENOTCONN;

	if (logind->bus)
		r = sd_bus_call_method_async(logind->bus, NULL, SERVICE, MANAGER_PATH,
					     MANAGER, method, on_answer, method, "s",
					     session);
	if (r < 0)
		log_error("%s of session %s: %s", method, session, error_text(-r));
}

void logind_lock(struct logind *logind, const char *session)
{
	call_manager(logind, lock_method, session);
}

void logind_terminate(struct logind *logind, const char *session)
{
	call_manager(logind, terminate_method, session);
}

void logind_kill(struct logind *logind, const char *session)
{
	int r = -ENOTCONN;

	if (logind->bus)
		r = sd_bus_call_method_async(logind->bus, NULL, SERVICE, MANAGER_PATH,
					     MANAGER, kill_method, on_answer, kill_method,
					     "ssi", session, "all", SIGKILL);
	if (r < 0)
		log_error("KillSession of session %s: %s", session, error_text(-r));
}

static char *find_greeter(const char *seat)
{
	char **sessions = NULL, *found = NULL;
	int count = sd_seat_get_sessions(seat, &sessions, NULL, NULL);

	for (int i = 0; i < count; i++) {
		char *class = NULL;

		if (!found && sd_session_get_class(sessions[i], &class) >= 0 &&
		    strcmp(class, "greeter") == 0) {
			found = sessions[i];
			sessions[i] = NULL;
		}
		free(class);
		free(sessions[i]);
	}
	free(sessions);
	return found;
}

/* lightdm and sddm make a login screen when they are asked; gdm keeps one. */
static void ask_display_manager(struct logind *logind, const char *seat)
{
	char path[64];
	int r = -ENOTCONN;

	(void)snprintf(path, sizeof(path), "/org/freedesktop/DisplayManager/Seat%s",
		       strncmp(seat, "seat", 4) == 0 ? seat + 4 : seat);
	if (logind->bus && sd_bus_object_path_is_valid(path))
		r = sd_bus_call_method_async(
			logind->bus, NULL, "org.freedesktop.DisplayManager", path,
			"org.freedesktop.DisplayManager.Seat", greeter_method, on_answer,
			greeter_method, NULL);
	if (r < 0)
		log_error("SwitchToGreeter on %s: %s", seat, error_text(-r));
}

void logind_show_greeter(struct logind *logind, const char *seat)
{
	char *greeter = find_greeter(seat);

	if (greeter)
		call_manager(logind, activate_method, greeter);
	else
		ask_display_manager(logind, seat);
	free(greeter);
}

/* The id of the session at that object path; NULL for another object. Freed by the caller. */
static char *session_at(const char *path)
{
	char *session = NULL;

	if (!path || sd_bus_path_decode(path, SESSION_PATH, &session) <= 0)
		return NULL;
	return session;
}

/* The next entry of a dictionary of properties; 1, 0 at its end, or a negative errno. */
static int read_property(sd_bus_message *message, const char **ret_name, int *ret_value)
{
	char type;
	const char *contents;
	int r;

	r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
	if (r <= 0)
		return r;
	r = sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, ret_name);
	if (r >= 0)
		r = sd_bus_message_peek_type(message, &type, &contents);
	if (r < 0)
		return r;
	*ret_value = -1;
	r = strcmp(contents, "b") == 0 ? sd_bus_message_read(message, "v", "b", ret_value)
				       : sd_bus_message_skip(message, "v");
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	char *session = session_at(sd_bus_message_get_path(message));
	const char *interface, *name;
	int value, r;

	(void)error;
	r = sd_bus_message_read(message, "s", &interface);
	if (r >= 0 && session && strcmp(interface, SESSION) == 0)
		r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
	else
		r = -ENOENT;
	while (r >= 0 && (r = read_property(message, &name, &value)) > 0) {
		if (strcmp(name, "LockedHint") == 0 && value >= 0)
			logind->listener->locked(logind->context, session, value > 0,
						 true);
		else if (strcmp(name, "Active") == 0 && value > 0)
			logind->listener->active(logind->context, session);
	}
	free(session);
	return 0;
}

static int on_session_removed(sd_bus_message *message, void *userdata,
			      sd_bus_error *error)
{
	struct logind *logind = userdata;
	const char *session;

	(void)error;
	if (sd_bus_message_read(message, "s", &session) >= 0)
		logind->listener->ended(logind->context, session);
	return 0;
}

static int on_inhibited(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	int fd;

	(void)error;
	if (sd_bus_message_is_method_error(answer, NULL) ||
	    sd_bus_message_read(answer, "h", &fd) < 0) {
		log_warning("logind gives no say before the machine sleeps: %s",
			    sd_bus_message_get_error(answer)
				    ? sd_bus_message_get_error(answer)->message
				    : "no descriptor");
		return 0;
	}
	lose_inhibitor(logind);
	logind->inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return 0;
}

static void inhibit_sleep(struct logind *logind)
{
	int r = sd_bus_call_method_async(logind->bus, NULL, SERVICE, MANAGER_PATH,
					 MANAGER, "Inhibit", on_inhibited, logind, "ssss",
					 "sleep", "Hygie",
					 "sessions of cards are locked first", "delay");

	if (r < 0)
		log_error("Inhibit: %s", error_text(-r));
}

static int on_sleep(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	int begins;

	(void)error;
	if (sd_bus_message_read(message, "b", &begins) < 0)
		return 0;
	if (!begins && logind->inhibitor < 0)
		inhibit_sleep(logind);
	logind->listener->sleep(logind->context, begins != 0);
	return 0;
}

void logind_let_sleep(struct logind *logind)
{
	lose_inhibitor(logind);
}

static void come_there(struct logind *logind)
{
	logind->there = true;
	lose_inhibitor(logind);
	inhibit_sleep(logind);
	logind->listener->there(logind->context);
}

/* logind itself came (again), or left: with it went the inhibitor. */
static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	const char *name, *before, *after;

	(void)error;
	if (sd_bus_message_read(message, "sss", &name, &before, &after) < 0)
		return 0;
	if (after[0])
		come_there(logind);
	else
		logind->there = false;
	return 0;
}

/* Whether logind runs already; its later coming is a change of owner. */
static int on_owner(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;

	(void)error;
	if (!sd_bus_message_is_method_error(answer, NULL) && !logind->there)
		come_there(logind);
	return 0;
}

static int on_locked_hint(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	char *session = NULL;
	int locked;

	(void)error;
	/* The cookie names the call; the session stands in its object's path. */
	if (!sd_bus_message_is_method_error(answer, NULL) &&
	    sd_bus_message_read(answer, "v", "b", &locked) >= 0) {
		sd_bus_slot *slot = sd_bus_get_current_slot(logind->bus);
		const char *path = NULL;

		(void)sd_bus_slot_get_description(slot, &path);
		session = session_at(path);
	}
	if (session)
		logind->listener->locked(logind->context, session, locked != 0, false);
	free(session);
	return 0;
}

void logind_ask_locked(struct logind *logind, const char *session)
{
	sd_bus_slot *slot = NULL;
	char *path = NULL;
	int r = -ENOTCONN;

	if (!logind->there)
		return; /* asked for when it comes */
	if (logind->bus)
		r = sd_bus_path_encode(SESSION_PATH, session, &path);
	if (r >= 0)
		r = sd_bus_call_method_async(logind->bus, &slot, SERVICE, path,
					     PROPERTIES, "Get", on_locked_hint, logind,
					     "ss", SESSION, "LockedHint");
	if (r >= 0)
		r = sd_bus_slot_set_description(slot, path);
	if (r >= 0)
		r = sd_bus_slot_set_floating(slot, 1);
	if (r < 0)
		log_error("LockedHint of session %s: %s", session, error_text(-r));
	(void)sd_bus_slot_unref(slot);
	free(path);
}

static const struct {
	const char *rule;
	sd_bus_message_handler_t handler;
} matches[] = {
	{ "type='signal',sender='" SERVICE "',interface='" PROPERTIES
	  "',member='PropertiesChanged',path_namespace='" SESSION_PATH "'",
	  on_properties },
	{ "type='signal',sender='" SERVICE "',interface='" MANAGER
	  "',member='SessionRemoved'",
	  on_session_removed },
	{ "type='signal',sender='" SERVICE "',interface='" MANAGER
	  "',member='PrepareForSleep'",
	  on_sleep },
	{ "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
	  "member='NameOwnerChanged',arg0='" SERVICE "'",
	  on_owner_changed },
	{ "type='signal',sender='org.freedesktop.DBus.Local',"
	  "interface='org.freedesktop.DBus.Local',member='Disconnected'",
	  on_disconnected },
};

/* The socket may come later: it is waited for without a clock. */
static int open_bus(struct logind *logind)
{
	int r = sd_bus_new(&logind->bus);

	if (r >= 0)
		r = sd_bus_set_description(logind->bus, "logind");
	if (r >= 0)
		r = sd_bus_set_address(logind->bus,
				       "unix:path=/run/dbus/system_bus_socket");
	if (r >= 0)
		r = sd_bus_set_bus_client(logind->bus, 1);
	if (r >= 0)
		r = sd_bus_set_watch_bind(logind->bus, 1);
	if (r >= 0)
		r = sd_bus_start(logind->bus);
	return r < 0 ? r : sd_bus_attach_event(logind->bus, logind->loop, 0);
}

static void connect_bus(struct logind *logind)
{
	int r = open_bus(logind);

	for (size_t i = 0; r >= 0 && i < array_size(matches); i++)
		r = sd_bus_add_match_async(logind->bus, NULL, matches[i].rule,
					   matches[i].handler, NULL, logind);
	if (r >= 0)
		r = sd_bus_call_method_async(logind->bus, NULL, "org.freedesktop.DBus",
					     "/org/freedesktop/DBus",
					     "org.freedesktop.DBus", "GetNameOwner",
					     on_owner, logind, "s", SERVICE);
	if (r >= 0)
		return;
	log_warning("no system bus: %s; sessions are not locked until there is one",
		    error_text(-r));
	lose_bus(logind);
}

int logind_start(sd_event *loop, const struct logind_listener *listener, void *context,
		 struct logind **ret_logind)
{
	struct logind *logind = calloc(1, sizeof(*logind));

	if (!logind)
		return -ENOMEM;
	logind->loop = loop;
	logind->listener = listener;
	logind->context = context;
	logind->inhibitor = -1;
	*ret_logind = logind;
	connect_bus(logind);
	return 0;
}

void logind_free(struct logind *logind)
{
	if (!logind)
		return;
	(void)sd_event_source_disable_unref(logind->retry);
	(void)sd_bus_flush(logind->bus);
	(void)sd_bus_close_unref(logind->bus);
	lose_inhibitor(logind);
	free(logind);
}

bool logind_is_there(const struct logind *logind)
{
	return logind->there;
}
