/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialogue of authentication, enrolment and a PIN's change; see login.h. It moves on
 * events only: a card's change, the person's answer, the card's answer, or one timer.
 */
#include "hygied/login.h"

#include "hygied/login_queue.h"
#include "hygied/login_reencrypt.h"
#include "hygied/login_request.h"
#include "hygied/login_result.h"
#include "hygied/login_secret.h"
#include "hygied/login_step.h"
#include "hygied/login_stores.h"
#include "hygied/pin_dialogue.h"
#include "hygied/reset.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS 1000 /* a PIN that waits for so long is told why */

static void prove(struct login *login);

void login_finish(struct login *login, enum hygie_outcome outcome, const char *text)
{
	login->stage = LOGIN_FINISHED;
	login_forget_pins(login);
	login_queue_leave(login);
	login->timer = sd_event_source_disable_unref(login->timer);
	login_result_send(login, outcome, text);
}

void login_set_timer(struct login *login, uint64_t deadline,
		     sd_event_time_handler_t handler)
{
	login->timer = sd_event_source_disable_unref(login->timer);
	if (sd_event_add_time(login->hygied->loop, &login->timer, CLOCK_MONOTONIC,
			      deadline, 1000, handler, login) < 0)
		login_finish(login, HYGIE_FAULT, NULL);
}

int login_on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	login_finish(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): as login_ask_pin() */
static void prompt_pin(struct login *login)
{
	if (!pin_dialogue_ask(login)) {
		login->deadline = deadline_after(login->hygied->settings.pinpad_deadline);
		prove(login);
		return;
	}
	login->stage = LOGIN_ASKING_PIN;
	login_set_timer(login, deadline_after(login->hygied->settings.pin_wait),
			login_on_silence);
}

/* Whether the card's PIN may be asked, and whether it may be sent. */
static enum hygie_outcome judge(struct login *login, const char **ret_text)
{
	enum hygie_outcome outcome = pin_dialogue_judge(login);

	*ret_text = NULL;
	return outcome == HYGIE_OK && login->reencrypt
		       ? login_reencrypt_plan(login, ret_text)
		       : outcome;
}

/* NOLINTNEXTLINE(misc-no-recursion): prove() comes back once, told_last is set then */
void login_ask_pin(struct login *login)
{
	const char *text;
	enum hygie_outcome outcome = judge(login, &text);

	if (outcome != HYGIE_OK || login->prompts++ >= PROMPTS_MAX) {
		login_finish(login, outcome != HYGIE_OK ? outcome : HYGIE_REFUSED, text);
		return;
	}
	pin_dialogue_introduce(login);
	login->pin_step = LOGIN_PIN_OLD;
	prompt_pin(login);
}

static int on_queue_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	login_finish(userdata, HYGIE_CARD_SILENT, NULL);
	return 0;
}

static int on_long_wait(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct login *login = userdata;

	(void)source;
	(void)usec;
	if (!login->pretyped)
		peer_say(login->peer, WIRE_INFO, TEXT_WAITING_TURN, NULL, 0);
	login_set_timer(login, login->deadline, on_queue_timeout);
	return 0;
}

static void queue(struct login *login)
{
	uint64_t long_wait = deadline_after(TURN_MS);

	login->stage = LOGIN_QUEUED;
	login_queue_join(login);
	log_debug("%s: %s waits for its turn", card_reader(login->card), login->service);
	if (long_wait < login->deadline)
		login_set_timer(login, long_wait, on_long_wait);
	else
		login_set_timer(login, login->deadline, on_queue_timeout);
}

static void on_proven(void *context, enum hygie_outcome outcome)
{
	struct login *login = context;

	if (outcome == HYGIE_OK && login->trial && login->card &&
	    store_trial_take(login->trial, login->card) < 0)
		outcome = HYGIE_FAULT;
	login->left_out =
		outcome == HYGIE_OK && login->card ? card_left_out(login->card) : 0;
	login_finish(login, outcome, NULL);
}

/* The card is still the one that was named in the prompt, and still stands. */
static enum hygie_outcome check_before_pin(struct login *login, const char **ret_text)
{
	const struct token_certificate *entry = card_certificate(login->card);
	struct trust_verdict verdict;

	*ret_text = NULL;
	if (login->any_card) /* it never left: on_card_leaving() */
		return pin_dialogue_judge(login);
	if (!entry || memcmp(certificate_key_id(entry->certificate), login->key_id,
			     sizeof(login->key_id)) != 0)
		return HYGIE_CARD_REMOVED;
	if (card_judge(login->card, &verdict) < 0)
		return HYGIE_FAULT;
	if (verdict.reason != TRUST_OK) {
		*ret_text = trust_reason_text(verdict.reason);
		return HYGIE_CARD_UNTRUSTED;
	}
	return judge(login, ret_text);
}

static int change_pin(struct login *login)
{
	login->sent = true;
	return card_change_pin(login->card, login->pin_operation, login->pin,
			       login->new_pin, login->deadline, on_proven, login);
}

/* What a login has the card decrypt: first for record stores, then the login secret. */
static size_t collect_tasks(const struct login *login,
			    struct card_task ret_tasks[TOKEN_SECRETS_MAX])
{
	const struct card_task *tasks = NULL, *secret;
	size_t count = 0;

	if (login->trial)
		tasks = store_trial_tasks(login->trial, &count);
	else if (login->plan)
		tasks = store_plan_tasks(login->plan, &count);
	else if (login->grantor)
		tasks = store_grantor_tasks(login->grantor, &count);
	for (size_t i = 0; i < count; i++)
		ret_tasks[i] = tasks[i];
	secret = login->secret_plan ? secret_plan_task(login->secret_plan) : NULL;
	if (secret)
		ret_tasks[count++] = *secret;
	return count;
}

/* Has the card sign; an enrolment has it try its keys for record stores before. */
static int prove_login(struct login *login, const struct challenge *challenge)
{
	struct card_task tasks[TOKEN_SECRETS_MAX];
	int r = 0;

	if (login->enrolment)
		r = store_trial_new(login->card, &login->trial);
	else if (login->store_open ||
		 (!login->reencrypt &&
		  settings_opens_stores(&login->hygied->settings, login->service)))
		r = store_plan_new(login->card, login->user,
				   login->store[0] ? login->store : NULL, &login->plan);
	if (r == 0)
		r = login_secret_plan(login);
	return r < 0 ? r
		     : card_login_with(login->card, login->pin, tasks,
				       collect_tasks(login, tasks),
				       login->enrolment || login->store_open ||
					       login->secret_show || login->reencrypt,
				       challenge, login->deadline, on_proven, login);
}

static void send_pin(struct login *login)
{
	struct challenge challenge;
	int r = 0;

	if (!login->pin_operation)
		r = challenge_new(login->enrolment ? "hygie-enrol-v1" : "hygie-auth-v1",
				  login->user, login->service, &challenge);
	login->stage = LOGIN_PROVING;
	login->timer = sd_event_source_disable_unref(login->timer);
	if (r >= 0 && login->pin_operation)
		r = change_pin(login);
	else if (r >= 0)
		r = prove_login(login, &challenge);
	login_forget_pins(login);
	if (r == -ENOENT)
		login_finish(login, HYGIE_REFUSED,
			     N_("This card does not open that store. \"hygie store "
				"check\" tells an administrator whose does."));
	else if (r == -EACCES)
		login_finish(login, HYGIE_REFUSED,
			     N_("This card does not open your login secret: it was "
				"enrolled later, or is for none. Log in once with a "
				"card that does, and this one will; \"hygie secret "
				"list\" shows which do."));
	else if (r < 0)
		login_finish(login, HYGIE_CARD_BROKEN, NULL);
}

/*
 * Goes to the card as soon as it is ready: another login, or a successor's start, first.
 */
/* NOLINTNEXTLINE(misc-no-recursion): as login_ask_pin() */
static void prove(struct login *login)
{
	enum hygie_outcome outcome;
	const char *text;

	switch (card_state(login->card)) {
	case CARD_READY:
		break;
	case CARD_UNREADABLE:
		login_finish(login, card_problem(login->card, &text), NULL);
		return;
	default:
		queue(login);
		return;
	}
	outcome = check_before_pin(login, &text);
	if (outcome != HYGIE_OK) {
		login_finish(login, outcome, text);
	} else if (login->pin_operation != TOKEN_PIN_UNBLOCK &&
		   (card_token_flags(login->card) & TOKEN_PIN_FINAL_TRY) &&
		   !login->told_last) {
		/*
		 * A try was lost meanwhile: the last one is typed knowingly or not at
		 * all.
		 */
		login_forget_pins(login);
		login_ask_pin(login);
	} else {
		send_pin(login);
	}
}

static void take_pin(struct login *login, struct secret *answer)
{
	enum hygie_outcome outcome;

	switch (pin_dialogue_take(login, answer, &outcome)) {
	case PIN_ASK_ON:
		prompt_pin(login);
		break;
	case PIN_COMPLETE:
		login->deadline = deadline_after(login->hygied->settings.deadline);
		prove(login);
		break;
	default:
		login_finish(login, outcome, NULL);
		break;
	}
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	struct login *login = self;

	if (login->stage == LOGIN_ASKING_WHO) {
		login_take_who(login, answer);
	} else if (login->stage == LOGIN_ASKING_CARD) {
		login_take_instead_of_card(login, answer);
	} else if (login->stage == LOGIN_ASKING_PIN) {
		owned = NULL;
		take_pin(login, answer);
	}
}

static void on_card_leaving(struct login *login, const struct card *card)
{
	if (login->card != card)
		return;
	if (login->stage == LOGIN_PROVING)
		card_login_cancel(login->card);
	login->card = NULL;
	login_finish(login, HYGIE_CARD_REMOVED, NULL);
}

/* The first takes the card; one that is refused before that makes room for the next. */
static void serve_queue(const struct hygied *hygied, const struct card *card)
{
	struct login *next;

	while ((card_state(card) == CARD_READY || card_state(card) == CARD_UNREADABLE) &&
	       (next = login_queue_next(hygied, card))) {
		login_queue_leave(next);
		prove(next);
	}
}

static void on_card_changed(void *self, enum cards_change change, struct card *card)
{
	struct login *login = self;

	if (login->stage == LOGIN_FINISHED || login->stage == LOGIN_OPENING) {
		if (change == CARDS_LEAVING && login->card == card)
			login->card = NULL;
		return;
	}
	if (change == CARDS_LEAVING)
		on_card_leaving(login, card);
	else if (login->stage == LOGIN_CHOOSING)
		login_choose(login);
	else if (login->stage == LOGIN_QUEUED && login->card == card)
		serve_queue(login->hygied, card);
}

static void login_free(void *self)
{
	struct login *login = self;

	if (login->stage != LOGIN_FINISHED)
		login_result_abandon(login);
	login_queue_leave(login);
	if (login->stage == LOGIN_PROVING && login->card)
		card_login_cancel(login->card);
	(void)sd_event_source_disable_unref(login->timer);
	reset_free(login->probe);
	store_trial_free(login->trial);
	store_plan_free(login->plan);
	store_grantor_free(login->grantor);
	login_secret_forget(login);
	login_forget_pins(login);
	free(login);
}

static void on_sessions_changed(void *self)
{
	struct login *login = self;

	if (login->stage == LOGIN_OPENING)
		login_stores_look(login);
}

static enum hygie_outcome unfit(const void *self)
{
	return pin_dialogue_unfit(self);
}

static const struct dialogue login_dialogue = {
	.answer = on_answer,
	.unfit = unfit,
	.card_changed = on_card_changed,
	.sessions_changed = on_sessions_changed,
	.free = login_free,
};

void login_serve(struct hygied *hygied, struct peer *peer,
		 const struct wire_message *request)
{
	const struct settings *settings = &hygied->settings;
	struct login *login = calloc(1, sizeof(*login));
	const char *text = NULL;
	enum hygie_outcome outcome;

	if (!login) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	login->hygied = hygied;
	login->peer = peer;
	login->started = monotonic_now();
	peer_set_dialogue(peer, &login_dialogue, login);
	if (login_request_read(login, request) < 0) {
		login_finish(login, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	/* One text for all prompts is no old and new PIN: it comes to nothing by itself. */
	login->pretyped =
		!login->pin_operation && settings_is_pretyped(settings, login->service);
	login->or_password = !login->enrolment && !login->pin_operation &&
			     settings_takes_password(settings, login->service);
	login->card_deadline =
		deadline_after(login->pretyped || login->check ? 0 : settings->card_wait);
	outcome = login_request_admit(login);
	if (outcome == HYGIE_OK && login->store_open)
		outcome = login_stores_admit(login, &text);
	if (outcome == HYGIE_OK && login->secret_show)
		outcome = login_secret_admit(login, &text);
	if (outcome != HYGIE_OK) {
		login_finish(login, outcome, text);
		return;
	}
	cards_retry(hygied->cards);
	login_choose(login);
}
