/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All readers and the cards in them, and the tokens that have no reader. Turns the reader
 * thread's events into cards that come and go, and tells one listener.
 */
#pragma once

#include "hygied/card.h"

struct cards;

enum cards_change {
	CARDS_CHANGED = 1, /* a card came, or its state is another now */
	CARDS_LEAVING,     /* `card` is about to be freed: forget it */
};

typedef void (*cards_listener)(void *context, enum cards_change change,
			       struct card *card);

/*
 * Starts watching. `environment` is the caller's, filled but for readers, changed and
 * context; profiles are borrowed. The caller owns the result.
 */
int cards_start(struct card_environment *environment, const struct profiles *profiles,
		cards_listener listener, void *context,
		struct cards **ret_cards) must_check;
void cards_free(struct cards *cards);

/* The cards that are in: NULL after the last. */
struct card *cards_at(const struct cards *cards, size_t index);

/* Attached readers (names), and whether pcscd answers. */
size_t cards_reader_count(const struct cards *cards);
const char *cards_reader_at(const struct cards *cards, size_t index);
bool cards_service_is_up(const struct cards *cards);

/* Whether any token is configured that needs no reader. */
bool cards_have_tokens(const struct cards *cards);

/* Tries again those that could not be read: somebody is waiting for a card. */
void cards_retry(struct cards *cards);
