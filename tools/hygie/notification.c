/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notification; see notification.h. One call is under way at a time: what was shown
 * or taken back meanwhile follows its answer.
 */
#include "notification.h"

#include "libhygie/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"

struct notification {
	sd_event *loop;
	const char *title;
	sd_bus *bus; /* the user's; NULL until it is needed, or where there is none */
	sd_bus_slot *call;         /* not answered yet */
	uint32_t shown;            /* the number that the desktop gave it; 0: none */
	char text[HYGIE_TEXT_MAX]; /* that is to be seen; "": none */
	bool sent;                 /* and the desktop was told so */
};

static void send_text(struct notification *notification);

static void close_shown(struct notification *notification)
{
	if (notification->bus && notification->shown > 0)
		(void)sd_bus_call_method_async(notification->bus, NULL, NAME, PATH, NAME,
					       "CloseNotification", NULL, NULL, "u",
					       notification->shown);
	notification->shown = 0;
}

static int on_shown(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct notification *notification = userdata;

	(void)error;
	notification->call = sd_bus_slot_unref(notification->call);
	if (sd_bus_message_is_method_error(answer, NULL) ||
	    sd_bus_message_read(answer, "u", &notification->shown) < 0)
		return 0;
	if (notification->text[0] == '\0')
		close_shown(notification);
	else if (!notification->sent)
		send_text(notification);
	return 0;
}

/* Icon, actions and hints as the specification names them; urgency 2: critical. */
static void send_text(struct notification *notification)
{
	if (!notification->bus || notification->call)
		return;
	notification->sent = true;
	(void)sd_bus_call_method_async(notification->bus, &notification->call, NAME, PATH,
				       NAME, "Notify", on_shown, notification,
				       "susssasa{sv}i", "Hygie", notification->shown,
				       "dialog-password", notification->title,
				       notification->text, 0, 1, "urgency", "y", 2, 0);
}

/* What is sent goes out once the bus has greeted us. */
static void open_bus(struct notification *notification)
{
	int r;

	if (notification->bus && sd_bus_is_open(notification->bus) > 0)
		return;
	notification->call = sd_bus_slot_unref(notification->call);
	notification->shown = 0;
	notification->bus = sd_bus_close_unref(notification->bus);
	r = sd_bus_open_user(&notification->bus);
	if (r >= 0)
		r = sd_bus_attach_event(notification->bus, notification->loop, 0);
	if (r < 0)
		notification->bus = sd_bus_close_unref(notification->bus);
}

void notification_show(struct notification *notification, const char *text)
{
	(void)snprintf(notification->text, sizeof(notification->text), "%s", text);
	notification->sent = false;
	open_bus(notification);
	send_text(notification);
}

void notification_hide(struct notification *notification)
{
	notification->text[0] = '\0';
	close_shown(notification);
}

int notification_new(sd_event *loop, const char *title,
		     struct notification **ret_notification)
{
	struct notification *notification = calloc(1, sizeof(*notification));

	if (!notification)
		return -ENOMEM;
	notification->loop = loop;
	notification->title = title;
	*ret_notification = notification;
	return 0;
}

void notification_free(struct notification *notification)
{
	if (!notification)
		return;
	notification_hide(notification);
	(void)sd_bus_slot_unref(notification->call);
	(void)sd_bus_flush(notification->bus);
	(void)sd_bus_close_unref(notification->bus);
	free(notification);
}
