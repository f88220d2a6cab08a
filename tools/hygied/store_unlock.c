/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a store's envelope with a key in hand; see store_unlock.h.
 */
#include "hygied/store_unlock.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

void store_unlocked_end(struct store_unlocked *unlocked)
{
	store_free(unlocked->store);
	EVP_PKEY_free(unlocked->key.recovery);
	certificate_free(unlocked->key.certificate);
	for (size_t i = 0; i < STORE_ENVELOPES; i++)
		secret_free(unlocked->key.given[i]);
	secret_free(unlocked->secret);
	*unlocked = (struct store_unlocked){ .store = NULL };
}

int store_key_open(const struct store_key *key, enum store_envelope which,
		   const struct envelope *envelope, const struct envelope_store *expected,
		   struct envelope_opened *ret_opened)
{
	struct envelope_task task;
	int r;

	if (key->recovery)
		return envelope_open_with_key(envelope, key->recovery, expected,
					      ret_opened);
	if (!key->given[which])
		return -EAGAIN;
	r = envelope_find(envelope, key->certificate, key->wrap, &task);
	return r < 0 ? r
		     : envelope_open(envelope, &task, key->given[which], expected,
				     ret_opened);
}

int store_unlock(struct store_unlocked *unlocked, time_t now,
		 struct file_error *ret_error)
{
	struct store *store = unlocked->store;
	const struct envelope_store expected = { store->name, store->generation,
						 ENVELOPE_OF_STORE };
	cleanup_envelope struct envelope *envelope = NULL;
	struct envelope_opened opened = { 0 };
	int r = store_envelope_load(STORE_FOLDER, store->name, &envelope, ret_error);

	if (r == 0)
		r = store_key_open(&unlocked->key, STORE_ENVELOPE_OWN, envelope,
				   &expected, &opened);
	unlocked->secret = opened.secret;
	if (r == 0 && opened.verdict == ENVELOPE_OPEN)
		r = store_complete(STORE_FOLDER, store, envelope, &opened,
				   unlocked->key.id, now, &unlocked->changes, ret_error);
	else if (r == 0 || r == -ENOENT || r == -EKEYREJECTED) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			       "keys.cms does not open by %s, or is an older one put "
			       "back; restore it from a backup",
			       unlocked->key.recovery ? "the recovery key" : "this card");
		r = -EBADMSG;
	}
	if (r == 0 && store_wants_completing(store, now)) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			       "what is pending was not carried out");
		r = -EBADMSG;
	}
	return r == -ENOENT ? -EBADMSG : r;
}
