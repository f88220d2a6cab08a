/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One card and its succession of helpers; see card.h.
 */
#include "hygied/card.h"

#include "hygied/card_certificates.h"
#include "hygied/card_order.h"
#include "hygied/card_own.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REVIVE_US 1000000 /* a helper that dies while it waits is replaced so often */
#define LINGER_MS 3000    /* for a helper to reset the card and end */

static void start_helper(struct card *card);

static void set_state(struct card *card, enum card_state state)
{
	card->state = state;
	card->environment->changed(card->environment->context, card);
}

static void stop_timer(struct card *card)
{
	card->timer = sd_event_source_disable_unref(card->timer);
}

int card_start_timer(struct card *card, uint64_t deadline,
		     sd_event_time_handler_t handler)
{
	stop_timer(card);
	return sd_event_add_time(card->environment->loop, &card->timer, CLOCK_MONOTONIC,
				 deadline, 1000, handler, card);
}

void card_fail(struct card *card, enum hygie_outcome problem, const char *detail)
{
	stop_timer(card);
	card->problem = problem;
	(void)snprintf(card->detail, sizeof(card->detail), "%s", detail);
	log_warning("%s: card unusable: %s", card_reader(card), detail);
	if (card->helper)
		helper_kill(card->helper);
	set_state(card, CARD_UNREADABLE);
}

static void finish_login(struct card *card, enum hygie_outcome outcome)
{
	card_login_callback callback = card->use.callback;
	void *context = card->use.context;

	if (!card->use.running)
		return;
	stop_timer(card);
	card->use = (struct card_use){ .running = false };
	card->state = CARD_LEAVING;
	callback(context, outcome);
}

static void become_ready(struct card *card)
{
	stop_timer(card);
	card->refusals = 0;
	token_report_clear(&card->token);
	card->token = card->incoming;
	card->incoming = (struct token_report){ .count = 0 };
	card->known = true;
	card_certificates_judge(&card->token, card->environment);
	set_state(card, CARD_READY);
}

/* A successor, also to a helper that was killed but is not reaped yet. */
static void restart(struct card *card)
{
	stop_timer(card);
	card->refusals = 0;
	helper_free(card->helper);
	card->helper = NULL;
	token_report_clear(&card->incoming);
	start_helper(card);
}

/*
 * After warming up the card is reset behind the helper's back: its next call, which is
 * the one that carries the PIN, then selects the application anew within its own
 * transaction, so that no program can have the PIN sent to another application.
 */
static void on_settled(struct card *card, bool done)
{
	if (card->state != CARD_READING)
		restart(card); /* too late: its helper was given up */
	else if (done)
		become_ready(card);
	else
		card_reset_refused(card);
}

static void settle(struct card *card)
{
	stop_timer(card);
	if (card_has_reader(card))
		card_reset_begin(card, on_settled);
	else
		become_ready(card);
}

static void on_cleaned(struct card *card, bool done)
{
	if (done)
		restart(card);
	else
		card_reset_refused(card);
}

/* No PIN state may outlive a helper, whatever its module did: reset, then a successor. */
static void clean(struct card *card)
{
	set_state(card, CARD_READING);
	if (card_has_reader(card))
		card_reset_begin(card, on_cleaned);
	else
		restart(card);
}

static int on_linger_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct card *card = userdata;

	(void)source;
	(void)usec;
	log_warning("%s: hygie-token did not end in time", card_reader(card));
	helper_kill(card->helper);
	return 0;
}

/*
 * The helper lets the card go, which resets it, and ends. It is not killed at once: of a
 * client that dies pcscd gives up the lock before it resets the card.
 */
static void linger(struct card *card)
{
	if (card_start_timer(card, deadline_after(LINGER_MS), on_linger_timeout) < 0)
		helper_kill(card->helper);
}

static void take_done(struct card *card, const struct wire_message *message)
{
	enum hygie_outcome outcome = HYGIE_CARD_BROKEN;
	struct token_done *done = &card->done;

	if ((card->use.signs ? token_done_read(message, done)
			     : token_done_read_unsigned(message, done)) == 0) {
		outcome = card->use.signs
				  ? card_certificates_verify(card_certificate(card),
							     &card->use.challenge, done)
				  : done->outcome;
		if (done->has_flags)
			card->token.flags = done->flags;
		if (done->text[0])
			log_info("%s: %s", card_reader(card), done->text);
	}
	if (outcome != HYGIE_OK)
		token_done_forget(done);
	finish_login(card, outcome);
	token_done_forget(done);
	linger(card);
}

static void take_failure(struct card *card, const struct wire_message *message)
{
	struct token_done done;

	/* Of a login that was cancelled too: the card is as good as it was. */
	if (card->state == CARD_BUSY || card->state == CARD_LEAVING)
		take_done(card, message);
	else if (token_done_read_unsigned(message, &done) == 0)
		card_fail(card, done.outcome, done.text);
	else
		card_fail(card, HYGIE_CARD_BROKEN, "the helper's report makes no sense");
}

static void on_report(void *context, const struct wire_message *message)
{
	struct card *card = context;
	int r = 0;

	switch (wire_message_type(message)) {
	case WIRE_REPORT_TOKEN:
		r = token_report_take_token(&card->incoming, message);
		break;
	case WIRE_REPORT_CERTIFICATE:
		r = token_report_take_certificate(&card->incoming, message);
		break;
	case WIRE_REPORT_READY:
		if (card->state == CARD_READING)
			settle(card);
		return;
	case WIRE_REPORT_DONE:
		take_done(card, message);
		return;
	default:
		take_failure(card, message);
		return;
	}
	if (r < 0 && card->state == CARD_READING)
		card_fail(card, HYGIE_CARD_BROKEN, "the helper's report makes no sense");
}

/* Killed for want of memory, say: the card is as good as before. Not in a tight loop. */
static bool may_revive(const struct card *card)
{
	return card->state == CARD_READY &&
	       (card->revived == 0 || monotonic_now() - card->revived > REVIVE_US);
}

static void on_ended(void *context, const char *why)
{
	struct card *card = context;
	bool served = card->state == CARD_BUSY || card->state == CARD_LEAVING;
	bool revive = may_revive(card);
	char text[HYGIE_TEXT_MAX];

	stop_timer(card);
	helper_free(card->helper);
	card->helper = NULL;
	token_report_clear(&card->incoming);
	if (card->use.running)
		log_warning("%s: hygie-token ended during a login (%s)",
			    card_reader(card), why);
	finish_login(card, HYGIE_CARD_BROKEN);
	if (revive) {
		log_warning("%s: hygie-token ended while it waited (%s)",
			    card_reader(card), why);
		card->revived = monotonic_now();
	}
	if (served || revive) {
		clean(card);
	} else if (card->state != CARD_UNREADABLE) {
		reset_free(card->reset);
		card->reset = NULL;
		(void)snprintf(text, sizeof(text), "its driver ended unasked (%s)", why);
		card_fail(card, HYGIE_CARD_BROKEN, text);
	}
}

static const struct helper_callbacks helper_callbacks = {
	.report = on_report,
	.ended = on_ended,
};

static int on_warm_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	card_fail(userdata, HYGIE_CARD_SILENT, "no answer while reading the card");
	return 0;
}

static void start_helper(struct card *card)
{
	const struct settings *settings = card->environment->settings;
	cleanup_message struct wire_message *order = NULL;
	char reason[HYGIE_TEXT_MAX] = "no memory";
	int r;

	card->state = CARD_READING;
	r = card_order_start(card->environment, card->profile, card->reader, &order,
			     reason, sizeof(reason));
	if (r < 0) {
		card_fail(card, HYGIE_BROKEN_SETUP, reason);
		return;
	}
	r = card_start_timer(card, deadline_after(settings->warm_deadline),
			     on_warm_timeout);
	if (r >= 0)
		r = helper_start(card->environment->loop, settings->helper, order,
				 &helper_callbacks, card, &card->helper);
	if (r < 0) {
		(void)snprintf(reason, sizeof(reason), "cannot start %s: %s",
			       settings->helper, error_text(-r));
		card_fail(card, HYGIE_BROKEN_SETUP, reason);
	}
}

static int new_card(const struct card_environment *environment, const char *reader,
		    const struct profile *profile, struct card **ret_card)
{
	struct card *card;

	if (strlen(reader) >= READER_NAME_MAX)
		return -ENAMETOOLONG;
	card = calloc(1, sizeof(*card));
	if (!card)
		return -ENOMEM;
	card->environment = environment;
	card->profile = profile;
	card->state = CARD_READING;
	memcpy(card->reader, reader, strlen(reader) + 1);
	*ret_card = card;
	return 0;
}

int card_new(const struct card_environment *environment, const char *reader,
	     const struct profile *profile, struct card **ret_card)
{
	int r;

	r = new_card(environment, reader, profile, ret_card);
	if (r >= 0)
		start_helper(*ret_card);
	return r;
}

int card_new_unreadable(const struct card_environment *environment, const char *reader,
			const char *problem, struct card **ret_card)
{
	int r;

	r = new_card(environment, reader, NULL, ret_card);
	if (r >= 0)
		card_fail(*ret_card, HYGIE_CARD_UNREADABLE, problem);
	return r;
}

void card_free(struct card *card)
{
	if (!card)
		return;
	finish_login(card, HYGIE_CARD_REMOVED);
	stop_timer(card);
	helper_free(card->helper);
	reset_free(card->reset);
	token_report_clear(&card->incoming);
	token_report_clear(&card->token);
	free(card);
}

bool card_reread_blocked(struct card *card)
{
	if (card->state != CARD_READY || !(card->token.flags & TOKEN_PIN_LOCKED))
		return false;
	helper_free(card->helper);
	card->helper = NULL;
	clean(card);
	return true;
}

void card_retry(struct card *card)
{
	/* With a reset under way another program holds the reader: wait for that one. */
	if (card->state != CARD_UNREADABLE || !card->profile ||
	    (card->reset && !reset_has_ended(card->reset)))
		return;
	reset_free(card->reset);
	card->reset = NULL;
	/* One that was killed may not be reaped yet. */
	helper_free(card->helper);
	card->helper = NULL;
	clean(card);
}

static int on_login_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct card *card = userdata;

	(void)source;
	(void)usec;
	log_warning("%s: no answer to the login in time", card_reader(card));
	helper_kill(card->helper);
	finish_login(card, HYGIE_CARD_SILENT);
	return 0;
}

/* The helper's one order that holds a PIN. */
static int use_pin(struct card *card, const struct wire_message *order, uint64_t deadline,
		   const struct card_use *use)
{
	int r;

	r = card_start_timer(card, deadline, on_login_timeout);
	if (r < 0)
		return r;
	r = helper_login(card->helper, order);
	/* One that has just died: its end is heard of in a moment, as in any login. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
		card_fail(card, HYGIE_CARD_BROKEN, "its driver takes no orders");
		return r;
	}
	card->use = *use;
	set_state(card, CARD_BUSY);
	return 0;
}

struct secret *card_take_secret(struct card *card, size_t index)
{
	struct secret *secret;

	if (index >= card->done.secret_count)
		return NULL;
	secret = card->done.secrets[index];
	card->done.secrets[index] = NULL;
	return secret;
}

size_t card_left_out(const struct card *card)
{
	return card->done.left_out;
}

int card_login(struct card *card, const struct secret *pin,
	       const struct challenge *challenge, uint64_t deadline,
	       card_login_callback callback, void *context)
{
	return card_login_with(card, pin, NULL, 0, true, challenge, deadline, callback,
			       context);
}

int card_login_with(struct card *card, const struct secret *pin,
		    const struct card_task *tasks, size_t count, bool insists,
		    const struct challenge *challenge, uint64_t deadline,
		    card_login_callback callback, void *context)
{
	const struct token_certificate *entry = card_certificate(card);
	struct card_use use = { .running = true,
				.callback = callback,
				.context = context,
				.signs = true,
				.challenge = *challenge };
	cleanup_message struct wire_message *order = NULL;
	int r;

	if (card->state != CARD_READY || !entry || count > TOKEN_SECRETS_MAX)
		return -EPROTO;
	r = card_order_login(pin, tasks, count,
			     insists ? 0 : card_order_begin_by(monotonic_now(), deadline),
			     entry, challenge, &order);
	return r < 0 ? r : use_pin(card, order, deadline, &use);
}

int card_change_pin(struct card *card, enum token_operation operation,
		    const struct secret *pin, const struct secret *new_pin,
		    uint64_t deadline, card_login_callback callback, void *context)
{
	struct card_use use = { .running = true,
				.callback = callback,
				.context = context };
	cleanup_message struct wire_message *order = NULL;
	int r;

	if (card->state != CARD_READY)
		return -EPROTO;
	r = card_order_pin(operation, card_unblock_way(card), pin, new_pin, &order);
	return r < 0 ? r : use_pin(card, order, deadline, &use);
}

void card_login_cancel(struct card *card)
{
	if (!card->use.running)
		return;
	card->use = (struct card_use){ .running = false };
	card->state = CARD_LEAVING;
	linger(card);
}
