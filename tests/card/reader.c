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
	vpcd_free(&reader->vpcd);
	bytes_free(&reader->atr);
	bytes_free(&reader->held);
	bytes_free(&reader->answer);
	journal_free(&reader->journal);
	card_free(&reader->card);
}

/* What being pulled, or losing pcscd, does to a card. */
static void reader_unplug(struct reader *reader)
{
	if (reader->commanded)
		vpcd_break_off(&reader->vpcd);
	else
		vpcd_close(&reader->vpcd);
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

/* pcscd opens its port some time after its start, without telling: hence the retry. */
static void reader_try_connect(struct reader *reader)
{
	uint64_t now = clock_us();
	int r = vpcd_connect(&reader->vpcd, &reader->address);

	if (r == 0) {
		reader->heard_us = now;
		if (!reader->vpcd.connecting)
			reader->presence = PRESENCE_INSERTED;
		return;
	}
	reader->connect_next_us = now + CONNECT_AGAIN_US;
	if (r == -ECONNREFUSED && now < reader->connect_until_us)
		return;
	fprintf(stderr, "piv-card: vpcd: %s\n", strerror(-r));
	reader->presence = PRESENCE_FAILED;
}

void reader_insert(struct reader *reader)
{
	if (reader->presence == PRESENCE_INSERTED ||
	    reader->presence == PRESENCE_CONNECTING)
		return;
	reader->presence = PRESENCE_CONNECTING;
	reader->connect_until_us = clock_us() + CONNECT_PATIENCE_US;
	reader_try_connect(reader);
}

/* pcscd ended with the card still in: it is in again as soon as pcscd is back. */
static void reader_lost(struct reader *reader)
{
	reader_unplug(reader);
	reader->presence = PRESENCE_ABSENT;
	reader_insert(reader);
}

static void reader_answer_now(struct reader *reader)
{
	int r;

	reader->answering = false;
	reader->commanded = false;
	journal_answer(&reader->journal, &reader->answer);
	r = vpcd_send_frame(&reader->vpcd, &reader->answer);
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
	journal_add(&reader->journal, command->data, command->len,
		    applet_name(reader->card.selected), reader->resets, clock_us());
	if (reader->verbose)
		fprintf(stderr, "piv-card: %zu %s, %zu bytes\n", reader->journal.count,
			apdu_ins_name(command->len > 1 ? command->data[1] : 0),
			command->len);
	reader->commanded = true;
	switch (faults_arrival(&reader->faults)) {
	case FAULT_REMOVE:
		reader_remove(reader);
		break;
	case FAULT_SILENT:
		reader->silent = true;
		bytes_clear(&reader->held);
		bytes_add(&reader->held, command->data, command->len);
		break;
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

static void reader_control(struct reader *reader, unsigned control)
{
	if (reader->verbose && control != VPCD_ATR)
		fprintf(stderr, "piv-card: control %u\n", control);
	switch (control) {
	case VPCD_POWER_OFF:
		card_reset(&reader->card);
		reader->powered = false;
		break;
	case VPCD_POWER_ON:
	case VPCD_RESET:
		card_reset(&reader->card);
		reader->powered = true;
		reader->resets++;
		break;
	case VPCD_ATR: /* asked all the time: must leave the card as it is */
		(void)vpcd_send_frame(&reader->vpcd, &reader->atr);
		reader->atr_polls++;
		break;
	default:
		break;
	}
}

/* A frame may lead to removal, after which the connection has no more of them. */
static void reader_frames(struct reader *reader)
{
	cleanup_bytes struct bytes frame = { 0 };

	while (vpcd_take_frame(&reader->vpcd, &frame)) {
		reader->heard_us = clock_us();
		if (frame.len == 1)
			reader_control(reader, frame.data[0]);
		else if (frame.len > 1)
			reader_command(reader, &frame);
		bytes_clear(&frame);
	}
}

static void reader_connection(struct reader *reader, short revents)
{
	int r = vpcd_process(&reader->vpcd, revents);

	if (r == 0) {
		if (!reader->vpcd.connecting)
			reader->presence = PRESENCE_INSERTED;
		reader_frames(reader);
		return;
	}
	if (reader->presence == PRESENCE_CONNECTING) {
		vpcd_close(&reader->vpcd);
		reader->connect_next_us = clock_us() + CONNECT_AGAIN_US;
	} else {
		reader_lost(reader);
	}
}

int reader_poll_fd(const struct reader *reader, short *ret_events)
{
	*ret_events = vpcd_events(&reader->vpcd);
	return reader->vpcd.fd;
}

static bool reader_is_listening(const struct reader *reader)
{
	return reader->presence == PRESENCE_INSERTED && !reader->commanded &&
	       !reader->answering && !reader->silent;
}

uint64_t reader_due_us(const struct reader *reader)
{
	uint64_t due = UINT64_MAX;

	if (reader->answering)
		due = reader->answer_due_us;
	if (reader->presence == PRESENCE_CONNECTING && reader->vpcd.fd < 0 &&
	    reader->connect_next_us < due)
		due = reader->connect_next_us;
	if (reader_is_listening(reader) && reader->heard_us + UNHEARD_US < due)
		due = reader->heard_us + UNHEARD_US;
	return due;
}

void reader_process(struct reader *reader, short revents)
{
	if (reader->vpcd.fd >= 0 && revents)
		reader_connection(reader, revents);
	if (reader->answering && clock_us() >= reader->answer_due_us)
		reader_answer_now(reader);
	if (reader->presence == PRESENCE_CONNECTING && reader->vpcd.fd < 0 &&
	    clock_us() >= reader->connect_next_us)
		reader_try_connect(reader);
	if (reader_is_listening(reader) && clock_us() >= reader->heard_us + UNHEARD_US) {
		fprintf(stderr, "piv-card: the driver asks nothing: in again\n");
		reader_lost(reader);
	}
}
