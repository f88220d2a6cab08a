/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening an envelope by the recovery key; see store_recover.h.
 */
#include "hygied/store_recover.h"

#include "hygied/recovery_key.h"
#include "hygied/store_admin.h"
#include "hygied/store_rights.h"
#include "libhygie/deadline.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define TYPE_MS (5 * 60 * 1000) /* 28 characters from a page */
#define TRIES 3
#define EVENT "store-recover"

struct recovery {
	struct hygied *hygied;
	struct peer *peer;
	char name[STORE_NAME_MAX + 1];
	unsigned tries;
	sd_event_source *timer;
};

static void recovery_free(void *self)
{
	struct recovery *recovery = self;

	if (!peer_is_finished(recovery->peer))
		store_admin_audit(recovery->peer, EVENT, HYGIE_GAVE_UP, recovery->name,
				  NULL);
	(void)sd_event_source_disable_unref(recovery->timer);
	free(recovery);
}

static void finish(struct recovery *recovery, enum hygie_outcome outcome,
		   const char *text)
{
	store_admin_audit(recovery->peer, EVENT, outcome, recovery->name, NULL);
	peer_finish(recovery->peer, outcome, text);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

static void ask(const struct recovery *recovery)
{
	const char *arguments[] = { recovery->name };

	peer_ask(recovery->peer, 0, TEXT_STORE_PASSPHRASE, arguments, 1);
}

static void tell_done(struct recovery *recovery, const struct store_changes *changes)
{
	char granted[16], removed[16];
	const char *arguments[] = { granted, removed };

	(void)snprintf(granted, sizeof(granted), "%zu", changes->granted);
	(void)snprintf(removed, sizeof(removed), "%zu", changes->removed);
	store_admin_audit(recovery->peer, EVENT, HYGIE_OK, recovery->name, NULL);
	peer_finish_text(recovery->peer, HYGIE_OK, TEXT_STORE_RECOVERED, arguments, 2);
}

/* With the recovery key in hand. 0, and then it is finished; or a fault to be told. */
static int recover(struct recovery *recovery, struct store *store, EVP_PKEY *key,
		   const uint8_t id[HYGIE_KEY_ID_SIZE], struct file_error *error)
{
	const struct envelope_store expected = { store->name, store->generation,
						 ENVELOPE_OF_STORE };
	struct envelope_opened opened = { 0 };
	struct envelope *envelope = NULL;
	struct store_changes changes = { 0 };
	int r = store_envelope_load(STORE_FOLDER, store->name, &envelope, error);

	if (r == 0)
		r = envelope_open_with_key(envelope, key, &expected, &opened);
	if (r == 0 && opened.verdict == ENVELOPE_OPEN)
		r = store_complete(STORE_FOLDER, store, envelope, &opened, id, time(NULL),
				   &changes, error);
	else if (r == 0 || r == -ENOENT || r == -EKEYREJECTED) {
		(void)snprintf(error->text, sizeof(error->text),
			       "keys.cms does not open by the recovery key, or is an "
			       "older one put back; restore it from a backup");
		r = -EBADMSG;
	}
	secret_free(opened.secret);
	envelope_free(envelope);
	if (r == 0)
		tell_done(recovery, &changes);
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

/* A passphrase that is well-formed. 0 when it is finished; or a fault to be told. */
static int try(struct recovery *recovery, const struct secret *passphrase,
	       struct file_error *error)
{
	cleanup_store struct store *store = NULL; /* as it is after the typing */
	EVP_PKEY *key = NULL;
	uint8_t id[HYGIE_KEY_ID_SIZE];
	int r = store_load(STORE_FOLDER, recovery->name, &store, error);

	if (r == 0)
		r = unlock(store, passphrase, &key, id, error);
	if (r == -EKEYREJECTED) {
		finish(recovery, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of another store, or of an older "
			  "recovery key."));
		return 0;
	}
	if (r == 0 && memcmp(id, store->recovery, sizeof(id)) != 0 &&
	    !store_rekeying_is_cut_short(STORE_FOLDER, store))
		finish(recovery, HYGIE_NOT_ALLOWED,
		       N_("That is the passphrase of the new recovery key, which does "
			  "not hold yet. Type the one of the old page."));
	else if (r == 0)
		r = recover(recovery, store, key, id, error);
	EVP_PKEY_free(key);
	return r;
}

static void passphrase_take(struct recovery *recovery, const struct secret *typed)
{
	cleanup_secret struct secret *passphrase = NULL;
	struct file_error error = { "" };
	int r = recovery_passphrase_read(typed, &passphrase);

	if (r == -EBADMSG || r == -EINVAL) {
		if (++recovery->tries == TRIES || secret_size(typed) == 0) {
			finish(recovery, HYGIE_GAVE_UP, NULL);
			return;
		}
		peer_say(recovery->peer, WIRE_WARNING, TEXT_STORE_MISTYPED, NULL, 0);
		ask(recovery);
		return;
	}
	if (r == 0)
		r = try(recovery, passphrase, &error);
	if (r < 0)
		store_admin_fail(recovery->peer, EVENT, recovery->name,
				 r == -ENOENT ? -EBADMSG : r, &error);
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;

	passphrase_take(self, owned);
}

static const struct dialogue recovery_dialogue = {
	.answer = on_answer,
	.free = recovery_free,
};

void store_recover_serve(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request)
{
	cleanup_store struct store *store = store_admin_load(peer, request, EVENT);
	struct recovery *recovery;

	if (!store)
		return;
	recovery = calloc(1, sizeof(*recovery));
	if (!recovery) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	recovery->hygied = hygied;
	recovery->peer = peer;
	memcpy(recovery->name, store->name, sizeof(recovery->name));
	peer_set_dialogue(peer, &recovery_dialogue, recovery);
	if (sd_event_add_time(hygied->loop, &recovery->timer, CLOCK_MONOTONIC,
			      deadline_after(TYPE_MS), 1000, on_late, recovery) < 0)
		finish(recovery, HYGIE_FAULT, NULL);
	else
		ask(recovery);
}
