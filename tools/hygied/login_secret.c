/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is given a login secret; see login_secret.h.
 */
#include "hygied/login_secret.h"

#include "hygied/secret_cards.h"
#include "hygied/secret_file.h"
#include "libhygie/log.h"

#include <errno.h>

enum hygie_outcome login_secret_admit(const struct login *login, const char **ret_text)
{
	cleanup_secret_file struct secret_file *file = NULL;
	int r = secret_file_load(SECRET_HOME, login->user, SECRET_ON, &file, NULL);

	if (r == 0)
		return HYGIE_OK;
	if (r != -ENOENT) {
		*ret_text =
			N_("Your login secret cannot be used. \"hygie secret list\" says "
			   "what is wrong with it; an administrator can repair that.");
		return HYGIE_BROKEN_SETUP;
	}
	*ret_text = N_("There is no login secret of yours. An administrator makes one: "
		       "hygie secret enable USER");
	return HYGIE_NOT_FOUND;
}

/*
 * Only root's programs hand PAM_AUTHTOK to modules that they do not fear; and what runs as
 * the person shall not get it from a login that he takes for another.
 */
static bool is_given(const struct login *login)
{
	if (login->secret_show)
		return true;
	return !login->enrolment && !login->pin_operation && !login->store_open &&
	       !login->reencrypt && peer_uid(login->peer) == 0 &&
	       settings_gives_secret(&login->hygied->settings, login->service);
}

int login_secret_plan(struct login *login)
{
	int r;

	if (!is_given(login))
		return 0;
	r = secret_plan_new(SECRET_HOME, login->hygied->registry, login->card,
			    login->user, &login->secret_plan);
	if (r == -ENOENT)
		return login->secret_show ? -EACCES : 0;
	if (r == 0 && login->secret_show && !secret_plan_task(login->secret_plan))
		return -EACCES;
	return r;
}

void login_secret_take(struct login *login, size_t index)
{
	const struct card_task *task = secret_plan_task(login->secret_plan);
	cleanup_secret struct secret *given =
		task ? card_take_secret(login->card, index) : NULL;

	/* It comes last: what had no time left was this one first. */
	if (given && secret_size(given) == 0 && login->left_out > 0)
		login->left_out--;
	login->secret =
		secret_plan_take(login->secret_plan, login->hygied->registry, given);
	if (!login->secret && !login->secret_show)
		peer_say(login->peer, WIRE_WARNING, TEXT_SECRET_SHUT, NULL, 0);
}

void login_secret_hint(const struct login *login,
		       const uint8_t store_key_id[HYGIE_KEY_ID_SIZE])
{
	cleanup_secret_cards struct secret_cards *cards = NULL;
	cleanup_secret_file struct secret_file *file = NULL;
	const char *arguments[] = { login->user };
	const struct secret_card *card;

	if (secret_file_load(SECRET_HOME, login->user, SECRET_ON, &file, NULL) < 0 ||
	    secret_cards_read(login->hygied->registry, login->user, &cards) < 0)
		return;
	card = secret_cards_find(cards, store_key_id);
	if (card && !secret_card_is_in(card, file->envelope))
		peer_say(login->peer, WIRE_INFO, TEXT_SECRET_NEXT, arguments, 1);
}

void login_secret_add(struct login *login, struct wire_message *result)
{
	if (login->secret)
		wire_add_secret(result, TAG_LOGIN_SECRET, login->secret);
	login_secret_forget(login);
}

void login_secret_send(struct login *login)
{
	cleanup_message struct wire_message *result = NULL;
	enum hygie_outcome outcome = login->secret ? HYGIE_OK : HYGIE_REFUSED;

	if (outcome == HYGIE_OK && wire_message_new(WIRE_RESULT, &result) < 0)
		outcome = HYGIE_FAULT;
	log_audit("secret-show", outcome,
		  (const struct log_field[]){ { "HYGIE_USER", login->user } }, 1);
	if (outcome != HYGIE_OK) {
		peer_finish(
			login->peer, outcome,
			outcome == HYGIE_FAULT
				? NULL
				: N_("The login secret did not open. The journal "
				     "says why (journalctl -t hygied); \"hygie secret "
				     "list\" shows which cards it is for."));
		return;
	}
	wire_add_u32(result, TAG_OUTCOME, HYGIE_OK);
	login_secret_add(login, result);
	peer_finish_with(login->peer, result);
}

void login_secret_forget(struct login *login)
{
	secret_plan_free(login->secret_plan);
	secret_free(login->secret);
	login->secret_plan = NULL;
	login->secret = NULL;
}
