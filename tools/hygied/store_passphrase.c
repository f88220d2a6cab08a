/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening an envelope by the recovery key; see store_passphrase.h.
 */
#include "hygied/store_passphrase.h"

#include "hygied/recovery_key.h"
#include "hygied/store_admin.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define TRIES 3

void store_unlocked_end(struct store_unlocked *unlocked)
{
	store_free(unlocked->store);
	EVP_PKEY_free(unlocked->key);
	secret_free(unlocked->secret);
	*unlocked = (struct store_unlocked){ .store = NULL };
}

void store_passphrase_ask(const struct store_passphrase *asking)
{
	const char *arguments[] = { asking->name };

	peer_ask(asking->peer, 0, TEXT_STORE_PASSPHRASE, arguments, 1);
}

static void finish(const struct store_passphrase *asking, enum hygie_outcome outcome,
		   const char *text)
{
	store_admin_audit(asking->peer, asking->event, outcome, asking->name, NULL);
	peer_finish(asking->peer, outcome, text);
}

/* With the recovery key in hand. 0, or a fault to be told. */
static int open_envelope(struct store_unlocked *unlocked,
			 const uint8_t id[HYGIE_KEY_ID_SIZE], struct file_error *error)
{
	struct store *store = unlocked->store;
	const struct envelope_store expected = { store->name, store->generation,
						 ENVELOPE_OF_STORE };
	struct envelope_opened opened = { 0 };
	struct envelope *envelope = NULL;
	int r = store_envelope_load(STORE_FOLDER, store->name, &envelope, error);

	if (r == 0)
		r = envelope_open_with_key(envelope, unlocked->key, &expected, &opened);
	if (r == 0 && opened.verdict == ENVELOPE_OPEN)
		r = store_complete(STORE_FOLDER, store, envelope, &opened, id, time(NULL),
				   &unlocked->changes, error);
	else if (r == 0 || r == -ENOENT || r == -EKEYREJECTED) {
		(void)snprintf(error->text, sizeof(error->text),
			       "keys.cms does not open by the recovery key, or is an "
			       "older one put back; restore it from a backup");
		r = -EBADMSG;
	}
	unlocked->secret = opened.secret;
	envelope_free(envelope);
	return r == -ENOENT ? -EBADMSG : r;
}

/*
 * The recovery key that the passphrase unlocks: the one that holds, or the one that is to
 * take its place, which holds already if that was cut short. -EKEYREJECTED: none.
 */
static int unlock(const struct store *store, const struct secret *passphrase,
		  EVP_PKEY **ret_key, uint8_t ret_id[HYGIE_KEY_ID_SIZE],
		  struct file_error *error)
{
	const uint8_t *ids[] = { store->recovery, store->recovery_next };
	size_t count = store_recovery_is_pending(store) ? 2 : 1;
	int r = -EKEYREJECTED;

	for (size_t i = 0; i < count && r == -EKEYREJECTED; i++) {
		cleanup_free char *locked = NULL;
		size_t size;

		r = store_recovery_locked(STORE_FOLDER, store->name, ids[i], &locked,
					  &size, error);
		if (r == 0)
			r = recovery_key_unlock(locked, size, passphrase, ret_key);
		memcpy(ret_id, ids[i], HYGIE_KEY_ID_SIZE);
	}
	return r;
}

/*
 * A passphrase that is well-formed. 0; -ECANCELED: it is finished; or a fault to be told.
 */
static int try(const struct store_passphrase *asking, const struct secret *passphrase,
	       struct store_unlocked *unlocked, struct file_error *error)
{
	uint8_t id[HYGIE_KEY_ID_SIZE];
	int r;

	if (!store_admin_is_free(asking->hygied, asking->peer, asking->event,
				 asking->name))
		return -ECANCELED;
	/* As it is after the typing. */
	r = store_load(STORE_FOLDER, asking->name, &unlocked->store, error);
	if (r == 0)
		r = unlock(unlocked->store, passphrase, &unlocked->key, id, error);
	if (r == -EKEYREJECTED) {
		finish(asking, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of another store, or of an older "
			  "recovery key."));
		return -ECANCELED;
	}
	if (r < 0)
		return r;
	if (memcmp(id, unlocked->store->recovery, sizeof(id)) != 0 &&
	    !store_rekeying_is_cut_short(STORE_FOLDER, unlocked->store)) {
		finish(asking, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of the new recovery key, which does "
			  "not hold yet. Type the one of the old page."));
		return -ECANCELED;
	}
	return open_envelope(unlocked, id, error);
}

bool store_passphrase_take(struct store_passphrase *asking, const struct secret *typed,
			   struct store_unlocked *ret_unlocked)
{
	cleanup_secret struct secret *passphrase = NULL;
	cleanup_unlocked struct store_unlocked unlocked = { .store = NULL };
	struct file_error error = { "" };
	int r = recovery_passphrase_read(typed, &passphrase);

	if (r == -EBADMSG || r == -EINVAL) {
		if (++asking->tries == TRIES || secret_size(typed) == 0) {
			finish(asking, HYGIE_GAVE_UP, NULL);
			return false;
		}
		peer_say(asking->peer, WIRE_WARNING, TEXT_STORE_MISTYPED, NULL, 0);
		store_passphrase_ask(asking);
		return false;
	}
	if (r == 0)
		r = try(asking, passphrase, &unlocked, &error);
	if (r == -ECANCELED)
		return false;
	if (r < 0) {
		store_admin_fail(asking->peer, asking->event, asking->name,
				 r == -ENOENT ? -EBADMSG : r, &error);
		return false;
	}
	*ret_unlocked = unlocked;
	unlocked = (struct store_unlocked){ .store = NULL };
	return true;
}
