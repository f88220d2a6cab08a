/* SPDX-License-Identifier: Apache-2.0 */
/* The card in the reader; see reader.h. */
#include "card/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECT_PATIENCE_US (10 * 1000 * 1000)
#define CONNECT_AGAIN_US (20 * 1000)
/*
 * The driver asks for the ATR every 400 ms. A card that is pulled in the middle of a
 * command and put in at once can leave two of its threads on one connection, each
 * waiting for the card for ever: that connection is given up.
 */
#define UNHEARD_US (5 * 1000 * 1000)

uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void reader_free(struct reader *reader)
{
	connection_free(&reader->connection);
	bytes_free(&reader->atr);
	bytes_free(&reader->held);
	bytes_free(&reader->answer);
	journal_free(&reader->journal);
	card_free(&reader->card);
}

/* What being pulled, or losing pcscd, does to a card. */
static void reader_unplug(struct reader *reader)
{
	reader->driver->pull(&reader->connection, reader->commanded);
	reader->commanded = false;
	card_reset(&reader->card);
	reader->powered = false;
	reader->answering = false;
	bytes_clear(&reader->held);
}

void reader_remove(struct reader *reader)
{
	reader_unplug(reader);
	reader->presence = PRESENCE_ABSENT;
}

static void reader_connected(struct reader *reader)
{
	int r = reader->driver->put_in(&reader->connection, &reader->atr);

	if (r < 0)
		fprintf(stderr, "piv-card: put in: %s\n", strerror(-r));
	reader->presence = PRESENCE_INSERTED;
	if (!reader->driver->tells_power) {
		reader->powered = true;
		reader->resets++;
	}
}

/* pcscd opens its port some time after its start, without telling: hence the retry. */
static void reader_try_connect(struct reader *reader)
{
	uint64_t now = clock_us();
	int r = connection_connect(&reader->connection, &reader->address);

	if (r == 0) {
		reader->heard_us = now;
		if (!reader->connection.connecting)
			reader_connected(reader);
		return;
	}
	reader->connect_next_us = now + CONNECT_AGAIN_US;
	if (r == -ECONNREFUSED && now < reader->connect_until_us)
		return;
	fprintf(stderr, "piv-card: connect: %s\n", strerror(-r));
	reader->presence = PRESENCE_FAILED;
}

void reader_insert(struct reader *reader)
{
	if (reader->presence == PRESENCE_INSERTED ||
	    reader->presence == PRESENCE_CONNECTING)
		return;
	reader->presence = PRESENCE_CONNECTING;
	reader->connect_until_us = clock_us() + CONNECT_PATIENCE_US;
	if (reader->connection.fd < 0)
		reader_try_connect(reader);
	else
		reader_connected(reader); /* it stayed when the card was pulled */
}

/* pcscd ended with the card still in: it is in again as soon as pcscd is back. */
static void reader_lost(struct reader *reader)
{
	bool inserted = reader->presence == PRESENCE_INSERTED;

	reader_unplug(reader);
	connection_close(&reader->connection);
	reader->presence = PRESENCE_ABSENT;
	if (inserted)
		reader_insert(reader);
}

static void reader_answer_now(struct reader *reader)
{
	int r;

	reader->answering = false;
	reader->commanded = false;
	reader->heard_us = clock_us(); /* it waited for us: that was no silence of its */
	journal_answer(&reader->journal, &reader->answer);
	r = reader->driver->answer(&reader->connection, &reader->answer);
	if (r < 0)
		fprintf(stderr, "piv-card: answer: %s\n", strerror(-r));
	if (faults_remove_after(&reader->faults))
		reader_remove(reader);
}

static void reader_perform(struct reader *reader, const struct bytes *command)
{
	bytes_clear(&reader->answer);
	card_command(&reader->card, command->data, command->len, &reader->answer);
	faults_spoil(&reader->faults, &reader->answer);
	reader->answering = true;
	reader->answer_due_us = clock_us() + (uint64_t)reader->latency_ms * 1000;
	if (reader->latency_ms == 0)
		reader_answer_now(reader);
}

static void reader_command(struct reader *reader, const struct bytes *command)
{
	enum fault_action action = faults_arrival(&reader->faults);

	if (action == FAULT_RESET)
		card_reset(&reader->card);
	journal_add(&reader->journal, command->data, command->len,
		    applet_name(reader->card.selected), reader->resets, clock_us());
	if (reader->verbose)
		fprintf(stderr, "piv-card: %zu %s, %zu bytes\n", reader->journal.count,
			apdu_ins_name(command->len > 1 ? command->data[1] : 0),
			command->len);
	reader->commanded = true;
	switch (action) {
	case FAULT_REMOVE:
		reader_remove(reader);
		break;
	case FAULT_SILENT:
		reader->silent = true;
		bytes_clear(&reader->held);
		bytes_add(&reader->held, command->data, command->len);
		break;
	case FAULT_RESET:
	case FAULT_NONE:
		reader_perform(reader, command);
		break;
	}
}

void reader_speak(struct reader *reader)
{
	cleanup_bytes struct bytes command = { 0 };

	reader->faults.silent_from = 0;
	reader->silent = false;
	if (reader->held.len == 0)
		return;
	bytes_add(&command, reader->held.data, reader->held.len);
	bytes_clear(&reader->held);
	reader_perform(reader, &command);
}

static void reader_order(struct reader *reader, enum driver_order order)
{
	if (reader->verbose && order != DRIVER_ASK_ATR)
		fprintf(stderr, "piv-card: order %d\n", (int)order);
	switch (order) {
	case DRIVER_POWER_OFF:
		card_reset(&reader->card);
		reader->powered = false;
		break;
	case DRIVER_POWER_ON:
	case DRIVER_RESET:
		card_reset(&reader->card);
		reader->powered = true;
		reader->resets++;
		break;
	case DRIVER_ASK_ATR: /* asked all the time: must leave the card as it is */
		(void)reader->driver->answer(&reader->connection, &reader->atr);
		reader->atr_polls++;
		break;
	default:
		break;
	}
}

/* An order may lead to removal, after which commands on the way are for no card. */
static void reader_orders(struct reader *reader)
{
	cleanup_bytes struct bytes command = { 0 };
	enum driver_order order;

	while (reader->driver->take(&reader->connection, &order, &command)) {
		reader->heard_us = clock_us();
		if (order != DRIVER_COMMAND)
			reader_order(reader, order);
		else if (reader->presence == PRESENCE_INSERTED)
			reader_command(reader, &command);
		bytes_clear(&command);
	}
}

static void reader_connection(struct reader *reader, short revents)
{
	bool connecting = reader->connection.connecting;
	int r = connection_process(&reader->connection, revents);

	if (r == 0) {
		if (connecting && !reader->connection.connecting)
			reader_connected(reader);
		reader_orders(reader);
		return;
	}
	if (reader->presence == PRESENCE_CONNECTING) {
		connection_close(&reader->connection);
		reader->connect_next_us = clock_us() + CONNECT_AGAIN_US;
	} else {
		reader_lost(reader);
	}
}

int reader_poll_fd(const struct reader *reader, short *ret_events)
{
	*ret_events = connection_events(&reader->connection);
	return reader->connection.fd;
}

static bool reader_is_listening(const struct reader *reader)
{
	return reader->driver->asks && reader->presence == PRESENCE_INSERTED &&
	       !reader->commanded && !reader->answering && !reader->silent;
}

uint64_t reader_due_us(const struct reader *reader)
{
	uint64_t due = UINT64_MAX;

	if (reader->answering)
		due = reader->answer_due_us;
	if (reader->presence == PRESENCE_CONNECTING && reader->connection.fd < 0 &&
	    reader->connect_next_us < due)
		due = reader->connect_next_us;
	if (reader_is_listening(reader) && reader->heard_us + UNHEARD_US < due)
		due = reader->heard_us + UNHEARD_US;
	return due;
}

void reader_process(struct reader *reader, short revents)
{
	if (reader->connection.fd >= 0 && revents)
		reader_connection(reader, revents);
	if (reader->answering && clock_us() >= reader->answer_due_us)
		reader_answer_now(reader);
	if (reader->presence == PRESENCE_CONNECTING && reader->connection.fd < 0 &&
	    clock_us() >= reader->connect_next_us)
		reader_try_connect(reader);
	if (reader_is_listening(reader) && clock_us() >= reader->heard_us + UNHEARD_US) {
		fprintf(stderr, "piv-card: the driver asks nothing: in again\n");
		reader_lost(reader);
	}
}
