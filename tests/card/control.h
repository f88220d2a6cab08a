/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: tests and demonstrations ask and order, one line each, and get
 * lines of which the last begins with "ok" or "error". The commands are in orders.c.
 * No client can block the card.
 */
#pragma once

#include "card/reader.h"

#include <poll.h>

#define CONTROL_CLIENTS 32

/* What a client waits for before it gets its answer. */
enum wait_for {
	WAIT_NOTHING,
	WAIT_APDUS, /* `number` of them since reset-count */
	WAIT_VERIFIES,
	WAIT_SELECTED, /* `number` is the applet */
	WAIT_INSERTED,
	WAIT_ABSENT,
	WAIT_POWERED,
	WAIT_SILENT,
	WAIT_ATR_POLLS, /* `number` of them since the start */
};

struct wait {
	enum wait_for what;
	uint64_t number;
	uint64_t until_us;
};

struct control_client {
	int fd; /* -1: free */
	struct bytes received;
	struct bytes unsent;
	struct wait wait;
};

struct control {
	int fd;
	struct reader *reader;
	const struct piv_defaults *defaults;
	struct control_client clients[CONTROL_CLIENTS];
};

/* Listens at `path`, in place of whatever socket is there. 0 or negative errno. */
int control_open(struct control *control, const char *path, struct reader *reader,
		 const struct piv_defaults *defaults);
void control_close(struct control *control);

/* Fills `polls` (room for CONTROL_CLIENTS + 1), and processes what poll said of it. */
size_t control_poll(const struct control *control, struct pollfd *polls);
void control_process(struct control *control, const struct pollfd *polls);

/* Answers the clients whose condition is met or whose time is over. */
void control_wake(struct control *control);

/* The earliest time at which a waiting client gives up; UINT64_MAX: none. */
uint64_t control_due_us(const struct control *control);

/* `piv-card ctl SOCK WORD...`: sends the words, prints the answer. An exit status. */
int ctl_main(int argc, char **argv);
