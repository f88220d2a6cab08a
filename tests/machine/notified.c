/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's notifications for tests: serves org.freedesktop.Notifications on the bus of
 * DBUS_SESSION_BUS_ADDRESS, and prints what it is asked to show: "show NUMBER TEXT" and
 * "close NUMBER". "ready" when it serves.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.Notifications"

static uint32_t last;

static int on_notify(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const char *program, *icon, *title, *text;
	uint32_t number;
	int r;

	(void)context;
	(void)error;
	r = sd_bus_message_read(message, "susss", &program, &number, &icon, &title,
				&text);
	if (r < 0)
		return r;
	if (number == 0)
		number = ++last;
	(void)printf("show %u %s\n", number, text);
	(void)fflush(stdout);
	return sd_bus_reply_method_return(message, "u", number);
}

static int on_close(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint32_t number;
	int r = sd_bus_message_read(message, "u", &number);

	(void)context;
	(void)error;
	if (r < 0)
		return r;
	(void)printf("close %u\n", number);
	(void)fflush(stdout);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", on_notify,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("CloseNotification", "u", "", on_close, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int main(void)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_user(&bus);

	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/Notifications",
					     NAME, table, NULL);
	if (r >= 0)
		r = sd_bus_request_name(bus, NAME, 0);
	if (r >= 0) {
		(void)puts("ready");
		(void)fflush(stdout);
	}
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	(void)fprintf(stderr, "notified: %d\n", r);
	return EXIT_FAILURE;
}
