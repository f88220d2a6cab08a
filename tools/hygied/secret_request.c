/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making login secrets and putting them aside; see secret_request.h.
 */
#include "hygied/secret_request.h"

#include "hygied/requests.h"
#include "hygied/secret_cards.h"
#include "hygied/secret_file.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>

static void audit(const struct peer *peer, const char *event, enum hygie_outcome outcome,
		  const char *user)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	log_audit(event, outcome,
		  (const struct log_field[]){ { "HYGIE_USER", user },
					      { "HYGIE_PEER_UID", uid } },
		  2);
}

static void finish(struct peer *peer, const char *event, enum hygie_outcome outcome,
		   enum hygie_text text, const char *user)
{
	audit(peer, event, outcome, user);
	peer_finish_text(peer, outcome, text, &user, 1);
}

static void fail(struct peer *peer, const char *event, int fault, const char *user,
		 const struct file_error *error)
{
	const char *detail = error->text[0] ? error->text : error_text(-fault);

	log_error("login secret of %s: %s", user, detail);
	audit(peer, event, HYGIE_BROKEN_SETUP, user);
	peer_finish_text(peer, HYGIE_BROKEN_SETUP, TEXT_SECRET_BROKEN, &detail, 1);
}

/* Root's request about one user. */
static bool user_read(struct peer *peer, const struct wire_message *request,
		      const char *event, char ret_user[HYGIE_USER_MAX])
{
	if (!request_admit_root(peer, event))
		return false;
	if (wire_get_string(request, TAG_USER, ret_user, HYGIE_USER_MAX) < 0 ||
	    !ret_user[0]) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return false;
	}
	if (envelope_name_is_valid(ret_user))
		return true;
	finish(peer, event, HYGIE_BAD_REQUEST, TEXT_SECRET_NAME, ret_user);
	return false;
}

/* Whether one of the cards opens what was put aside. */
static bool opens(const struct secret_file *file, const struct secret_cards *cards)
{
	for (size_t i = 0; i < cards->count; i++)
		if (secret_card_is_in(&cards->card[i], file->envelope))
			return true;
	return false;
}

static int make(const char *user, const struct secret_cards *cards)
{
	cleanup_secret struct secret *secret = NULL;
	uint8_t *der = NULL;
	size_t size;
	int r;

	r = envelope_secret_new(&secret);
	if (r == 0)
		r = secret_cards_seal(cards, user, 1, secret, &der, &size);
	if (r == 0)
		r = secret_file_save(SECRET_HOME, user, SECRET_ON, der, size);
	OPENSSL_free(der);
	return r;
}

/*
 * Another secret. The old envelope is kept, and those before it: each is all that opens
 * what it locks. A copy, so that at no moment there is neither; NULL: there is a damaged
 * one, which goes there itself.
 */
static int renew(const char *user, const struct secret_cards *cards,
		 const struct secret_file *old)
{
	int r;

	if (!old)
		r = secret_file_move(SECRET_HOME, user, SECRET_ON, SECRET_OLD);
	else
		r = secret_file_spare(SECRET_HOME, user, SECRET_OLD);
	if (r == 0 && old)
		r = secret_file_save(SECRET_HOME, user, SECRET_OLD, old->der, old->size);
	return r < 0 ? r : make(user, cards);
}

static void enable(struct peer *peer, const char *user, const struct secret_cards *cards,
		   bool new)
{
	cleanup_secret_file struct secret_file *on = NULL, *off = NULL;
	enum hygie_text text = TEXT_SECRET_MADE;
	static const char event[] = "secret-enable";
	struct file_error error = { "" };
	int r_on, r_off, r = 0;

	r_on = secret_file_load(SECRET_HOME, user, SECRET_ON, &on, &error);
	if (!new && (r_on == 0 || r_on == -EBADMSG)) {
		finish(peer, event, HYGIE_BAD_REQUEST, TEXT_SECRET_IS_ENABLED, user);
		return;
	}
	/* A damaged one is replaced by who says so; one that others can write is not. */
	if (r_on < 0 && r_on != -ENOENT && r_on != -EBADMSG) {
		fail(peer, event, r_on, user, &error);
		return;
	}
	r_off = secret_file_load(SECRET_HOME, user, SECRET_OFF, &off, &error);
	if (new && (r_on != -ENOENT || r_off == 0)) {
		text = TEXT_SECRET_RENEWED;
		r = renew(user, cards, r_on == -EBADMSG ? NULL : on ? on : off);
	} else if (r_off == -ENOENT || new) {
		r = make(user, cards);
	} else if (r_off < 0) {
		r = r_off;
	} else if (!opens(off, cards)) {
		finish(peer, event, HYGIE_REFUSED, TEXT_SECRET_OTHER_CARDS, user);
		return;
	} else {
		text = TEXT_SECRET_BACK;
		r = secret_file_move(SECRET_HOME, user, SECRET_OFF, SECRET_ON);
	}
	if (r < 0)
		fail(peer, event, r, user, &error);
	else
		finish(peer, event, HYGIE_OK, text, user);
}

void request_secret_enable(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request)
{
	cleanup_secret_cards struct secret_cards *cards = NULL;
	struct file_error error = { "" };
	char user[HYGIE_USER_MAX];
	uint32_t flags = 0;
	int r;

	if (!user_read(peer, request, "secret-enable", user))
		return;
	if (wire_optional(wire_get_u32(request, TAG_FLAGS, &flags)) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	r = secret_cards_read(hygied->registry, user, &cards);
	if (r < 0)
		fail(peer, "secret-enable", r, user, &error);
	else if (cards->count == 0)
		finish(peer, "secret-enable", HYGIE_NOT_FOUND, TEXT_STORE_NO_KEY, user);
	else
		enable(peer, user, cards, (flags & REQUEST_NEW) != 0);
}

void request_secret_disable(struct hygied *hygied, struct peer *peer,
			    const struct wire_message *request)
{
	static const char event[] = "secret-disable";
	struct file_error error = { "" };
	char user[HYGIE_USER_MAX];
	int r;

	(void)hygied;
	if (!user_read(peer, request, event, user))
		return;
	r = secret_file_move(SECRET_HOME, user, SECRET_ON, SECRET_OFF);
	if (r == -ENOENT)
		finish(peer, event, HYGIE_NOT_FOUND, TEXT_SECRET_NONE, user);
	else if (r < 0)
		fail(peer, event, r, user, &error);
	else
		finish(peer, event, HYGIE_OK, TEXT_SECRET_ASIDE, user);
}
