/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One notification of the desktop's (org.freedesktop.Notifications, Desktop Notifications
 * Specification 1.2), which stays until it is taken back. Where there is no desktop to
 * show it nothing comes of it. Never waits.
 */
#pragma once

#include "libhygie/attributes.h"

#include <systemd/sd-event.h>

struct notification;

/* `title` is kept. The caller owns the result. */
int notification_new(sd_event *loop, const char *title,
		     struct notification **ret_notification) must_check;

/* Shows the text, in place of the one before. */
void notification_show(struct notification *notification, const char *text);

/* Takes it back; nothing if it is not shown. */
void notification_hide(struct notification *notification);

/* Takes it back. Takes NULL. */
void notification_free(struct notification *notification);
