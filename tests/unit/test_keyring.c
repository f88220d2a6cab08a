/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring: what is said to a daemon on the session bus, and what its answers come to. The
 * daemon here is one of the test's, on a bus of its own; the real one is in
 * tests/machine/test_keyring.py.
 */
#include "unit/cmocka_includes.h"

#include "hygie/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define ROOT "/org/freedesktop/secrets"
#define LOGIN ROOT "/collection/login"
#define SESSION ROOT "/session/s1"
#define MASTER "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"

enum kind { NOBODY, OTHERS, GNOME };

static pid_t bus_pid;

/* The daemon: what it is, what it has, and what it was told. */
static struct daemon {
	enum kind kind;
	const char *collection, *made; /* paths */
	const char *error;             /* that it answers with */
	char old[64], new[64], label[64];
	sd_event *loop;
	pthread_t thread;
	int ready[2];
} fake;

static int on_session(sd_bus_message *call, void *context, sd_bus_error *error)
{
	const char *algorithm;

	(void)context;
	(void)error;
	if (sd_bus_message_read(call, "s", &algorithm) < 0 ||
	    strcmp(algorithm, "plain") != 0)
		return -EINVAL;
	return sd_bus_reply_method_return(call, "vo", "s", "", SESSION);
}

static int on_collections(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *context,
			  sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)context;
	(void)error;
	return fake.collection
		       ? sd_bus_message_append(reply, "ao", 2, ROOT "/collection/session",
					       fake.collection)
		       : sd_bus_message_append(reply, "ao", 0);
}

/* A secret of the Secret Service API, which must be of our session. */
static int secret_read(sd_bus_message *call, char ret_text[64])
{
	const void *parameters, *value;
	size_t parameters_size, size;
	const char *session, *type;
	int r;

	r = sd_bus_message_enter_container(call, 'r', "oayays");
	if (r >= 0)
		r = sd_bus_message_read(call, "o", &session);
	if (r >= 0)
		r = sd_bus_message_read_array(call, 'y', &parameters, &parameters_size);
	if (r >= 0)
		r = sd_bus_message_read_array(call, 'y', &value, &size);
	if (r >= 0)
		r = sd_bus_message_read(call, "s", &type);
	if (r < 0 || strcmp(session, SESSION) != 0 || parameters_size != 0 || size >= 64)
		return r < 0 ? r : -EINVAL;
	memcpy(ret_text, value, size);
	ret_text[size] = '\0';
	return sd_bus_message_exit_container(call);
}

static int answer_error(sd_bus_error *error)
{
	return sd_bus_error_set(error, fake.error, "as the test wants it");
}

static int on_change(sd_bus_message *call, void *context, sd_bus_error *error)
{
	const char *path;
	int r = sd_bus_message_read(call, "o", &path);

	(void)context;
	if (r >= 0 && strcmp(path, LOGIN) != 0)
		r = -EINVAL;
	if (r >= 0)
		r = secret_read(call, fake.old);
	if (r >= 0)
		r = secret_read(call, fake.new);
	if (r < 0)
		return r;
	return fake.error ? answer_error(error) : sd_bus_reply_method_return(call, "");
}

static int on_create(sd_bus_message *call, void *context, sd_bus_error *error)
{
	const char *name, *label;
	int r = sd_bus_message_enter_container(call, 'a', "{sv}");

	(void)context;
	if (r >= 0)
		r = sd_bus_message_enter_container(call, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_read(call, "sv", &name, "s", &label);
	if (r >= 0)
		r = sd_bus_message_exit_container(call);
	if (r >= 0)
		r = sd_bus_message_exit_container(call);
	if (r >= 0)
		r = secret_read(call, fake.new);
	if (r < 0)
		return r;
	(void)snprintf(fake.label, sizeof(fake.label), "%s", label);
	return fake.error ? answer_error(error)
			  : sd_bus_reply_method_return(call, "o", fake.made);
}

static const sd_bus_vtable secrets[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("OpenSession", "sv", "vo", on_session, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Collections", "ao", on_collections, 0, 0),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable master[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("ChangeWithMasterPassword", "o(oayays)(oayays)", "", on_change,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("CreateWithMasterPassword", "a{sv}(oayays)", "o", on_create,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* Serves until the other end of the pipe is closed. */
static void *serve(void *context)
{
	sd_bus *bus = NULL;
	char byte = 1;

	(void)context;
	assert_true(sd_bus_open_user(&bus) >= 0);
	assert_true(sd_bus_add_object_vtable(bus, NULL, ROOT,
					     "org.freedesktop.Secret.Service", secrets,
					     NULL) >= 0);
	if (fake.kind == GNOME)
		assert_true(sd_bus_add_object_vtable(bus, NULL, ROOT, MASTER, master,
						     NULL) >= 0);
	assert_true(sd_bus_request_name(bus, "org.freedesktop.secrets", 0) >= 0);
	assert_true(sd_bus_attach_event(bus, fake.loop, 0) >= 0);
	assert_int_equal(write(fake.ready[1], &byte, 1), 1);
	assert_true(sd_event_loop(fake.loop) >= 0);
	sd_bus_flush_close_unref(bus);
	return NULL;
}

static int stop_pipe[2];

static void daemon_begin(enum kind kind)
{
	char byte;

	fake = (struct daemon){ .kind = kind, .collection = LOGIN, .made = LOGIN };
	if (kind == NOBODY)
		return;
	assert_int_equal(pipe(fake.ready), 0);
	assert_int_equal(pipe(stop_pipe), 0);
	assert_true(sd_event_new(&fake.loop) >= 0);
	assert_true(sd_event_add_io(fake.loop, NULL, stop_pipe[0], EPOLLIN, on_stop,
				    NULL) >= 0);
	assert_int_equal(pthread_create(&fake.thread, NULL, serve, NULL), 0);
	assert_int_equal(read(fake.ready[0], &byte, 1), 1);
}

static void daemon_end(void)
{
	if (fake.kind == NOBODY)
		return;
	(void)close(stop_pipe[1]);
	(void)pthread_join(fake.thread, NULL);
	(void)close(stop_pipe[0]);
	(void)close(fake.ready[0]);
	(void)close(fake.ready[1]);
	fake.loop = sd_event_unref(fake.loop);
}

static struct secret *secret_of(const char *text)
{
	struct secret *secret = NULL;

	assert_int_equal(secret_new_from(text, strlen(text), &secret), 0);
	return secret;
}

static void both_passwords_arrive(void **state)
{
	cleanup_secret struct secret *old = secret_of("before"),
				     *new = secret_of("after");
	cleanup_keyring struct keyring *keyring = NULL;
	bool exists = false;

	(void)state;
	daemon_begin(GNOME);
	assert_int_equal(keyring_open(&keyring), 0);
	assert_int_equal(keyring_exists(keyring, &exists), 0);
	assert_true(exists);
	assert_int_equal(keyring_change(keyring, old, new), 0);
	assert_string_equal(fake.old, "before");
	assert_string_equal(fake.new, "after");
	daemon_end();
}

static void only_a_denial_is_a_wrong_password(void **state)
{
	static const struct {
		const char *error;
		int result;
	} rows[] = {
		{ "org.gnome.keyring.Error.Denied", -EACCES },
		{ SD_BUS_ERROR_FAILED, -EIO }, /* sd-bus has EACCES for it */
		{ SD_BUS_ERROR_ACCESS_DENIED, -EIO },
		{ "org.freedesktop.Secret.Error.NoSuchObject", -EIO },
	};
	cleanup_secret struct secret *secret = secret_of("any");
	cleanup_keyring struct keyring *keyring = NULL;

	(void)state;
	daemon_begin(GNOME);
	assert_int_equal(keyring_open(&keyring), 0);
	for (size_t i = 0; i < array_size(rows); i++) {
		fake.error = rows[i].error;
		assert_int_equal(keyring_change(keyring, secret, secret), rows[i].result);
		assert_int_equal(keyring_create(keyring, secret), rows[i].result);
	}
	daemon_end();
}

static void a_keyring_is_made_where_there_is_none(void **state)
{
	cleanup_secret struct secret *secret = secret_of("new");
	cleanup_keyring struct keyring *keyring = NULL;
	bool exists = true;

	(void)state;
	daemon_begin(GNOME);
	assert_int_equal(keyring_open(&keyring), 0);
	fake.collection = ROOT "/collection/login2";
	assert_int_equal(keyring_exists(keyring, &exists), 0);
	assert_false(exists);
	fake.collection = NULL;
	assert_int_equal(keyring_exists(keyring, &exists), 0);
	assert_false(exists);
	assert_int_equal(keyring_create(keyring, secret), 0);
	assert_string_equal(fake.new, "new");
	assert_string_equal(fake.label, "login");
	/* Another than PAM's module would open is none. */
	fake.made = ROOT "/collection/login_1";
	assert_int_equal(keyring_create(keyring, secret), -EIO);
	daemon_end();
}

static void another_keeper_of_secrets_is_told_from_none(void **state)
{
	struct keyring *keyring = NULL;

	(void)state;
	daemon_begin(NOBODY);
	assert_int_equal(keyring_open(&keyring), -ENOSYS);
	daemon_end();
	daemon_begin(OTHERS);
	assert_int_equal(keyring_open(&keyring), -EOPNOTSUPP);
	daemon_end();
	assert_null(keyring);
}

static void without_a_bus_there_is_nothing_to_ask(void **state)
{
	char *address = strdup(getenv("DBUS_SESSION_BUS_ADDRESS"));
	struct keyring *keyring = NULL;

	(void)state;
	assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent", 1),
			 0);
	assert_int_equal(keyring_open(&keyring), -ENOTCONN);
	assert_null(keyring);
	assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", address, 1), 0);
	free(address);
}

/* A bus where nothing is started that nobody serves. */
#define CONFIG                                                                                   \
	"<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>"                       \
	"<policy context=\"default\"><allow send_destination=\"*\"/><allow eavesdrop=\"true\"/>" \
	"<allow own=\"*\"/></policy></busconfig>"

static int bus_begin(void **state)
{
	char config[] = "/tmp/hygie-test-XXXXXX", address[256];
	int fd = mkstemp(config), out[2], ok = -1;
	ssize_t n;

	(void)state;
	if (fd < 0 || write(fd, CONFIG, strlen(CONFIG)) != (ssize_t)strlen(CONFIG) ||
	    close(fd) < 0 || pipe(out) < 0)
		return -1;
	bus_pid = fork();
	if (bus_pid == 0) {
		char option[64], print[32];

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)snprintf(option, sizeof(option), "--config-file=%s", config);
		(void)snprintf(print, sizeof(print), "--print-address=%d", out[1]);
		(void)execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile",
			     option, print, NULL);
		_exit(127);
	}
	(void)close(out[1]);
	n = read(out[0], address, sizeof(address) - 1);
	if (n > 1) {
		address[n - 1] = '\0'; /* its line's end */
		ok = setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
	}
	(void)close(out[0]);
	(void)unlink(config);
	return ok;
}

static int bus_end(void **state)
{
	(void)state;
	(void)kill(bus_pid, SIGTERM);
	return waitpid(bus_pid, NULL, 0) == bus_pid ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_passwords_arrive),
		cmocka_unit_test(only_a_denial_is_a_wrong_password),
		cmocka_unit_test(a_keyring_is_made_where_there_is_none),
		cmocka_unit_test(another_keeper_of_secrets_is_told_from_none),
		cmocka_unit_test(without_a_bus_there_is_nothing_to_ask),
	};

	return cmocka_run_group_tests(tests, bus_begin, bus_end);
}
