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
	struct store_key *key = &unlocked->key;
	int r;

	if (!store_admin_is_free(asking->hygied, asking->peer, asking->event,
				 asking->name))
		return -ECANCELED;
	/* As it is after the typing. */
	r = store_load(STORE_FOLDER, asking->name, &unlocked->store, error);
	if (r == 0)
		r = unlock(unlocked->store, passphrase, &key->recovery, key->id, error);
	if (r == -EKEYREJECTED) {
		finish(asking, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of another store, or of an older "
			  "recovery key."));
		return -ECANCELED;
	}
	if (r < 0)
		return r;
	if (memcmp(key->id, unlocked->store->recovery, sizeof(key->id)) != 0 &&
	    !store_rekeying_is_cut_short(STORE_FOLDER, unlocked->store)) {
		finish(asking, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of the new recovery key, which does "
			  "not hold yet. Type the one of the old page."));
		return -ECANCELED;
	}
	return store_unlock(unlocked, time(NULL), error);
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
