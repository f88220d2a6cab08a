/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person is asked once the card is chosen: the PIN for a login; the PIN or the PUK
 * and a new PIN, twice, for a change. Here the answers are judged, and kept until the
 * card is ready for them; nothing is sent to a card.
 */
#pragma once

#include "hygied/login_result.h"

/* What the token says of its PIN: HYGIE_OK to go on. */
enum hygie_outcome pin_dialogue_judge(const struct login *login) must_check;

/*
 * Says once whose card it is and what a new PIN looks like; of a reencryption what the PIN
 * is for; for a login nothing.
 */
void pin_dialogue_introduce(const struct login *login);

/*
 * Warns of few tries and asks for `login->pin_step`. At a pin-pad it says what to type
 * there, and returns false: nothing is asked here.
 */
bool pin_dialogue_ask(struct login *login) must_check;

/* What an answer comes to that cannot be what is asked for. */
enum hygie_outcome pin_dialogue_unfit(const struct login *login);

/* What an answer came to. */
enum pin_progress {
	PIN_REFUSED = 0, /* for the outcome in ret_outcome */
	PIN_ASK_ON,
	PIN_COMPLETE,
};

/* Takes the answer over. */
enum pin_progress pin_dialogue_take(struct login *login, struct secret *answer,
				    enum hygie_outcome *ret_outcome) must_check;
