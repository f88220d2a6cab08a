/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyring on the bus; see keyring.h.
 */
#include "keyring.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SERVICE "org.freedesktop.secrets"
#define ROOT "/org/freedesktop/secrets"
#define LOGIN ROOT "/collection/login"
#define SECRETS "org.freedesktop.Secret.Service"
#define COLLECTION "org.freedesktop.Secret.Collection"
#define MASTER "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
#define DENIED "org.gnome.keyring.Error.Denied" /* a wrong password */
#define TYPE_TEXT "text/plain"
#define SECRET_TYPE "oayays" /* session, parameters, value, content type */

struct keyring {
	sd_bus *bus;
	char *session;
};

static int session_begin(struct keyring *keyring)
{
	sd_bus_message *answer = NULL;
	const char *session;
	int r = sd_bus_call_method(keyring->bus, SERVICE, ROOT, SECRETS, "OpenSession",
				   NULL, &answer, "sv", "plain", "s", "");

	if (r >= 0)
		r = sd_bus_message_skip(answer, "v");
	if (r >= 0)
		r = sd_bus_message_read(answer, "o", &session);
	if (r >= 0) {
		keyring->session = strdup(session);
		r = keyring->session ? 0 : -ENOMEM;
	}
	(void)sd_bus_message_unref(answer);
	return r;
}

/* The daemon's own interface: other keepers of secrets have the standard's alone. */
static int is_gnome(struct keyring *keyring)
{
	sd_bus_message *answer = NULL;
	const char *text = "";
	int r = sd_bus_call_method(keyring->bus, SERVICE, ROOT,
				   "org.freedesktop.DBus.Introspectable", "Introspect",
				   NULL, &answer, "");

	if (r >= 0)
		r = sd_bus_message_read(answer, "s", &text);
	r = r >= 0 && strstr(text, MASTER) ? 0 : -EOPNOTSUPP;
	(void)sd_bus_message_unref(answer);
	return r;
}

int keyring_open(struct keyring **ret_keyring)
{
	cleanup_keyring struct keyring *keyring = calloc(1, sizeof(*keyring));
	int r;

	if (!keyring)
		return -ENOMEM;
	if (sd_bus_open_user(&keyring->bus) < 0)
		return -ENOTCONN;
	r = session_begin(keyring);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOSYS;
	r = is_gnome(keyring);
	if (r < 0)
		return r;
	*ret_keyring = keyring;
	keyring = NULL;
	return 0;
}

void keyring_close(struct keyring *keyring)
{
	if (!keyring)
		return;
	keyring->bus = sd_bus_flush_close_unref(keyring->bus);
	free(keyring->session);
	free(keyring);
}

int keyring_exists(struct keyring *keyring, bool *ret_exists)
{
	sd_bus_message *answer = NULL;
	const char *path;
	bool found = false;
	/* Not by the collection itself: one that PAM has just made is not shown yet. */
	int r = sd_bus_get_property(keyring->bus, SERVICE, ROOT, SECRETS, "Collections",
				    NULL, &answer, "ao");

	if (r >= 0)
		r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_ARRAY, "o");
	while (r >= 0 && (r = sd_bus_message_read(answer, "o", &path)) > 0)
		found = found || strcmp(path, LOGIN) == 0;
	(void)sd_bus_message_unref(answer);
	*ret_exists = found;
	return r < 0 ? -EIO : 0;
}

/* The message's memory is wiped by sd-bus when it goes. */
static int call_new(struct keyring *keyring, const char *method,
		    sd_bus_message **ret_call)
{
	int r = sd_bus_message_new_method_call(keyring->bus, ret_call, SERVICE, ROOT,
					       MASTER, method);

	return r < 0 ? r : sd_bus_message_sensitive(*ret_call);
}

static int secret_add(const struct keyring *keyring, sd_bus_message *call,
		      const struct secret *secret)
{
	int r = sd_bus_message_open_container(call, SD_BUS_TYPE_STRUCT, SECRET_TYPE);

	if (r >= 0)
		r = sd_bus_message_append(call, "o", keyring->session);
	if (r >= 0)
		r = sd_bus_message_append_array(call, 'y', NULL, 0);
	if (r >= 0)
		r = sd_bus_message_append_array(call, 'y', secret_bytes_const(secret),
						secret_size(secret));
	if (r >= 0)
		r = sd_bus_message_append(call, "s", TYPE_TEXT);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

static int call_run(struct keyring *keyring, sd_bus_message *call,
		    sd_bus_message **ret_answer)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call(keyring->bus, call, 0, &error, ret_answer);

	/* sd-bus makes EACCES of more than this. */
	if (r < 0)
		r = sd_bus_error_has_name(&error, DENIED) ? -EACCES : -EIO;
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

int keyring_change(struct keyring *keyring, const struct secret *old,
		   const struct secret *new)
{
	sd_bus_message *call = NULL;
	int r = call_new(keyring, "ChangeWithMasterPassword", &call);

	if (r >= 0)
		r = sd_bus_message_append(call, "o", LOGIN);
	if (r >= 0)
		r = secret_add(keyring, call, old);
	if (r >= 0)
		r = secret_add(keyring, call, new);
	if (r >= 0)
		r = call_run(keyring, call, NULL);
	(void)sd_bus_message_unref(call);
	return r;
}

int keyring_create(struct keyring *keyring, const struct secret *password)
{
	sd_bus_message *call = NULL, *answer = NULL;
	int r = call_new(keyring, "CreateWithMasterPassword", &call);
	const char *path;

	/* The file's name is made from the label, and PAM's module looks for "login". */
	if (r >= 0)
		r = sd_bus_message_append(call, "a{sv}", 1, COLLECTION ".Label", "s",
					  "login");
	if (r >= 0)
		r = secret_add(keyring, call, password);
	if (r >= 0)
		r = call_run(keyring, call, &answer);
	if (r >= 0)
		r = sd_bus_message_read(answer, "o", &path);
	if (r >= 0)
		r = strcmp(path, LOGIN) == 0 ? 0 : -EIO;
	(void)sd_bus_message_unref(answer);
	(void)sd_bus_message_unref(call);
	return r;
}
