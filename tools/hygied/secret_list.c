/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a login secret, which cards open it, and what is wrong with it. Declared in
 * secret_request.h.
 */
#include "hygied/policy.h"
#include "hygied/requests.h"
#include "hygied/secret_file.h"
#include "hygied/secret_request.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

/*
 * The enrolments come by user: those of one are looked at one after the other. Then come
 * the files of users of whom the registry knows no card: it may be lost, or be another.
 */
struct listing {
	struct peer *peer;
	struct registry *registry;
	const char *only; /* NULL: all users */
	char user[HYGIE_USER_MAX];
	struct secret_file *file; /* of that user; NULL: none, or it cannot be read */
	size_t told;              /* secrets, of all users */
	size_t cards;             /* of that user in the registry, revoked ones, too */
	size_t own;               /* recipients that are, or were, cards of his */
	size_t opening;           /* of them, cards that are enrolled now */
};

static void send_secret(struct listing *listing, const char *state, const char *problem)
{
	cleanup_message struct wire_message *item = request_new_item("secret");

	if (!item)
		return;
	wire_add_string(item, TAG_USER, listing->user);
	wire_add_string(item, TAG_STATE, state);
	if (listing->file)
		wire_add_u64(item, TAG_SINCE, (uint64_t)listing->file->since);
	if (problem)
		wire_add_string(item, TAG_TEXT, problem);
	listing->told++;
	peer_send(listing->peer, item);
}

/* What the cards of a user came to. */
static void user_end(struct listing *listing)
{
	const char *problem = NULL;

	if (!listing->file)
		return;
	if (listing->cards == 0)
		problem = N_(
			"No card of this user is enrolled. Enrol one that opened it, by "
			"\"hygie enroll USER\": it opens it again.");
	else if (listing->opening == 0)
		problem = N_("None of the user's cards opens it: \"hygie secret enable "
			     "--new\" makes another one.");
	else if (listing->own < envelope_recipient_count(listing->file->envelope))
		problem = N_("It is for keys, too, that are no card's of this user: the "
			     "next login that opens it takes them out.");
	send_secret(listing, "on", problem);
	secret_file_free(listing->file);
	listing->file = NULL;
}

static void user_begin(struct listing *listing, const char *user)
{
	cleanup_secret_file struct secret_file *aside = NULL;
	struct file_error error = { "" };
	int r;

	user_end(listing);
	(void)snprintf(listing->user, sizeof(listing->user), "%s", user);
	listing->cards = listing->own = listing->opening = 0;
	r = secret_file_load(SECRET_HOME, user, SECRET_ON, &listing->file, &error);
	if (r == -ENOENT)
		r = secret_file_load(SECRET_HOME, user, SECRET_OFF, &aside, &error);
	if (r < 0 && r != -ENOENT) {
		send_secret(listing, "broken", error.text);
	} else if (aside) {
		listing->file = aside;
		send_secret(listing, "off", NULL);
		listing->file = NULL;
	}
}

/* Whether the card is in the envelope: also one whose enrolment ended. */
static bool is_in(const struct listing *listing, const struct enrolment *enrolment)
{
	cleanup_certificate struct certificate *certificate = NULL;
	struct envelope_task task;

	return certificate_parse(enrolment->store_certificate,
				 enrolment->store_certificate_size, &certificate) == 0 &&
	       envelope_find_key(listing->file->envelope,
				 X509_get0_pubkey(certificate_x509(certificate)),
				 enrolment->store_wrap, &task) == 0;
}

static void send_card(const struct listing *listing, const struct enrolment *enrolment,
		      const char *state)
{
	cleanup_message struct wire_message *item = request_new_item("secret_card");
	char id[2 * HYGIE_KEY_ID_SIZE + 1];

	if (!item)
		return;
	hex_write(enrolment->key_id, HYGIE_KEY_ID_SIZE, id);
	wire_add_string(item, TAG_USER, enrolment->user);
	wire_add_string(item, TAG_STATE, state);
	wire_add_string(item, TAG_HOLDER, enrolment->holder);
	wire_add_string(item, TAG_CARD_ID, id);
	peer_send(listing->peer, item);
}

static int on_enrolment(void *context, const struct enrolment *enrolment)
{
	struct listing *listing = context;
	bool active = enrolment->state == ENROLMENT_ACTIVE, in;

	if (listing->only && strcmp(listing->only, enrolment->user) != 0)
		return 0;
	if (strcmp(listing->user, enrolment->user) != 0)
		user_begin(listing, enrolment->user);
	listing->cards++;
	if (!listing->file || !enrolment->has_store_key)
		return 0;
	in = is_in(listing, enrolment);
	listing->own += in;
	listing->opening += in && active;
	if (active)
		send_card(listing, enrolment, in ? "in" : "next");
	else if (in)
		send_card(listing, enrolment, "leaving");
	return 0;
}

/* One who was not told with the enrolments. */
static int on_file(void *context, const char *user)
{
	struct listing *listing = context;
	enum enrolment_state known;
	int r;

	if (listing->only && strcmp(listing->only, user) != 0)
		return 0;
	r = registry_user_state(listing->registry, user, &known);
	if (r < 0 || known != 0)
		return r;
	user_begin(listing, user);
	user_end(listing);
	return 0;
}

/* A folder that cannot be used was told with each user, unless the registry has none. */
static void files_tell(struct listing *listing)
{
	struct file_error error = { "" };
	const char *detail = error.text;
	int r = secret_files_each(SECRET_HOME, on_file, listing, &error);

	if (r < 0 && listing->told == 0 && error.text[0])
		peer_finish_text(listing->peer, HYGIE_BROKEN_SETUP, TEXT_SECRET_BROKEN,
				 &detail, 1);
	else if (r < 0 && !error.text[0])
		peer_finish(listing->peer, HYGIE_BROKEN_SETUP, NULL);
	else
		peer_finish(listing->peer, HYGIE_OK, NULL);
}

void request_secret_list(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request)
{
	struct listing listing = { .peer = peer, .registry = hygied->registry };
	char own[HYGIE_USER_MAX];
	int r;

	(void)request;
	if (!policy_may_administer(peer_uid(peer))) {
		if (!policy_user_name(peer_uid(peer), own, sizeof(own))) {
			peer_finish(peer, HYGIE_NOT_ALLOWED, NULL);
			return;
		}
		listing.only = own;
	}
	r = registry_list(hygied->registry, on_enrolment, &listing);
	user_end(&listing);
	if (r < 0)
		peer_finish(peer, HYGIE_BROKEN_SETUP, NULL);
	else
		files_tell(&listing);
}
