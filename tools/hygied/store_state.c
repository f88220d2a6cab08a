/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a store open; see store_state.h.
 */
#include "hygied/store_state.h"

#include "libhygie/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* After references went: with the last one the store closes. */
static enum store_act settle(struct store_state *state)
{
	if (state->count > 0 || state->phase != STORE_OPEN)
		return STORE_NOTHING;
	state->phase = STORE_CLOSING;
	return STORE_CLOSE;
}

static void drop(struct store_state *state, size_t index)
{
	state->references[index] = state->references[--state->count];
}

static struct store_reference *find(struct store_state *state,
				    const struct store_reference *like)
{
	for (size_t i = 0; i < state->count; i++) {
		struct store_reference *one = &state->references[i];

		if (strcmp(one->session, like->session) == 0 &&
		    memcmp(one->card, like->card, sizeof(one->card)) == 0)
			return one;
	}
	return NULL;
}

/* When it goes; 0: it stays. */
static uint64_t due_of(const struct store_reference *one)
{
	if (one->due && one->out)
		return one->due < one->out ? one->due : one->out;
	return one->due ? one->due : one->out;
}

/* The one that goes first makes room: a ticket, or one whose card is out; else none. */
static struct store_reference *make_room(struct store_state *state)
{
	struct store_reference *first = NULL;

	if (state->count < STORE_REFERENCES_MAX)
		return &state->references[state->count++];
	for (size_t i = 0; i < state->count; i++) {
		struct store_reference *one = &state->references[i];

		if (due_of(one) && (!first || due_of(one) < due_of(first)))
			first = one;
	}
	return first;
}

enum store_act store_state_prove(struct store_state *state,
				 const struct store_reference *reference)
{
	struct store_reference *place = find(state, reference);

	if (!place)
		place = make_room(state);
	if (!place)
		return STORE_NOTHING;
	*place = *reference;
	if (state->phase == STORE_OPENING || state->phase == STORE_OPEN)
		return STORE_NOTHING;
	state->phase = STORE_OPENING;
	return STORE_MOUNT;
}

void store_state_adopt(struct store_state *state, const char *ticket, const char *session)
{
	for (size_t i = 0; i < state->count; i++) {
		struct store_reference *one = &state->references[i];

		if (strcmp(one->session, ticket) != 0)
			continue;
		(void)snprintf(one->session, sizeof(one->session), "%s", session);
		one->due = 0;
	}
}

enum store_act store_state_end(struct store_state *state, const char *session)
{
	for (size_t i = state->count; i-- > 0;)
		if (strcmp(state->references[i].session, session) == 0)
			drop(state, i);
	return settle(state);
}

void store_state_card_out(struct store_state *state,
			  const uint8_t card[HYGIE_KEY_ID_SIZE], uint64_t due)
{
	for (size_t i = 0; i < state->count; i++) {
		struct store_reference *one = &state->references[i];

		if (!one->out && memcmp(one->card, card, sizeof(one->card)) == 0)
			one->out = due;
	}
}

void store_state_card_in(struct store_state *state, const uint8_t card[HYGIE_KEY_ID_SIZE])
{
	for (size_t i = 0; i < state->count; i++) {
		struct store_reference *one = &state->references[i];

		if (memcmp(one->card, card, sizeof(one->card)) == 0)
			one->out = 0;
	}
}

enum store_act store_state_due(struct store_state *state, uint64_t now)
{
	for (size_t i = state->count; i-- > 0;) {
		uint64_t due = due_of(&state->references[i]);

		if (due && due <= now)
			drop(state, i);
	}
	return settle(state);
}

uint64_t store_state_next(const struct store_state *state)
{
	uint64_t next = 0;

	for (size_t i = 0; i < state->count; i++) {
		uint64_t due = due_of(&state->references[i]);

		if (due && (!next || due < next))
			next = due;
	}
	return next;
}

enum store_act store_state_close(struct store_state *state, bool all, uid_t uid)
{
	for (size_t i = state->count; i-- > 0;)
		if (all || state->references[i].uid == uid)
			drop(state, i);
	if (!all || state->phase == STORE_OPEN)
		return settle(state);
	return state->phase == STORE_SHUT ? STORE_NOTHING : STORE_CLOSE;
}

enum store_act store_state_idle(struct store_state *state, uint64_t age, uint64_t idle)
{
	if (state->phase != STORE_OPEN || age < idle)
		return STORE_NOTHING;
	return store_state_close(state, true, 0);
}

enum store_act store_state_said(struct store_state *state, enum keeper_event_kind said)
{
	switch (said) {
	case KEEPER_OPENED:
		if (state->phase == STORE_CLOSING)
			return STORE_NOTHING;
		state->phase = STORE_OPEN;
		return settle(state);
	case KEEPER_CLOSED:
		/* While it opens: of the closing before, which crossed our order. */
		if (state->phase == STORE_OPENING)
			return STORE_NOTHING;
		break;
	case KEEPER_GONE:
	case KEEPER_ABSENT:
		break;
	default:
		return STORE_NOTHING;
	}
	state->phase = STORE_SHUT;
	state->count = 0;
	return STORE_NOTHING;
}

enum store_act store_state_failed(struct store_state *state, bool lives)
{
	if (state->phase != STORE_OPENING)
		return STORE_NOTHING;
	state->phase = lives ? STORE_CLOSING : STORE_SHUT;
	state->count = 0;
	return STORE_NOTHING;
}

enum store_act store_state_told(struct store_state *state, enum store_phase phase,
				bool can_mount)
{
	bool wanted = state->phase == STORE_OPENING && can_mount && state->count > 0;

	state->phase = phase;
	if (phase == STORE_OPEN)
		return settle(state);
	if (wanted && (phase == STORE_SHUT || phase == STORE_CLOSING)) {
		state->phase = STORE_OPENING;
		return STORE_MOUNT;
	}
	if (phase == STORE_SHUT)
		state->count = 0;
	return STORE_NOTHING;
}

/* A line each: session, card, uid, due, out. */
size_t store_state_write(const struct store_state *state, char note[HYGIE_NOTE_MAX])
{
	char card[2 * HYGIE_KEY_ID_SIZE + 1];
	size_t used = 0;

	for (size_t i = 0; i < state->count; i++) {
		const struct store_reference *one = &state->references[i];
		int size;

		hex_write(one->card, sizeof(one->card), card);
		size = snprintf(note + used, HYGIE_NOTE_MAX - used,
				"%s %s %u %" PRIu64 " %" PRIu64 "\n", one->session, card,
				one->uid, one->due, one->out);
		if (size < 0 || (size_t)size >= HYGIE_NOTE_MAX - used)
			break;
		used += (size_t)size;
	}
	return used;
}

static int read_line(const char *line, struct store_reference *ret_reference)
{
	struct store_reference reference = { .due = 0 };
	char card[2 * HYGIE_KEY_ID_SIZE + 1];

	/* NOLINTNEXTLINE(cert-err34-c): hygied's own digits */
	if (sscanf(line, "%63s %64s %u %" SCNu64 " %" SCNu64, reference.session, card,
		   &reference.uid, &reference.due, &reference.out) != 5 ||
	    strlen(card) != sizeof(card) - 1 ||
	    !hex_parse(card, sizeof(reference.card), reference.card))
		return -EBADMSG;
	*ret_reference = reference;
	return 0;
}

int store_state_read(struct store_state *state, const void *note, size_t size)
{
	struct store_state read = { .phase = state->phase };
	char text[HYGIE_NOTE_MAX + 1];
	char *line = text, *end;

	if (size > HYGIE_NOTE_MAX)
		return -EBADMSG;
	if (size > 0)
		memcpy(text, note, size);
	text[size] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		if (read.count == STORE_REFERENCES_MAX ||
		    read_line(line, &read.references[read.count]) < 0)
			return -EBADMSG;
		read.count++;
		line = end + 1;
	}
	if (*line)
		return -EBADMSG;
	*state = read;
	return 0;
}
