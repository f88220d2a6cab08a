/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first half of the dialogue, until there is one card whose PIN may be asked for:
 * whose it is, waiting for it, whether its reader is free. See login_step.h.
 */
#include "hygied/candidate.h"
#include "hygied/login_prompt.h"
#include "hygied/login_step.h"
#include "hygied/reset.h"
#include "libhygie/deadline.h"
#include "libhygie/pin_guess.h"

#include <stdio.h>
#include <string.h>

/*
 * The time for reading begins with the card, however late it is put in; whoever takes it
 * out and puts it in for ever still finds an end.
 */
static void note_reading(struct login *login, bool reading)
{
	uint64_t deadline = deadline_after(login->hygied->settings.deadline);
	uint64_t last = login->card_deadline + login->hygied->settings.deadline * 1000ull;

	if (reading && !login->reading)
		login->reading_deadline = deadline < last ? deadline : last;
	login->reading = reading;
}

/* What nobody's card in time means, by what is missing. */
static enum hygie_outcome missing(const struct login *login)
{
	const struct cards *cards = login->hygied->cards;

	if (cards_have_tokens(cards) || cards_reader_count(cards) > 0)
		return HYGIE_NO_CARD;
	return cards_service_is_up(cards) ? HYGIE_NO_READER : HYGIE_UNAVAILABLE;
}

/* Until when a card is waited for; never before the readers were heard of. */
static uint64_t choice_limit(const struct login *login)
{
	uint64_t limit = login->reading ? login->reading_deadline : login->card_deadline;

	return limit > login->hygied->settled ? limit : login->hygied->settled;
}

/* Nobody waits for a card that can be asked for: Enter goes on when it is in. */
static bool may_ask_card(const struct login *login)
{
	return login->or_password && !login->pretyped && !login->reading &&
	       login->user[0] != '\0' && login->prompts + 1 < PROMPTS_MAX;
}

static int on_choice_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct login *login = userdata;

	(void)source;
	if (usec < choice_limit(login) || may_ask_card(login))
		login_choose(login);
	else
		login_finish(login, login->reading ? HYGIE_CARD_SILENT : missing(login),
			     NULL);
	return 0;
}

static void tell_insert(struct login *login)
{
	const char *arguments[] = { login->user };
	bool named = login->user[0] != '\0';

	if (login->told_insert || login->pretyped)
		return;
	login->told_insert = true;
	if (login->check)
		return;
	peer_say(login->peer, WIRE_INFO, named ? TEXT_INSERT_CARD_OF : TEXT_INSERT_CARD,
		 arguments, named ? 1 : 0);
}

/* Asks for the card in words that a password answers as well; Enter when it is in. */
static void ask_card_or_password(struct login *login)
{
	login->prompts++;
	login->stage = LOGIN_ASKING_CARD;
	login_ask(login, PROMPT_OR_PASSWORD, TEXT_CARD_OR_PASSWORD, TEXT_CARD_OR_PASSWORD,
		  login->user);
	login_set_timer(login, deadline_after(login->hygied->settings.pin_wait),
			login_on_silence);
}

static void wait_for_card(struct login *login)
{
	uint64_t settled = login->hygied->settled;

	if (monotonic_now() < settled) {
		login_set_timer(login, settled, on_choice_timeout);
		return;
	}
	if (!login->reading && missing(login) == HYGIE_UNAVAILABLE) {
		login_finish(login, HYGIE_UNAVAILABLE, NULL);
		return;
	}
	if (may_ask_card(login)) {
		ask_card_or_password(login);
		return;
	}
	if (!login->reading)
		tell_insert(login);
	login_set_timer(login, choice_limit(login), on_choice_timeout);
}

/* Two people's cards are in and nobody said who: ask, where somebody can be asked. */
static void ask_whose(struct login *login, const struct candidates *candidates)
{
	char users[HYGIE_TEXT_MAX / 2] = "";
	size_t used = 0;

	if (login->pretyped || login->prompts++ >= PROMPTS_MAX) {
		login_finish(
			login, HYGIE_REFUSED,
			N_("Cards of several users are in. Take the others out and try "
			   "again."));
		return;
	}
	for (size_t i = 0; i < candidates->count && used < sizeof(users); i++)
		used += (size_t)snprintf(users + used, sizeof(users) - used, "%s%s",
					 i ? ", " : "", candidates->user[i]);
	login->stage = LOGIN_ASKING_WHO;
	login_ask(login, PROMPT_ECHO, TEXT_WHOSE_CARD, TEXT_WHOSE_CARD, users);
	login_set_timer(login, deadline_after(login->hygied->settings.pin_wait),
			login_on_silence);
}

static int on_probe_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	login_finish(userdata, HYGIE_CARD_BUSY, NULL);
	return 0;
}

static void on_probed(void *context, bool done)
{
	struct login *login = context;

	/* A refusal (held exclusively) is as good as no answer. */
	reset_free(login->probe);
	login->probe = NULL;
	if (login->stage != LOGIN_PROBING)
		return;
	if (done)
		login_ask_pin(login);
	else
		login_finish(login, HYGIE_CARD_BUSY, NULL);
}

/*
 * Before a person types a PIN: is the reader free? A program that holds it is told now.
 */
static void probe(struct login *login)
{
	if (!card_has_reader(login->card) || card_state(login->card) != CARD_READY) {
		login_ask_pin(login);
		return;
	}
	login->stage = LOGIN_PROBING;
	login_set_timer(login, deadline_after(login->hygied->settings.busy_deadline),
			on_probe_timeout);
	if (login->stage == LOGIN_PROBING &&
	    reset_start(login->hygied->loop, card_reader(login->card), PROBE_READER,
			on_probed, login, &login->probe) < 0)
		login_finish(login, HYGIE_FAULT, NULL);
}

/* Another program may have unblocked the card since it was read: look before refusing. */
static bool reread(struct login *login, struct card *card)
{
	if (login->reread || login->pin_operation == TOKEN_PIN_UNBLOCK)
		return false;
	login->reread = true;
	return card_reread_blocked(card);
}

static void take_card(struct login *login, struct card *card, const char *user)
{
	const struct token_certificate *entry = card_certificate(card);

	if (reread(login, card))
		return; /* its change calls login_choose() */
	login->card = card;
	if (entry)
		memcpy(login->key_id, certificate_key_id(entry->certificate),
		       sizeof(login->key_id));
	if (!login->enrolment && !login->any_card)
		(void)snprintf(login->user, sizeof(login->user), "%s", user);
	if (login->enrolment)
		login_result_describe_card(login);
	if (login->check)
		login_finish(login, HYGIE_OK, NULL);
	else
		probe(login);
}

static bool several_users(const struct candidates *candidates)
{
	for (size_t i = 1; i < candidates->count; i++)
		if (strcmp(candidates->user[i], candidates->user[0]) != 0)
			return true;
	return false;
}

void login_choose(struct login *login)
{
	struct wanted wanted = { .user = login->user,
				 .reader = login->reader,
				 .enrolment = login->enrolment,
				 .any = login->any_card };
	struct candidates candidates;

	login->stage = LOGIN_CHOOSING;
	if (candidates_find(login->hygied, &wanted, &candidates) < 0) {
		login_finish(login, HYGIE_BROKEN_SETUP, NULL);
		return;
	}
	note_reading(login, candidates.reading);
	if (candidates.count > 1 && (login->enrolment || login->pin_operation))
		login_finish(
			login, HYGIE_REFUSED,
			N_("Several cards are in. Name the reader with --reader, or take "
			   "the others out."));
	else if (candidates.count > 1 && several_users(&candidates))
		ask_whose(login, &candidates);
	else if (candidates.count > 0)
		take_card(login, candidates.card[0], candidates.user[0]);
	else if (candidates.reading || candidates.problem == HYGIE_OK)
		wait_for_card(login);
	else
		login_finish(login, candidates.problem,
			     candidates.problem_text[0] ? candidates.problem_text : NULL);
}

void login_take_who(struct login *login, const struct secret *answer)
{
	size_t size = secret_size(answer);

	if (size == 0 || size >= sizeof(login->user) ||
	    !utf8_is_valid(secret_bytes_const(answer), size)) {
		login_finish(login, HYGIE_GAVE_UP, NULL);
		return;
	}
	memcpy(login->user, secret_bytes_const(answer), size);
	login->user[size] = '\0';
	login_choose(login);
}

/* Without a card nothing tells what its PIN can be: digits are taken for one. */
void login_take_instead_of_card(struct login *login, const struct secret *answer)
{
	if (secret_size(answer) == 0)
		login_choose(login);
	else if (pin_guess_is_likely(answer))
		login_finish(
			login, HYGIE_NO_CARD,
			N_("That looks like a PIN. Insert the card first, then type it."));
	else
		login_finish(login, HYGIE_PIN_MALFORMED, NULL);
}
