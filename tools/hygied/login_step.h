/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a login's dialogue, for the files that make it up: login_choice.c finds
 * the card, login.c asks the PIN and has the card prove itself.
 *
 *	login_choose -> login_ask_pin -> (PIN sent) -> login_finish
 */
#pragma once

#include "hygied/login_result.h"

#define PROMPTS_MAX 3 /* whose card, the PIN, the last try typed knowingly */

/* Looks for the card, again after each change, until there is one or the time is over. */
void login_choose(struct login *login);

/* The answers to what login_choose() asked: whose card; nothing, or a password. */
void login_take_who(struct login *login, const struct secret *answer);
void login_take_instead_of_card(struct login *login, const struct secret *answer);

/* `login->card` is chosen and its reader free: asks for its PIN, if it may be asked. */
void login_ask_pin(struct login *login);

/* Ends the dialogue; `text` may be NULL. See login_result_send(). */
void login_finish(struct login *login, enum hygie_outcome outcome, const char *text);

/* The one timer: `deadline` is monotonic, in microseconds. */
void login_set_timer(struct login *login, uint64_t deadline,
		     sd_event_time_handler_t handler);

/* An sd_event time handler: nobody answered the prompt. */
int login_on_silence(sd_event_source *source, uint64_t usec, void *userdata);
