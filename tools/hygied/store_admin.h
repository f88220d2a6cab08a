/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root's requests about who may open a store, answered at once: they change store.ini,
 * and the next opening carries them out (store_rights.h). And what stores there are, and
 * what is wrong with them.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"
#include "hygied/store_file.h"

/* TAG_STORE, TAG_USER; TAG_UNTIL; REQUEST_NO_GRANT: adds all cards of the user. */
void request_store_add(struct hygied *hygied, struct peer *peer,
		       const struct wire_message *request);

/* TAG_STORE, TAG_USER: takes all of them away. */
void request_store_remove(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);

/* TAG_STORE: a new envelope at the next opening. */
void request_store_rotate(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);

/*
 * Stores and their holders as ITEMs, and what is wrong; of all stores, or of TAG_STORE.
 */
void request_store_check(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request);

/*
 * Cards have just been revoked: the one whose id begins with `card`, or all of `user` (the
 * other is ""). Their rights are leaving from now on; each store of theirs is told.
 */
void store_admin_revoked(struct hygied *hygied, struct peer *peer, const char *card,
			 const char *user);

/* What they have in common. */

/*
 * Reads TAG_STORE and loads that store, for root alone, unless it is being reencrypted.
 * Else it is refused and finished, and audited as `event`; returns NULL.
 */
struct store *store_admin_load(const struct hygied *hygied, struct peer *peer,
			       const struct wire_message *request, const char *event);

/*
 * Whether the store is not being reencrypted: to be asked again after a person was. Else
 * it is refused and finished as above.
 */
bool store_admin_is_free(const struct hygied *hygied, struct peer *peer,
			 const char *event, const char *name);

/* Ends a request because of a store's files. */
void store_admin_fail(struct peer *peer, const char *event, const char *name, int fault,
		      const struct file_error *error);

/* Audits who did what with which store. */
void store_admin_audit(const struct peer *peer, const char *event,
		       enum hygie_outcome outcome, const char *name, const char *user);

/*
 * Puts the user's cards that have a key for stores among the holders, and their
 * certificates beside the store called `name`. `like` says state, grants and until. Of a
 * card that is one already, only that is changed; one that was leaving stays. Returns how
 * many cards he has for it, or a negative errno.
 */
int store_admin_add_user(struct hygied *hygied, const char *name, struct store *store,
			 const char *user, const struct store_holder *like) must_check;
