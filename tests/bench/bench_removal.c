/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a card is gone, and when a session is told to lock: what a bare PC/SC client that
 * only waits sees, and what the system bus carries. Nothing else happens in between.
 *
 *   bench-removal READER SESSION-OBJECT
 *
 * Prints lines "in", "gone" or "lock" and the time, nanoseconds of CLOCK_REALTIME, as they
 * come, after "ready". PCSCLITE_CSOCK_NAME and DBUS_SYSTEM_BUS_ADDRESS say where to look.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <winscard.h>

static void tell(const char *what)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)printf("%s %" PRIu64 "\n", what,
		     (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	(void)fflush(stdout);
}

static void give_up(const char *what, long code)
{
	(void)fprintf(stderr, "bench-removal: %s: %lx\n", what, (unsigned long)code);
	exit(1);
}

static void *watch_reader(void *name)
{
	SCARD_READERSTATE state = { .szReader = name };
	SCARDCONTEXT context;
	LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);

	while (rv == SCARD_S_SUCCESS) {
		DWORD before = state.dwCurrentState;

		rv = SCardGetStatusChange(context, INFINITE, &state, 1);
		state.dwCurrentState = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
		if (rv == SCARD_S_SUCCESS &&
		    ((before ^ state.dwEventState) & SCARD_STATE_PRESENT))
			tell(state.dwEventState & SCARD_STATE_PRESENT ? "in" : "gone");
	}
	give_up("SCardGetStatusChange", rv);
	return NULL;
}

static int on_lock(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)message;
	(void)userdata;
	(void)error;
	tell("lock");
	return 0;
}

int main(int argc, char *argv[])
{
	pthread_t thread;
	sd_bus *bus;
	int r;

	if (argc != 3)
		give_up("usage: bench-removal READER SESSION-OBJECT", 2);
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, "org.freedesktop.login1", argv[2],
					"org.freedesktop.login1.Session", "Lock", on_lock,
					NULL);
	if (r < 0)
		give_up("the system bus", -r);
	if (pthread_create(&thread, NULL, watch_reader, argv[1]) != 0)
		give_up("a thread", 0);
	tell("ready");
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	give_up("the system bus", -r);
	return 1;
}
