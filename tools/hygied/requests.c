/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests answered at once; see requests.h.
 */
#include "hygied/requests.h"

#include "hygied/policy.h"
#include "hygied/session_request.h"
#include "hygied/store_admin.h"
#include "hygied/store_file.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct wire_message *request_new_item(const char *kind)
{
	struct wire_message *item;

	if (wire_message_new(WIRE_ITEM, &item) < 0)
		return NULL;
	wire_add_string(item, TAG_KIND, kind);
	return item;
}

static void send_service(struct peer *peer, const char *name, const char *value)
{
	cleanup_message struct wire_message *item = request_new_item("service");

	if (!item)
		return;
	wire_add_string(item, TAG_NAME, name);
	wire_add_string(item, TAG_VALUE, value);
	peer_send(peer, item);
}

static const char *state_name(const struct card *card)
{
	switch (card_state(card)) {
	case CARD_READING:
		return "reading";
	case CARD_READY:
		return "ready";
	case CARD_BUSY:
	case CARD_LEAVING:
		return "busy";
	default:
		return "unreadable";
	}
}

static const char *tries_name(uint32_t flags)
{
	if (flags & TOKEN_PIN_LOCKED)
		return "blocked";
	if (flags & TOKEN_PIN_FINAL_TRY)
		return "last";
	return flags & TOKEN_PIN_COUNT_LOW ? "low" : "ok";
}

/* The user a card is enrolled to; "" when none, revoked, or the registry fails. */
static void find_user(struct hygied *hygied, const struct token_certificate *entry,
		      char ret_user[HYGIE_USER_MAX])
{
	struct enrolment enrolment;

	ret_user[0] = '\0';
	if (registry_find_card(hygied->registry, certificate_key_id(entry->certificate),
			       &enrolment) == 0 &&
	    enrolment.state == ENROLMENT_ACTIVE)
		(void)snprintf(ret_user, HYGIE_USER_MAX, "%s", enrolment.user);
}

static void add_certificate(struct wire_message *item, const struct card *card,
			    const struct token_certificate *entry)
{
	char id[17];

	hex_write(certificate_key_id(entry->certificate), 8, id);
	wire_add_string(item, TAG_CARD_ID, id);
	wire_add_u64(item, TAG_NOT_AFTER,
		     (uint64_t)certificate_not_after(entry->certificate));
	wire_add_string(item, TAG_TRUST,
			entry->verdict.reason == TRUST_OK
				? "ok"
				: trust_reason_text(entry->verdict.reason));
	wire_add_string(item, TAG_ISSUER, certificate_issuer(entry->certificate));
	wire_add_string(item, TAG_TRIES, tries_name(card_token_flags(card)));
	if (entry->verdict.scheme)
		wire_add_string(item, TAG_SCHEME, entry->verdict.scheme->name);
	if (entry->has_identity) {
		wire_add_string(item, TAG_HOLDER, entry->identity.display_name);
		wire_add_string(item, TAG_PERSON_ID, entry->identity.person_id);
	} else {
		wire_add_string(item, TAG_HOLDER,
				certificate_subject(entry->certificate));
	}
}

/* Who is on a card is root's to know, and its owner's. */
static void add_holder(struct hygied *hygied, struct peer *peer,
		       struct wire_message *item, const struct card *card)
{
	const struct token_certificate *entry = card_certificate(card);
	char user[HYGIE_USER_MAX], name[HYGIE_USER_MAX] = "";

	if (!entry)
		return;
	find_user(hygied, entry, user);
	if (!policy_may_administer(peer_uid(peer)) &&
	    (!policy_user_name(peer_uid(peer), name, sizeof(name)) ||
	     strcmp(name, user) != 0))
		return;
	add_certificate(item, card, entry);
	if (user[0])
		wire_add_string(item, TAG_USER, user);
}

static void send_card(struct hygied *hygied, struct peer *peer, const struct card *card)
{
	cleanup_message struct wire_message *item = request_new_item("reader");
	const char *detail;

	if (!item)
		return;
	wire_add_string(item, TAG_READER, card_reader(card));
	wire_add_string(item, TAG_STATE, state_name(card));
	wire_add_u32(item, TAG_EXCLUSIVE, card_is_exclusive(card) ? 1 : 0);
	if (card_state(card) == CARD_UNREADABLE) {
		(void)card_problem(card, &detail);
		wire_add_string(item, TAG_TEXT, detail);
	} else {
		add_holder(hygied, peer, item, card);
	}
	peer_send(peer, item);
}

static bool reader_is_empty(const struct hygied *hygied, const char *reader)
{
	const struct card *card;

	for (size_t i = 0; (card = cards_at(hygied->cards, i)); i++)
		if (strcmp(card_reader(card), reader) == 0)
			return false;
	return true;
}

static void send_empty_readers(const struct hygied *hygied, struct peer *peer)
{
	for (size_t i = 0; i < cards_reader_count(hygied->cards); i++) {
		cleanup_message struct wire_message *item = NULL;
		const char *reader = cards_reader_at(hygied->cards, i);

		if (!reader_is_empty(hygied, reader))
			continue;
		item = request_new_item("reader");
		if (!item)
			return;
		wire_add_string(item, TAG_READER, reader);
		wire_add_string(item, TAG_STATE, "empty");
		peer_send(peer, item);
	}
}

static void send_summary(struct hygied *hygied, struct peer *peer)
{
	const struct identity_scheme *scheme;
	uint64_t cards = 0;
	char text[128];

	send_service(peer, "pcscd",
		     cards_service_is_up(hygied->cards) ? "running" : "not running");
	if (registry_count_active(hygied->registry, &cards) < 0)
		(void)snprintf(text, sizeof(text), "registry unreadable");
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, cards);
	send_service(peer, "enrolled cards", text);
	for (size_t i = 0; (scheme = identity_scheme_at(i)); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "CAs of %s", scheme->name);
		(void)snprintf(text, sizeof(text), "%zu",
			       trust_anchor_count(hygied->trust, scheme));
		send_service(peer, name, text);
	}
}

void request_send_status(struct hygied *hygied, struct peer *peer)
{
	const struct card *card;

	send_summary(hygied, peer);
	for (size_t i = 0; (card = cards_at(hygied->cards, i)); i++)
		send_card(hygied, peer, card);
	send_empty_readers(hygied, peer);
	session_items_send(hygied, peer);
}

void request_status(struct hygied *hygied, struct peer *peer,
		    const struct wire_message *request)
{
	(void)request;
	request_send_status(hygied, peer);
	peer_finish(peer, HYGIE_OK, NULL);
}

struct listing {
	struct peer *peer;
	bool all;
	char user[HYGIE_USER_MAX];
};

static void add_enrolment(struct wire_message *item, const struct enrolment *enrolment)
{
	bool active = enrolment->state == ENROLMENT_ACTIVE;
	struct certificate *certificate;
	char id[2 * HYGIE_KEY_ID_SIZE + 1];

	hex_write(enrolment->key_id, HYGIE_KEY_ID_SIZE, id);
	wire_add_string(item, TAG_USER, enrolment->user);
	wire_add_string(item, TAG_CARD_ID, id);
	wire_add_string(item, TAG_HOLDER, enrolment->holder);
	wire_add_string(item, TAG_SCHEME, enrolment->scheme);
	wire_add_string(item, TAG_PERSON_ID, enrolment->person_id);
	wire_add_u64(item, TAG_NOT_AFTER, (uint64_t)enrolment->not_after);
	wire_add_string(item, TAG_STATE, active ? "active" : "revoked");
	wire_add_string(item, TAG_ENROLLED_BY, enrolment->enrolled_by);
	wire_add_u64(item, TAG_ENROLLED_AT, (uint64_t)enrolment->enrolled_at);
	if (enrolment->has_store_key)
		wire_add_string(item, TAG_WRAP, store_wrap_word(enrolment->store_wrap));
	if (!active)
		wire_add_u64(item, TAG_REVOKED_AT, (uint64_t)enrolment->revoked_at);
	if (certificate_parse(enrolment->certificate, enrolment->certificate_size,
			      &certificate) == 0) {
		wire_add_string(item, TAG_ISSUER, certificate_issuer(certificate));
		certificate_free(certificate);
	}
}

static int send_enrolment(void *context, const struct enrolment *enrolment)
{
	const struct listing *listing = context;
	cleanup_message struct wire_message *item = NULL;

	if (!listing->all && strcmp(listing->user, enrolment->user) != 0)
		return 0;
	item = request_new_item("enrolment");
	if (!item)
		return -ENOMEM;
	add_enrolment(item, enrolment);
	peer_send(listing->peer, item);
	return 0;
}

void request_cards(struct hygied *hygied, struct peer *peer,
		   const struct wire_message *request)
{
	struct listing listing = { .peer = peer,
				   .all = policy_may_administer(peer_uid(peer)) };

	(void)request;
	if (!listing.all &&
	    !policy_user_name(peer_uid(peer), listing.user, sizeof(listing.user))) {
		peer_finish(peer, HYGIE_NOT_ALLOWED, NULL);
		return;
	}
	if (registry_list(hygied->registry, send_enrolment, &listing) < 0)
		peer_finish(peer, HYGIE_BROKEN_SETUP, NULL);
	else
		peer_finish(peer, HYGIE_OK, NULL);
}

bool request_admit_root(struct peer *peer, const char *event)
{
	char uid[16];

	if (policy_may_administer(peer_uid(peer)))
		return true;
	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	log_audit(event, HYGIE_NOT_ALLOWED,
		  (const struct log_field[]){ { "HYGIE_PEER_UID", uid } }, 1);
	peer_finish(peer, HYGIE_NOT_ALLOWED, NULL);
	return false;
}

static enum hygie_outcome revoke_outcome(int r)
{
	switch (-r) {
	case 0:
		return HYGIE_OK;
	case ENOENT:
		return HYGIE_NOT_FOUND;
	case EINVAL:
	case ENOTUNIQ:
		return HYGIE_BAD_REQUEST;
	default:
		return HYGIE_BROKEN_SETUP;
	}
}

static void audit_revocation(const struct peer *peer, enum hygie_outcome outcome,
			     const char *card, const char *user, const char *reason)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	log_audit("revoke", outcome,
		  (const struct log_field[]){
			  { "HYGIE_CARD", card[0] ? card : NULL },
			  { "HYGIE_USER", user[0] ? user : NULL },
			  { "HYGIE_REASON", reason[0] ? reason : NULL },
			  { "HYGIE_PEER_UID", uid },
		  },
		  4);
}

static const char *revoke_text(int r)
{
	switch (-r) {
	case 0:
		return N_("The card was revoked.");
	case ENOTUNIQ:
		return N_("These digits fit several cards. Give more of them; \"hygie "
			  "cards\" shows all.");
	case EINVAL:
		return N_("A card id is at least 8 hexadecimal digits; \"hygie cards\" "
			  "shows them.");
	default:
		return NULL;
	}
}

static void finish_revocation(struct peer *peer, int r, size_t count)
{
	char number[24];
	const char *const arguments[] = { number };

	(void)snprintf(number, sizeof(number), "%zu", count);
	if (r == 0 && count != 1)
		peer_finish_text(peer, HYGIE_OK, TEXT_CARDS_REVOKED, arguments, 1);
	else
		peer_finish(peer, revoke_outcome(r), revoke_text(r));
}

void request_revoke(struct hygied *hygied, struct peer *peer,
		    const struct wire_message *request)
{
	char card[2 * HYGIE_KEY_ID_SIZE + 1] = "", user[HYGIE_USER_MAX] = "";
	char reason[REGISTRY_REASON_SIZE] = "", by[HYGIE_USER_MAX] = "root";
	size_t count = 0;
	int r;

	if (!request_admit_root(peer, "revoke"))
		return;
	if (((r = wire_get_string(request, TAG_CARD_ID, card, sizeof(card))) < 0 &&
	     r != -ENOENT) ||
	    ((r = wire_get_string(request, TAG_USER, user, sizeof(user))) < 0 &&
	     r != -ENOENT) ||
	    ((r = wire_get_string(request, TAG_TEXT, reason, sizeof(reason))) < 0 &&
	     r != -ENOENT) ||
	    (card[0] != '\0') == (user[0] != '\0')) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	(void)policy_user_name(peer_uid(peer), by, sizeof(by));
	r = registry_revoke(hygied->registry, card[0] ? card : NULL,
			    user[0] ? user : NULL, by, reason, time(NULL), &count);
	audit_revocation(peer, revoke_outcome(r), card, user, reason);
	if (r == 0)
		store_admin_revoked(hygied, peer, card, user);
	finish_revocation(peer, r, count);
}
