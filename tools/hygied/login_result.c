/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a login, an enrolment or a PIN's change ends; see login_result.h.
 */
#include "hygied/login_result.h"

#include "hygied/candidate.h"
#include "hygied/guard.h"
#include "hygied/login_prompt.h"
#include "hygied/login_reencrypt.h"
#include "hygied/login_secret.h"
#include "hygied/login_stores.h"
#include "hygied/policy.h"
#include "hygied/session.h"
#include "hygied/store_reencrypt.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"
#include "libhygie/pam_trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CARD_ID_SIZE 17
#define WARN_BEFORE_END ((time_t)30 * 24 * 3600)

static void name_card(const struct login *login, char ret_name[CARD_ID_SIZE])
{
	hex_write(login->key_id, CARD_ID_SIZE / 2, ret_name);
}

static const struct token_certificate *certificate_of(const struct login *login)
{
	return login->card ? card_certificate(login->card) : NULL;
}

void login_result_describe_card(const struct login *login)
{
	const struct token_certificate *entry = certificate_of(login);
	char identity[HYGIE_TEXT_MAX / 2];
	const char *arguments[4];

	if (!entry || !entry->has_identity)
		return;
	(void)snprintf(identity, sizeof(identity), "%s %s", entry->verdict.scheme->name,
		       entry->identity.person_id);
	arguments[0] = entry->identity.display_name;
	arguments[1] = identity;
	arguments[2] = certificate_issuer(entry->certificate);
	arguments[3] = login->user;
	peer_say(login->peer, WIRE_INFO, TEXT_ENROL_CARD, arguments, 4);
	if (entry->identity.is_test)
		peer_say(login->peer, WIRE_WARNING, TEXT_TEST_CARD, NULL, 0);
}

/* It must be enrolled now, not only when the PIN was asked. */
static enum hygie_outcome confirm_enrolment(const struct login *login)
{
	const struct token_certificate *entry = certificate_of(login);
	struct enrolment enrolment;
	int r;

	r = registry_find_card(login->hygied->registry, login->key_id, &enrolment);
	if (r == -ENOENT)
		return HYGIE_CARD_UNKNOWN;
	if (r < 0)
		return HYGIE_BROKEN_SETUP;
	if (enrolment.state != ENROLMENT_ACTIVE)
		return HYGIE_CARD_REVOKED;
	if (strcmp(enrolment.user, login->user) != 0)
		return HYGIE_CARD_OTHER_USER;
	return entry && enrolment_names(&enrolment, entry) ? HYGIE_OK
							   : HYGIE_CARD_UNKNOWN;
}

static int fill_enrolment(const struct login *login,
			  const struct token_certificate *entry,
			  struct enrolment *ret_enrolment)
{
	struct enrolment *enrolment = ret_enrolment;
	const uint8_t *der;
	size_t size;

	der = certificate_der(entry->certificate, &size);
	if (size > sizeof(enrolment->certificate))
		return -E2BIG;
	*enrolment = (struct enrolment){
		.not_before = certificate_not_before(entry->certificate),
		.not_after = certificate_not_after(entry->certificate),
		.certificate_size = size,
		.state = ENROLMENT_ACTIVE,
		.enrolled_at = time(NULL),
	};
	memcpy(enrolment->certificate, der, size);
	memcpy(enrolment->key_id, login->key_id, sizeof(enrolment->key_id));
	memcpy(enrolment->issuer_key_id, entry->verdict.issuer_key_id,
	       sizeof(enrolment->issuer_key_id));
	(void)snprintf(enrolment->user, sizeof(enrolment->user), "%s", login->user);
	(void)snprintf(enrolment->scheme, sizeof(enrolment->scheme), "%s",
		       entry->verdict.scheme->name);
	(void)snprintf(enrolment->person_id, sizeof(enrolment->person_id), "%s",
		       entry->identity.person_id);
	(void)snprintf(enrolment->holder, sizeof(enrolment->holder), "%s",
		       entry->identity.display_name);
	if (!policy_user_name(peer_uid(login->peer), enrolment->enrolled_by,
			      sizeof(enrolment->enrolled_by)))
		(void)snprintf(enrolment->enrolled_by, sizeof(enrolment->enrolled_by),
			       "uid %u", peer_uid(login->peer));
	return 0;
}

/* What opens record stores, if the card has such a key: the card was asked, not believed. */
static void fill_store_key(const struct login *login, struct enrolment *enrolment)
{
	const struct certificate *certificate;
	enum envelope_wrap wrap;
	const uint8_t *der;

	certificate = login->trial ? store_trial_result(login->trial, &wrap) : NULL;
	if (!certificate)
		return;
	enrolment->has_store_key = true;
	enrolment->store_wrap = wrap;
	der = certificate_der(certificate, &enrolment->store_certificate_size);
	memcpy(enrolment->store_certificate, der, enrolment->store_certificate_size);
	memcpy(enrolment->store_key_id, certificate_key_id(certificate),
	       sizeof(enrolment->store_key_id));
}

static enum hygie_outcome store_enrolment(const struct login *login)
{
	const struct token_certificate *entry = certificate_of(login);
	struct enrolment enrolment;
	int r;

	if (!entry || !entry->has_identity)
		return HYGIE_CARD_UNTRUSTED;
	if (fill_enrolment(login, entry, &enrolment) < 0)
		return HYGIE_CARD_UNTRUSTED;
	fill_store_key(login, &enrolment);
	r = registry_add(login->hygied->registry, &enrolment, login->reassign);
	if (r == -EEXIST)
		return HYGIE_ALREADY_ENROLLED;
	if (r < 0)
		log_error("cannot store the enrolment of %s: %s", login->user,
			  error_text(-r));
	if (r == 0 && !enrolment.has_store_key)
		peer_say(login->peer, WIRE_WARNING, TEXT_NO_STORE_KEY, NULL, 0);
	if (r == 0 && enrolment.has_store_key)
		login_secret_hint(login, enrolment.store_key_id);
	return r < 0 ? HYGIE_BROKEN_SETUP : HYGIE_OK;
}

static const char *action_name(const struct login *login)
{
	if (login->store_open)
		return "store-open-request";
	if (login->secret_show)
		return "secret-show";
	if (login->reencrypt)
		return STORE_REENCRYPT_EVENT;
	switch (login->pin_operation) {
	case TOKEN_PIN_CHANGE:
		return "pin-change";
	case TOKEN_PIN_UNBLOCK:
		return "pin-unblock";
	default:
		return login->enrolment ? "enrol" : "authenticate";
	}
}

static void audit(const struct login *login, enum hygie_outcome outcome)
{
	char card[CARD_ID_SIZE] = "", uid[16], took[24];
	bool known = false;

	for (size_t i = 0; i < sizeof(login->key_id); i++)
		known = known || login->key_id[i] != 0;
	if (known)
		name_card(login, card);
	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(login->peer));
	(void)snprintf(took, sizeof(took), "%llu",
		       (unsigned long long)(monotonic_now() - login->started) / 1000);
	log_audit(
		action_name(login), outcome,
		(const struct log_field[]){
			{ "HYGIE_USER", login->user[0] ? login->user : NULL },
			{ "HYGIE_SERVICE", login->service[0] ? login->service : NULL },
			{ "HYGIE_CARD", known ? card : NULL },
			{ "HYGIE_READER", login->card ? card_reader(login->card) : NULL },
			{ "HYGIE_PEER_UID", uid },
			{ "HYGIE_MILLISECONDS", took },
			{ "HYGIE_STORE", login->store[0] ? login->store : NULL },
		},
		7);
}

/* A certificate that ends soon is told, so that no morning begins with a dead card. */
static void warn_of_end(const struct login *login, const struct token_certificate *entry)
{
	time_t end = certificate_not_after(entry->certificate);
	char date[32];
	const char *arguments[] = { date };
	struct tm parts;

	if (end - card_time(&login->hygied->environment) > WARN_BEFORE_END)
		return;
	if (!gmtime_r(&end, &parts) ||
	    strftime(date, sizeof(date), "%Y-%m-%d", &parts) == 0)
		return;
	peer_say(login->peer, WIRE_WARNING, TEXT_CERTIFICATE_ENDS, arguments, 1);
}

/* A locker opens no session: the one that it unlocked is bound to the card now. */
static bool bind_unlocked(const struct login *login, struct binding *binding)
{
	if (session_bind_unlocked(&login->hygied->settings, peer_fd(login->peer),
				  peer_uid(login->peer), binding) < 0)
		return false;
	guard_bind(login->hygied->guard, binding);
	log_audit("unlock-session", HYGIE_OK,
		  (const struct log_field[]){ { "HYGIE_USER", binding->user },
					      { "HYGIE_SESSION", binding->session } },
		  2);
	return true;
}

/* The stores of its card: for the session, or for the one that the ticket will open. */
static void open_stores(const struct login *login, struct binding *binding,
			const char *ticket)
{
	gid_t gid;

	if (!login->plan)
		return;
	if (policy_user_ids(binding->user, &binding->uid, &gid))
		stores_open(login->hygied->stores, login->plan, binding, ticket);
	store_plan_forget(login->plan); /* before anybody hears of the login */
}

/* Which stores of the card do not open now. */
static void tell_apart(const struct login *login)
{
	const struct store *store;

	for (size_t i = 0; (store = store_plan_store(login->plan, i)); i++) {
		const char *arguments[] = { store->name };

		if (stores_is_reserved(login->hygied->stores, store->name))
			peer_say(login->peer, WIRE_WARNING, TEXT_STORE_STAYS_SHUT,
				 arguments, 1);
	}
}

/* A login at a real door is what a PAM set-up on trial waits for. */
static void confirm_trial(const struct login *login)
{
	int r;

	if (login->enrolment || peer_uid(login->peer) != 0 ||
	    !pam_trial_counts(login->service))
		return;
	r = pam_trial_confirm();
	if (r < 0)
		log_error("the trial of the PAM set-up cannot be confirmed: %s",
			  error_text(-r));
	if (r > 0)
		log_audit("pam-confirmed", HYGIE_OK,
			  (const struct log_field[]){
				  { "HYGIE_USER", login->user },
				  { "HYGIE_SERVICE", login->service },
			  },
			  2);
}

/* The one success. Whatever cannot be built turns it into a fault. */
static void send_success(struct login *login)
{
	const struct token_certificate *entry = certificate_of(login);
	cleanup_message struct wire_message *result = NULL;
	struct binding binding = { .user = "" };
	char name[HYGIE_TICKET_MAX] = "";

	(void)snprintf(binding.user, sizeof(binding.user), "%s", login->user);
	(void)snprintf(binding.service, sizeof(binding.service), "%s", login->service);
	(void)snprintf(binding.reader, sizeof(binding.reader), "%s",
		       login->card ? card_reader(login->card) : "");
	memcpy(binding.key_id, login->key_id, sizeof(binding.key_id));
	if (!entry || wire_message_new(WIRE_RESULT, &result) < 0 ||
	    (!login->enrolment &&
	     tickets_issue(login->hygied->tickets, &binding, name) < 0)) {
		audit(login, HYGIE_FAULT);
		peer_finish(login->peer, HYGIE_FAULT, NULL);
		return;
	}
	warn_of_end(login, entry);
	if (login->left_out > 0)
		peer_say(login->peer, WIRE_WARNING, TEXT_STORE_LEFT_OUT, NULL, 0);
	if (login->plan)
		tell_apart(login);
	wire_add_u32(result, TAG_OUTCOME, HYGIE_OK);
	wire_add_string(result, TAG_USER, login->user);
	wire_add_string(result, TAG_HOLDER,
			entry->has_identity ? entry->identity.display_name : login->user);
	wire_add_u64(result, TAG_NOT_AFTER,
		     (uint64_t)certificate_not_after(entry->certificate));
	if (name[0])
		wire_add_string(result, TAG_TICKET, name);
	if (card_token_flags(login->card) & TOKEN_PIN_TO_BE_CHANGED)
		wire_add_u32(result, TAG_FLAGS, RESULT_PIN_MUST_CHANGE);
	login_secret_add(login, result);
	audit(login, HYGIE_OK);
	if (!login->enrolment)
		open_stores(login, &binding,
			    bind_unlocked(login, &binding) ? NULL : name);
	peer_finish_with(login->peer, result);
	confirm_trial(login);
}

/* The card says that the new PIN holds, or, of a check, nothing was tried. */
static void send_pin_done(struct login *login)
{
	const struct token_certificate *entry = certificate_of(login);
	cleanup_message struct wire_message *result = NULL;

	if (!login->check)
		audit(login, HYGIE_OK);
	if (wire_message_new(WIRE_RESULT, &result) < 0) {
		peer_finish(login->peer, HYGIE_FAULT, NULL);
		return;
	}
	wire_add_u32(result, TAG_OUTCOME, HYGIE_OK);
	if (!login->check)
		wire_add_string(result, TAG_TEXT,
				text_template(login->pin_operation == TOKEN_PIN_CHANGE
						      ? TEXT_PIN_CHANGED
						      : TEXT_PIN_UNBLOCKED));
	if (login->user[0])
		wire_add_string(result, TAG_USER, login->user);
	if (entry && entry->has_identity)
		wire_add_string(result, TAG_HOLDER, entry->identity.display_name);
	peer_finish_with(login->peer, result);
}

/*
 * The PIN was on its way to the card, and nothing came back: it may hold already. Wrong
 * PINs and the like are the card's answers.
 */
static bool pin_is_uncertain(const struct login *login, enum hygie_outcome outcome)
{
	return login->pin_operation && login->sent &&
	       (outcome == HYGIE_CARD_REMOVED || outcome == HYGIE_CARD_SILENT ||
		outcome == HYGIE_CARD_BROKEN);
}

/* What a wrong PIN left of the tries, as far as the token tells; NULL: it does not. */
static const char *refusal_text(const struct login *login, enum hygie_outcome outcome)
{
	uint32_t flags = login->card ? card_token_flags(login->card) : 0;

	if (pin_is_uncertain(login, outcome))
		return text_template(TEXT_PIN_UNCERTAIN);
	if (outcome != HYGIE_PIN_WRONG)
		return NULL;
	if (flags & TOKEN_PIN_LOCKED)
		return N_(
			"Wrong PIN, and now the card is blocked. Unblock it with \"hygie "
			"pin unblock\" and the unblocking code (PUK) from the letter "
			"that came with the card, or ask your administrator.");
	if (flags & TOKEN_PIN_FINAL_TRY)
		return N_("Wrong PIN. One try is left: another wrong PIN blocks the "
			  "card.");
	if (flags & TOKEN_PIN_COUNT_LOW)
		return N_("Wrong PIN. Few tries are left before the card is blocked.");
	return NULL;
}

void login_result_abandon(const struct login *login)
{
	enum hygie_outcome outcome = peer_given_up(login->peer);

	if (outcome != HYGIE_GAVE_UP) /* whoever tries anew is told at the prompt */
		login_prompt_note(login, outcome);
	audit(login, outcome);
}

void login_forget_pins(struct login *login)
{
	secret_free(login->pin);
	secret_free(login->new_pin);
	login->pin = NULL;
	login->new_pin = NULL;
}

/* Somebody stands before a locked screen, perhaps with a card of his own. */
static bool is_unlocking(const struct login *login)
{
	char own[HYGIE_USER_MAX];

	if (login->enrolment || login->pin_operation || !login->user[0])
		return false;
	if (policy_may_administer(peer_uid(login->peer)))
		return settings_unlocks(&login->hygied->settings, login->service);
	return policy_user_name(peer_uid(login->peer), own, sizeof(own)) &&
	       strcmp(own, login->user) == 0;
}

static void send_refusal(const struct login *login, enum hygie_outcome outcome,
			 const char *text)
{
	const char *const arguments[] = { login->user };

	if (outcome == HYGIE_CARD_OTHER_USER && !text && is_unlocking(login))
		peer_finish_text(login->peer, outcome, TEXT_OTHER_CARD, arguments, 1);
	else
		peer_finish(login->peer, outcome,
			    text ? text : refusal_text(login, outcome));
}

/* What the card gave besides the signature, in the order of its tasks. */
static void take_secrets(struct login *login)
{
	size_t count = 0;

	if (login->plan) {
		(void)store_plan_tasks(login->plan, &count);
		store_plan_take(login->plan, login->card, login->user,
				login->hygied->stores);
	}
	if (login->secret_plan)
		login_secret_take(login, count);
}

static void send_result(struct login *login, enum hygie_outcome outcome, const char *text)
{
	login_prompt_note(login, outcome);
	if (outcome == HYGIE_OK && login->pin_operation) {
		send_pin_done(login);
		return;
	}
	/* Told otherwise already (it cancelled): nothing is stored behind its back. */
	if (outcome == HYGIE_OK && peer_is_finished(login->peer))
		outcome = HYGIE_GAVE_UP;
	if (outcome == HYGIE_OK)
		outcome = login->enrolment ? store_enrolment(login)
					   : confirm_enrolment(login);
	/* Not before: a card that is nobody's any more opens and grants nothing. */
	if (outcome == HYGIE_OK && login->card)
		take_secrets(login);
	if (outcome == HYGIE_OK && login->secret_show) {
		login_secret_send(login);
		return;
	}
	if (outcome == HYGIE_OK && login->store_open) {
		login_stores_open(login);
		return;
	}
	if (outcome == HYGIE_OK && login->reencrypt) {
		login_reencrypt_take(login);
		return;
	}
	if (outcome == HYGIE_OK) {
		send_success(login);
		return;
	}
	if (!login->check)
		audit(login, outcome);
	send_refusal(login, outcome, text);
}

void login_result_send(struct login *login, enum hygie_outcome outcome, const char *text)
{
	send_result(login, outcome, text);
	/* What was of use is with the stores now; the client may stay for long. */
	if (login->plan)
		store_plan_forget(login->plan);
	login_secret_forget(login);
}
