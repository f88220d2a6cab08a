/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a card is made of: for card.c, which changes it, card_reset.c, which resets the card
 * itself, and card_facts.c, which tells of it. Nobody else includes this.
 */
#pragma once

#include "hygied/card.h"
#include "hygied/helper.h"
#include "hygied/reset.h"

/* The one use of the PIN that may run. */
struct card_use {
	bool running;
	card_login_callback callback;
	void *context;
	bool signs; /* a login; else a change of the PIN, which proves nothing */
	struct challenge challenge;
};

/*
 * A reset came to its end. Not `done`: pcscd has refused it as often as it was asked. It may
 * end late, when the card was given up meanwhile: look at the state.
 */
typedef void (*card_reset_end)(struct card *card, bool done);

struct card {
	const struct card_environment *environment;
	const struct profile *profile; /* NULL: unreadable for good */
	char reader[READER_NAME_MAX];  /* "" for a token by URI */
	enum card_state state;
	struct helper *helper;
	struct reset *reset;
	sd_event_source *timer;              /* of warming up, or of the login */
	struct token_report incoming, token; /* being told; as of the last READY */
	bool known;                          /* token holds something */
	uint64_t revived; /* monotonic: when a helper that died waiting was replaced */
	card_reset_end after_reset; /* of the reset that was begun last */
	unsigned refusals;          /* of a reset, since one was done */
	enum hygie_outcome problem;
	char detail[HYGIE_TEXT_MAX];
	struct card_use use;
	struct token_done done; /* of the login that ends, within its callback */
};

/* Begins a reset of the card in a reader. It takes the card's timer. */
void card_reset_begin(struct card *card, card_reset_end end);
/* Ends reading, since it was refused. */
void card_reset_refused(struct card *card);

/* The one timer that a card has at a time, at a monotonic time. 0 or a negative errno. */
int card_start_timer(struct card *card, uint64_t deadline,
		     sd_event_time_handler_t handler) must_check;
/* Ends reading: `problem` stands until the card is tried again. */
void card_fail(struct card *card, enum hygie_outcome problem, const char *detail);
