/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialogue of authentication, enrolment and a PIN's change; see login.h. It moves on events only: a
 * card's change, the person's answer, the card's answer, or one timer.
 */
#include "hygied/login.h"

#include "hygied/candidate.h"
#include "hygied/login_queue.h"
#include "hygied/login_request.h"
#include "hygied/login_result.h"
#include "hygied/pin_dialogue.h"
#include "hygied/reset.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"
#include "libhygie/pin_guess.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS 1000  /* a PIN that waits for so long is told why */
#define PROMPTS_MAX 3 /* whose card, the PIN, the last try typed knowingly */

static void choose(struct login *login);
static void ask_pin(struct login *login);
static void prove(struct login *login);

static void finish(struct login *login, enum hygie_outcome outcome, const char *text)
{
	login->stage = LOGIN_FINISHED;
	login_forget_pins(login);
	login_queue_leave(login);
	login->timer = sd_event_source_disable_unref(login->timer);
	login_result_send(login, outcome, text);
}

static void set_timer(struct login *login, uint64_t deadline,
		      sd_event_time_handler_t handler)
{
	login->timer = sd_event_source_disable_unref(login->timer);
	if (sd_event_add_time(login->hygied->loop, &login->timer, CLOCK_MONOTONIC,
			      deadline, 1000, handler, login) < 0)
		finish(login, HYGIE_FAULT, NULL);
}

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
		choose(login);
	else
		finish(login, login->reading ? HYGIE_CARD_SILENT : missing(login), NULL);
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
	const char *arguments[] = { login->user };

	login->prompts++;
	login->stage = LOGIN_ASKING_CARD;
	peer_ask(login->peer, PROMPT_OR_PASSWORD, TEXT_CARD_OR_PASSWORD, arguments, 1);
	set_timer(login, deadline_after(login->hygied->settings.pin_wait),
		  login_on_silence);
}

static void wait_for_card(struct login *login)
{
	uint64_t settled = login->hygied->settled;

	if (monotonic_now() < settled) {
		set_timer(login, settled, on_choice_timeout);
		return;
	}
	if (!login->reading && missing(login) == HYGIE_UNAVAILABLE) {
		finish(login, HYGIE_UNAVAILABLE, NULL);
		return;
	}
	if (may_ask_card(login)) {
		ask_card_or_password(login);
		return;
	}
	if (!login->reading)
		tell_insert(login);
	set_timer(login, choice_limit(login), on_choice_timeout);
}

/* Two people's cards are in and nobody said who: ask, where somebody can be asked. */
static void ask_whose(struct login *login, const struct candidates *candidates)
{
	char users[HYGIE_TEXT_MAX / 2] = "";
	const char *arguments[] = { users };
	size_t used = 0;

	if (login->pretyped || login->prompts++ >= PROMPTS_MAX) {
		finish(login, HYGIE_REFUSED,
		       N_("Cards of several users are in. Take the others out and try "
			  "again."));
		return;
	}
	for (size_t i = 0; i < candidates->count && used < sizeof(users); i++)
		used += (size_t)snprintf(users + used, sizeof(users) - used, "%s%s",
					 i ? ", " : "", candidates->user[i]);
	login->stage = LOGIN_ASKING_WHO;
	peer_ask(login->peer, PROMPT_ECHO, TEXT_WHOSE_CARD, arguments, 1);
	set_timer(login, deadline_after(login->hygied->settings.pin_wait),
		  login_on_silence);
}

int login_on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

static int on_probe_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_CARD_BUSY, NULL);
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
		ask_pin(login);
	else
		finish(login, HYGIE_CARD_BUSY, NULL);
}

/*
 * Before a person types a PIN: is the reader free? A program that holds it is told now.
 */
static void probe(struct login *login)
{
	if (!card_has_reader(login->card) || card_state(login->card) != CARD_READY) {
		ask_pin(login);
		return;
	}
	login->stage = LOGIN_PROBING;
	set_timer(login, deadline_after(login->hygied->settings.busy_deadline),
		  on_probe_timeout);
	if (login->stage == LOGIN_PROBING &&
	    reset_start(login->hygied->loop, card_reader(login->card), PROBE_READER,
			on_probed, login, &login->probe) < 0)
		finish(login, HYGIE_FAULT, NULL);
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
		return; /* its change calls choose() */
	login->card = card;
	if (entry)
		memcpy(login->key_id, certificate_key_id(entry->certificate),
		       sizeof(login->key_id));
	if (!login->enrolment && !login->any_card)
		(void)snprintf(login->user, sizeof(login->user), "%s", user);
	if (login->enrolment)
		login_result_describe_card(login);
	if (login->check)
		finish(login, HYGIE_OK, NULL);
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

static void choose(struct login *login)
{
	struct wanted wanted = { .user = login->user,
				 .reader = login->reader,
				 .enrolment = login->enrolment,
				 .any = login->any_card };
	struct candidates candidates;

	login->stage = LOGIN_CHOOSING;
	if (candidates_find(login->hygied, &wanted, &candidates) < 0) {
		finish(login, HYGIE_BROKEN_SETUP, NULL);
		return;
	}
	note_reading(login, candidates.reading);
	if (candidates.count > 1 && (login->enrolment || login->pin_operation))
		finish(login, HYGIE_REFUSED,
		       N_("Several cards are in. Name the reader with --reader, or take "
			  "the others out."));
	else if (candidates.count > 1 && several_users(&candidates))
		ask_whose(login, &candidates);
	else if (candidates.count > 0)
		take_card(login, candidates.card[0], candidates.user[0]);
	else if (candidates.reading || candidates.problem == HYGIE_OK)
		wait_for_card(login);
	else
		finish(login, candidates.problem, candidates.problem_text);
}

/* NOLINTNEXTLINE(misc-no-recursion): as ask_pin() */
static void prompt_pin(struct login *login)
{
	if (!pin_dialogue_ask(login)) {
		login->deadline = deadline_after(login->hygied->settings.pinpad_deadline);
		prove(login);
		return;
	}
	login->stage = LOGIN_ASKING_PIN;
	set_timer(login, deadline_after(login->hygied->settings.pin_wait),
		  login_on_silence);
}

/* NOLINTNEXTLINE(misc-no-recursion): prove() comes back once, told_last is set then */
static void ask_pin(struct login *login)
{
	enum hygie_outcome outcome = pin_dialogue_judge(login);

	if (outcome != HYGIE_OK || login->prompts++ >= PROMPTS_MAX) {
		finish(login, outcome != HYGIE_OK ? outcome : HYGIE_REFUSED, NULL);
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
	finish(userdata, HYGIE_CARD_SILENT, NULL);
	return 0;
}

static int on_long_wait(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct login *login = userdata;

	(void)source;
	(void)usec;
	if (!login->pretyped)
		peer_say(login->peer, WIRE_INFO, TEXT_WAITING_TURN, NULL, 0);
	set_timer(login, login->deadline, on_queue_timeout);
	return 0;
}

static void queue(struct login *login)
{
	uint64_t long_wait = deadline_after(TURN_MS);

	login->stage = LOGIN_QUEUED;
	login_queue_join(login);
	log_debug("%s: %s waits for its turn", card_reader(login->card), login->service);
	if (long_wait < login->deadline)
		set_timer(login, long_wait, on_long_wait);
	else
		set_timer(login, login->deadline, on_queue_timeout);
}

static void on_proven(void *context, enum hygie_outcome outcome)
{
	struct login *login = context;

	finish(login, outcome, NULL);
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
	return pin_dialogue_judge(login);
}

static int change_pin(struct login *login)
{
	login->sent = true;
	return card_change_pin(login->card, login->pin_operation, login->pin,
			       login->new_pin, login->deadline, on_proven, login);
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
		r = card_login(login->card, login->pin, &challenge, login->deadline,
			       on_proven, login);
	login_forget_pins(login);
	if (r < 0)
		finish(login, HYGIE_CARD_BROKEN, NULL);
}

/*
 * Goes to the card as soon as it is ready: another login, or a successor's start, first.
 */
/* NOLINTNEXTLINE(misc-no-recursion): as ask_pin() */
static void prove(struct login *login)
{
	enum hygie_outcome outcome;
	const char *text;

	switch (card_state(login->card)) {
	case CARD_READY:
		break;
	case CARD_UNREADABLE:
		finish(login, card_problem(login->card, &text), NULL);
		return;
	default:
		queue(login);
		return;
	}
	outcome = check_before_pin(login, &text);
	if (outcome != HYGIE_OK) {
		finish(login, outcome, text);
	} else if (login->pin_operation != TOKEN_PIN_UNBLOCK &&
		   (card_token_flags(login->card) & TOKEN_PIN_FINAL_TRY) &&
		   !login->told_last) {
		/*
		 * A try was lost meanwhile: the last one is typed knowingly or not at
		 * all.
		 */
		login_forget_pins(login);
		ask_pin(login);
	} else {
		send_pin(login);
	}
}

static void take_who(struct login *login, const struct secret *answer)
{
	size_t size = secret_size(answer);

	if (size == 0 || size >= sizeof(login->user) ||
	    !utf8_is_valid(secret_bytes_const(answer), size)) {
		finish(login, HYGIE_GAVE_UP, NULL);
		return;
	}
	memcpy(login->user, secret_bytes_const(answer), size);
	login->user[size] = '\0';
	choose(login);
}

/* Without a card nothing tells what its PIN can be: digits are taken for one. */
static void take_instead_of_card(struct login *login, const struct secret *answer)
{
	if (secret_size(answer) == 0)
		choose(login);
	else if (pin_guess_is_likely(answer))
		finish(login, HYGIE_NO_CARD,
		       N_("That looks like a PIN. Insert the card first, then type it."));
	else
		finish(login, HYGIE_PIN_MALFORMED, NULL);
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
		finish(login, outcome, NULL);
		break;
	}
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	struct login *login = self;

	if (login->stage == LOGIN_ASKING_WHO) {
		take_who(login, answer);
	} else if (login->stage == LOGIN_ASKING_CARD) {
		take_instead_of_card(login, answer);
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
	finish(login, HYGIE_CARD_REMOVED, NULL);
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

	if (login->stage == LOGIN_FINISHED)
		return;
	if (change == CARDS_LEAVING)
		on_card_leaving(login, card);
	else if (login->stage == LOGIN_CHOOSING)
		choose(login);
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
	login_forget_pins(login);
	free(login);
}

static const struct dialogue login_dialogue = {
	.answer = on_answer,
	.card_changed = on_card_changed,
	.free = login_free,
};

void login_serve(struct hygied *hygied, struct peer *peer,
		 const struct wire_message *request)
{
	const struct settings *settings = &hygied->settings;
	struct login *login = calloc(1, sizeof(*login));
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
		finish(login, HYGIE_BAD_REQUEST, NULL);
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
	if (outcome != HYGIE_OK) {
		finish(login, outcome, NULL);
		return;
	}
	cards_retry(hygied->cards);
	choose(login);
}
