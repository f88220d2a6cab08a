/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connection to whatever plays the reader: what came, what waits to be sent. It
 * knows no format; those are in vpcd.h and vscard.h. Never blocks.
 */
#pragma once

#include "card/bytes.h"

#include <netinet/in.h>
#include <stdbool.h>

struct connection {
	int fd; /* -1: not connected */
	bool connecting;
	bool introduced; /* the driver's own: it has said what is said once */
	struct bytes received;
	struct bytes unsent;
};

/*
 * Begins to connect. 0 with `connecting` set or not; -ECONNREFUSED while nobody listens;
 * other negative errno.
 */
int connection_connect(struct connection *connection, const struct sockaddr_in *address);

/* Closes at once. Keeps the buffers' memory for the next time. */
void connection_close(struct connection *connection);
void connection_free(struct connection *connection);

/* What to poll `fd` for. */
short connection_events(const struct connection *connection);

/*
 * Finishes connecting, sends what waits, reads what came. 0, or negative errno
 * (-EPIPE: the other side closed).
 */
int connection_process(struct connection *connection, short revents);

/* Sends what it can of `unsent`. 0 or negative errno. */
int connection_flush(struct connection *connection);
