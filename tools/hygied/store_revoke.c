/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a card's revocation is to the stores that it opens: its right is leaving, as though
 * root had taken it away. Declared in store_admin.h.
 */
#include "hygied/store_admin.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <string.h>

struct revocation {
	struct hygied *hygied;
	struct peer *peer;
	const char *card, *user; /* the other is "" */
};

/* Whether the holder's card is revoked, and one of those that this was about. */
static bool concerns(const struct revocation *revocation,
		     const struct store_holder *holder)
{
	char digits[2 * HYGIE_KEY_ID_SIZE + 1];
	struct enrolment enrolment;

	if (holder->state == RIGHT_LEAVING ||
	    registry_find_card(revocation->hygied->registry, holder->card, &enrolment) <
		    0 ||
	    enrolment.state == ENROLMENT_ACTIVE)
		return false;
	if (revocation->user[0])
		return strcmp(enrolment.user, revocation->user) == 0;
	hex_write(holder->card, HYGIE_KEY_ID_SIZE, digits);
	return strncasecmp(digits, revocation->card, strlen(revocation->card)) == 0;
}

/* Tells what became of one store; `user` is the holder's. */
static void tell(const struct revocation *revocation, const char *name, const char *user,
		 int fault)
{
	const char *arguments[] = { name };

	store_admin_audit(revocation->peer, "store-remove",
			  fault < 0 ? HYGIE_BROKEN_SETUP : HYGIE_OK, name, user);
	if (fault < 0)
		log_error("store %s: the right of a revoked card stays: %s", name,
			  error_text(-fault));
	peer_say(revocation->peer, WIRE_WARNING,
		 fault < 0 ? TEXT_STORE_CARD_STAYS : TEXT_STORE_CARD_LEAVES, arguments,
		 1);
}

/* What stores_each() hands over is on loan: the store is read again to be changed. */
static int on_store(void *context, const char *name, const struct store *found,
		    const struct file_error *error)
{
	const struct revocation *revocation = context;
	cleanup_store struct store *store = NULL;
	char user[HYGIE_USER_MAX] = "";
	int r;

	(void)error;
	if (!found || store_load(STORE_FOLDER, name, &store, NULL) < 0) {
		log_warning("store %s cannot be read: whether a revoked card has a right "
			    "in it is not known",
			    name);
		return 0;
	}
	for (size_t i = 0; i < store->count; i++) {
		struct store_holder *holder = &store->holders[i];

		if (!concerns(revocation, holder))
			continue;
		holder->state = RIGHT_LEAVING;
		memcpy(user, holder->user, sizeof(user));
	}
	if (user[0] == '\0')
		return 0;
	r = store_save(STORE_FOLDER, store);
	tell(revocation, name, user, r);
	return 0;
}

void store_admin_revoked(struct hygied *hygied, struct peer *peer, const char *card,
			 const char *user)
{
	struct revocation revocation = { hygied, peer, card, user };

	if (stores_each(STORE_FOLDER, on_store, &revocation) < 0)
		log_warning("%s cannot be read", STORE_FOLDER);
}
