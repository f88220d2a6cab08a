/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card in the reader: it is inserted and pulled, powered and reset, sees APDUs,
 * answers late, badly or not at all. One struct holds all that a test can look at or
 * change.
 */
#pragma once

#include "card/card.h"
#include "card/driver.h"
#include "card/faults.h"
#include "card/journal.h"

enum presence {
	PRESENCE_ABSENT,
	PRESENCE_CONNECTING, /* inserted, as soon as pcscd is there */
	PRESENCE_INSERTED,
	PRESENCE_FAILED, /* pcscd did not come within 10 s: absent */
};

struct reader {
	struct sockaddr_in address;
	const struct driver *driver;
	struct connection connection;
	enum presence presence;
	bool powered;
	uint64_t connect_until_us;
	uint64_t connect_next_us;
	uint64_t heard_us; /* when the driver spoke last */
	struct bytes atr;
	struct card card;
	struct faults faults;
	struct journal journal;
	bool commanded;    /* the reader waits for an answer */
	bool silent;       /* `held` waits for reader_speak */
	struct bytes held; /* the command that was not answered */
	unsigned latency_ms;
	bool answering; /* `answer` is made and waits for its time */
	uint64_t answer_due_us;
	struct bytes answer;
	unsigned resets;    /* resets and power-ons since the start */
	uint64_t atr_polls; /* answered since the start */
	bool verbose;
};

uint64_t clock_us(void);

void reader_free(struct reader *reader);

/* Puts the card in. It may take until pcscd listens: see `presence`. */
void reader_insert(struct reader *reader);

/* Pulls the card: it is out when this returns. */
void reader_remove(struct reader *reader);

/* Ends a silence: answers the held command, if there is one, and all later ones. */
void reader_speak(struct reader *reader);

/* -1 if there is nothing to poll; `ret_events` is set then too. */
int reader_poll_fd(const struct reader *reader, short *ret_events);

/* The monotonic time at which reader_process wants to be called; UINT64_MAX: none. */
uint64_t reader_due_us(const struct reader *reader);

/* Does whatever the connection or the time calls for. */
void reader_process(struct reader *reader, short revents);
