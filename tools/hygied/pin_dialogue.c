/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prompts for PINs and their answers; see pin_dialogue.h.
 */
#include "hygied/pin_dialogue.h"

#include "hygied/login_prompt.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum hygie_outcome pin_dialogue_judge(const struct login *login)
{
	uint32_t flags = card_token_flags(login->card);

	/* A PUK is for a card whose PIN is blocked, or not there. */
	if (login->pin_operation == TOKEN_PIN_UNBLOCK)
		return card_unblock_way(login->card) ? HYGIE_OK : HYGIE_PIN_FIXED;
	if (flags & TOKEN_PIN_LOCKED)
		return HYGIE_PIN_BLOCKED;
	/* A token that asks no PIN is one factor, whatever its certificate says. */
	if (flags & (TOKEN_PIN_NOT_INITIALIZED | TOKEN_LOGIN_NOT_REQUIRED))
		return HYGIE_PIN_NOT_SET;
	if ((flags & TOKEN_PIN_FINAL_TRY) && login->pretyped)
		return HYGIE_PIN_LAST_TRY;
	return HYGIE_OK;
}

static const char *holder(const struct login *login)
{
	const struct token_certificate *entry = card_certificate(login->card);

	if (entry && entry->has_identity)
		return entry->identity.display_name;
	if (login->user[0])
		return login->user;
	return entry ? certificate_subject(entry->certificate) : card_reader(login->card);
}

void pin_dialogue_introduce(const struct login *login)
{
	static const enum hygie_text texts[] = {
		[PROFILE_PIN_DIGITS] = TEXT_PIN_NEW_DIGITS,
		[PROFILE_PIN_ALPHANUMERIC] = TEXT_PIN_NEW_LETTERS,
		[PROFILE_PIN_ANY] = TEXT_PIN_NEW_ANY,
	};
	struct pin_form form = card_pin_form(login->card);
	const char *card[] = { holder(login), card_reader(login->card) };
	char count[32];
	const char *lengths[] = { count };
	const char *store[] = { login->store };

	if (login->reencrypt)
		peer_say(login->peer, WIRE_INFO, TEXT_STORE_CARD_OPENS, store, 1);
	if (!login->pin_operation)
		return;
	peer_say(login->peer, WIRE_INFO, TEXT_PIN_CARD, card, 2);
	(void)snprintf(count, sizeof(count), form.min == form.max ? "%u" : "%u-%u",
		       form.min, form.max);
	peer_say(login->peer, WIRE_INFO, texts[form.charset], lengths, 1);
}

static enum hygie_text prompt_of(const struct login *login, bool last)
{
	if (login->pin_step == LOGIN_PIN_NEW)
		return TEXT_PIN_NEW;
	if (login->pin_step == LOGIN_PIN_AGAIN)
		return TEXT_PIN_NEW_AGAIN;
	switch (login->pin_operation) {
	case TOKEN_PIN_UNBLOCK:
		return TEXT_PUK_PROMPT;
	case TOKEN_PIN_CHANGE:
		return last ? TEXT_PIN_CURRENT_LAST : TEXT_PIN_CURRENT;
	default:
		if (last)
			return TEXT_PIN_PROMPT_LAST;
		return login->or_password ? TEXT_PIN_OR_PASSWORD : TEXT_PIN_PROMPT;
	}
}

static enum hygie_text pad_text_of(const struct login *login)
{
	switch (login->pin_operation) {
	case TOKEN_PIN_UNBLOCK:
		return TEXT_PIN_PAD_UNBLOCK;
	case TOKEN_PIN_CHANGE:
		return TEXT_PIN_PAD_CHANGE;
	default:
		return TEXT_PIN_PAD;
	}
}

/* Whether it is the PIN that is asked for now, whose tries count. */
static bool spends_pin_try(const struct login *login)
{
	return login->pin_operation != TOKEN_PIN_UNBLOCK &&
	       login->pin_step == LOGIN_PIN_OLD;
}

bool pin_dialogue_ask(struct login *login)
{
	uint32_t flags = spends_pin_try(login) ? card_token_flags(login->card) : 0;
	bool last = (flags & TOKEN_PIN_FINAL_TRY) != 0;
	const char *arguments[] = { holder(login) };
	enum hygie_text prompt = prompt_of(login, last);

	if (spends_pin_try(login))
		login->told_last = last;
	if (last || (flags & TOKEN_PIN_COUNT_LOW))
		peer_say(login->peer, WIRE_WARNING, last ? TEXT_PIN_LAST : TEXT_PIN_LOW,
			 NULL, 0);
	if (card_token_flags(login->card) & TOKEN_PIN_PAD) {
		peer_say(login->peer, WIRE_INFO, pad_text_of(login), arguments, 1);
		return false;
	}
	login_ask(login, login->or_password ? PROMPT_OR_PASSWORD : 0, prompt,
		  login_prompt_said(login, prompt, (flags & TOKEN_PIN_COUNT_LOW) != 0),
		  holder(login));
	return true;
}

static bool same(const struct secret *one, const struct secret *other)
{
	return secret_size(one) == secret_size(other) &&
	       CRYPTO_memcmp(secret_bytes_const(one), secret_bytes_const(other),
			     secret_size(one)) == 0;
}

/* Asks for the new PIN once more, and only once. */
static enum pin_progress miss(struct login *login, enum hygie_text text,
			      enum hygie_outcome outcome, enum hygie_outcome *ret_outcome)
{
	secret_free(login->new_pin);
	login->new_pin = NULL;
	*ret_outcome = outcome;
	if (login->pin_missed)
		return PIN_REFUSED;
	login->pin_missed = true;
	login->pin_step = LOGIN_PIN_NEW;
	peer_say(login->peer, WIRE_WARNING, text, NULL, 0);
	return PIN_ASK_ON;
}

enum hygie_outcome pin_dialogue_unfit(const struct login *login)
{
	if (login->pin_step != LOGIN_PIN_OLD)
		return HYGIE_PIN_NEW_UNFIT;
	return login->pin_operation == TOKEN_PIN_UNBLOCK ? HYGIE_PUK_MALFORMED
							 : HYGIE_PIN_MALFORMED;
}

static enum pin_progress take_old(struct login *login, struct secret *answer,
				  enum hygie_outcome *ret_outcome)
{
	bool puk = login->pin_operation == TOKEN_PIN_UNBLOCK;
	bool fits = puk ? card_puk_fits(login->card, answer)
			: card_pin_fits(login->card, answer);

	if (!fits) {
		*ret_outcome = pin_dialogue_unfit(login);
		secret_free(answer);
		return PIN_REFUSED;
	}
	login->pin = answer;
	if (!login->pin_operation)
		return PIN_COMPLETE;
	login->pin_step = LOGIN_PIN_NEW;
	return PIN_ASK_ON;
}

static enum pin_progress take_new(struct login *login, struct secret *answer,
				  enum hygie_outcome *ret_outcome)
{
	bool again = login->pin_operation == TOKEN_PIN_CHANGE && same(login->pin, answer);

	login->new_pin = answer;
	if (again || !card_pin_fits(login->card, answer))
		return miss(login, TEXT_PIN_NEW_UNFIT, HYGIE_PIN_NEW_UNFIT, ret_outcome);
	login->pin_step = LOGIN_PIN_AGAIN;
	return PIN_ASK_ON;
}

enum pin_progress pin_dialogue_take(struct login *login, struct secret *answer,
				    enum hygie_outcome *ret_outcome)
{
	cleanup_secret struct secret *owned = NULL;

	if (secret_size(answer) == 0) {
		secret_free(answer);
		*ret_outcome = HYGIE_GAVE_UP;
		return PIN_REFUSED;
	}
	if (login->pin_step == LOGIN_PIN_OLD)
		return take_old(login, answer, ret_outcome);
	if (login->pin_step == LOGIN_PIN_NEW)
		return take_new(login, answer, ret_outcome);
	owned = answer;
	if (!same(login->new_pin, answer))
		return miss(login, TEXT_PINS_DIFFER, HYGIE_PINS_DIFFER, ret_outcome);
	return PIN_COMPLETE;
}
