/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to pcscd's vpcd driver: frames of a two-byte length and data over TCP,
 * where being connected is being in the reader. Never blocks.
 */
#pragma once

#include "card/bytes.h"

#include <netinet/in.h>
#include <stdbool.h>

/* Frames of one byte are the reader's; longer ones are command APDUs. */
enum vpcd_control {
	VPCD_POWER_OFF = 0,
	VPCD_POWER_ON = 1,
	VPCD_RESET = 2,
	VPCD_ATR = 4, /* to be answered by a frame; asked every 400 ms */
};

struct vpcd {
	int fd; /* -1: not connected */
	bool connecting;
	struct bytes received;
	struct bytes unsent;
};

/*
 * Begins to connect. 0 with `connecting` set or not; -ECONNREFUSED while pcscd is not up;
 * other negative errno.
 */
int vpcd_connect(struct vpcd *vpcd, const struct sockaddr_in *address);

/* Closes at once: the card is out. Keeps the buffers' memory for the next time. */
void vpcd_close(struct vpcd *vpcd);

/*
 * Closes while the driver waits for the answer to an APDU, so that it sees a failure. An
 * orderly end it would report to its client as a success with an empty answer, which no
 * reader does.
 */
void vpcd_break_off(struct vpcd *vpcd);
void vpcd_free(struct vpcd *vpcd);

/* What to poll `fd` for. */
short vpcd_events(const struct vpcd *vpcd);

/*
 * Finishes connecting, sends what waits, reads what came. 0, or negative errno
 * (-EPIPE: the reader closed).
 */
int vpcd_process(struct vpcd *vpcd, short revents);

/* Takes one whole frame's data out of what came. False if there is none yet. */
bool vpcd_take_frame(struct vpcd *vpcd, struct bytes *ret_frame);

/* Sends a frame, length and data in one write. 0 or negative errno. */
int vpcd_send_frame(struct vpcd *vpcd, const struct bytes *frame);
