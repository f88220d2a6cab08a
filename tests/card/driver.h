/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader's side speaks over the connection: vpcd.h or vscard.h.
 */
#pragma once

#include "card/connection.h"

enum driver_order {
	DRIVER_NOTHING, /* a message that asks nothing of the card */
	DRIVER_POWER_OFF,
	DRIVER_POWER_ON,
	DRIVER_RESET,
	DRIVER_ASK_ATR,
	DRIVER_COMMAND, /* a command APDU */
};

struct driver {
	/* It asks for the ATR all the time: a silence means that it is stuck. */
	bool asks;
	/* It tells of power and resets; else a card that is in is one with power. */
	bool tells_power;
	/* It cannot take an answer of so much data; 0: it takes all. */
	size_t avoided;

	/* Connected: says that the card is in. 0 or negative errno. */
	int (*put_in)(struct connection *connection, const struct bytes *atr);

	/* Pulls the card; `commanded`: while the driver waits for an answer. */
	void (*pull)(struct connection *connection, bool commanded);

	/*
	 * Takes one whole order out of what came, appending a command APDU to
	 * `ret_command`. False if there is none yet.
	 */
	bool (*take)(struct connection *connection, enum driver_order *ret_order,
		     struct bytes *ret_command);

	/* The answer to a command or to the question for the ATR. 0 or negative errno. */
	int (*answer)(struct connection *connection, const struct bytes *answer);
};
