/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out changes of who may open a store; see store_rights.h. The envelope of the
 * next generation is on the disk before the store.ini that names it: a kill in between
 * leaves an envelope newer than store.ini, which the next opening notices.
 */
#include "hygied/store_rights.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

/* One sealing: what the new envelope needs. */
struct sealing {
	struct certificate *certificates[STORE_HOLDERS_MAX];
	struct envelope_recipient recipients[STORE_HOLDERS_MAX + 1];
	size_t count;
	EVP_PKEY *recovery;
	uint8_t *der;
	size_t size;
};

static void sealing_free(struct sealing *sealing)
{
	if (!sealing)
		return;
	for (size_t i = 0; i < STORE_HOLDERS_MAX; i++)
		certificate_free(sealing->certificates[i]);
	EVP_PKEY_free(sealing->recovery);
	OPENSSL_free(sealing->der);
	free(sealing);
}
define_cleanup(cleanup_sealing_function, struct sealing, sealing_free)
#define cleanup_sealing cleanup_with(cleanup_sealing_function)

	/* Whether a holder is one after the next sealing. */
	static bool holder_stays(const struct store_holder *holder, time_t now)
{
	enum store_admission admission = store_holder_admit(holder, now);

	return admission == ADMISSION_OK || admission == ADMISSION_PENDING;
}

bool store_wants_completing(const struct store *store, time_t now)
{
	for (size_t i = 0; i < store->count; i++)
		if (store_holder_admit(&store->holders[i], now) != ADMISSION_OK)
			return true;
	return store->rotate || store_recovery_is_pending(store);
}

static bool opener_grants(const struct store *store,
			  const uint8_t opener[HYGIE_KEY_ID_SIZE], time_t now)
{
	if (memcmp(opener, store->recovery, HYGIE_KEY_ID_SIZE) == 0)
		return true;
	return store_holder_may_grant(store_holder_find(store, opener), now);
}

/* Writes the new state, and only then takes it over. */
static int store_replace(const char *folder, struct store *store, struct store *new)
{
	struct store old = *store;
	int r = store_save(folder, new);

	if (r < 0)
		return r;
	*store = *new;
	*new = old; /* its holders are freed with it */
	/* The change is done: what is left over harms nobody, and goes with the next. */
	r = store_certificates_tidy(folder, store);
	if (r < 0)
		log_warning("store %s: a certificate that is nobody's any more stays in "
			    "holders: %s",
			    store->name, error_text(-r));
	return 0;
}

bool store_changes_write(const struct store_changes *changes,
			 char ret_text[STORE_CHANGES_SIZE])
{
	if (!changes->sealed && !changes->caught_up)
		return false;
	(void)snprintf(ret_text, STORE_CHANGES_SIZE,
		       "generation %" PRIu64 ", %zu granted, %zu left",
		       changes->generation, changes->granted, changes->removed);
	return true;
}

static void take_next_recovery(struct store *store, struct store_changes *changes)
{
	memcpy(store->recovery, store->recovery_next, sizeof(store->recovery));
	memset(store->recovery_next, 0, sizeof(store->recovery_next));
	changes->rekeyed = true;
}

/*
 * 1: the envelope has the holder as a recipient, 0: not. Who holds already may be wrapped
 * in another way than his card's is now: that comes with the next envelope.
 */
static int envelope_has(const char *folder, const struct store *store,
			const struct envelope *envelope,
			const struct store_holder *holder, struct file_error *error)
{
	cleanup_certificate struct certificate *certificate = NULL;
	enum envelope_wrap wrap =
		holder->state == RIGHT_HELD ? ENVELOPE_WRAP_NONE : holder->wrap;
	struct envelope_task task;
	int r = store_certificate_load(folder, store->name, holder->key_id, &certificate,
				       error);

	if (r < 0)
		return r;
	r = envelope_find(envelope, certificate, wrap, &task);
	return r == -ENOENT || r == -EKEYREJECTED ? 0 : r < 0 ? r : 1;
}

/* 1: the envelope has the recovery key that is to come as a recipient, 0: not. */
static int envelope_has_next(const char *folder, const struct store *store,
			     const struct envelope *envelope, struct file_error *error)
{
	struct envelope_task task;
	EVP_PKEY *key = NULL;
	int r;

	if (!store_recovery_is_pending(store))
		return 0;
	r = store_recovery_load(folder, store->name, store->recovery_next, &key, error);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	r = envelope_find_key(envelope, key, ENVELOPE_WRAP_EC, &task);
	EVP_PKEY_free(key);
	return r == -ENOENT || r == -EKEYREJECTED ? 0 : r < 0 ? r : 1;
}

bool store_rekeying_is_cut_short(const char *folder, const struct store *store)
{
	struct envelope *envelope = NULL;
	bool cut = store_envelope_load(folder, store->name, &envelope, NULL) == 0 &&
		   envelope_has_next(folder, store, envelope, NULL) > 0;

	envelope_free(envelope);
	return cut;
}

/*
 * The envelope is newer than store.ini: its sealing was cut short after the envelope, so
 * what it was to change has happened to those whom it has, or has no more. Or an older
 * store.ini was put back: who is a holder there, and was removed since, does not come back.
 */
static int catch_up(const char *folder, struct store *store,
		    const struct envelope *envelope, uint64_t generation,
		    struct store_changes *changes, struct file_error *error)
{
	cleanup_store struct store *new = NULL;
	int r = store_copy(store, &new);

	if (r < 0)
		return r;
	for (size_t i = new->count; i-- > 0;) {
		struct store_holder *holder = &new->holders[i];

		r = envelope_has(folder, store, envelope, holder, error);
		if (r < 0)
			return r;
		if (r > 0 && holder->state == RIGHT_PENDING) {
			holder->state = RIGHT_HELD;
			changes->granted++;
		} else if (r == 0 && holder->state != RIGHT_PENDING) {
			store_holder_drop(new, holder);
			changes->removed++;
		}
	}
	r = envelope_has_next(folder, store, envelope, error);
	if (r < 0)
		return r;
	if (r > 0)
		take_next_recovery(new, changes);
	new->generation = generation;
	new->rotate = false;
	r = store_replace(folder, store, new);
	changes->caught_up = r == 0;
	return r;
}

static int recipients_collect(const char *folder, const char *place,
			      const struct store *new, struct sealing *sealing,
			      struct file_error *error)
{
	int r = 0;

	for (size_t i = 0; i < new->count; i++) {
		r = store_certificate_load(folder, place, new->holders[i].key_id,
					   &sealing->certificates[i], error);
		if (r < 0)
			return r == -ENOENT ? -EBADMSG : r;
		sealing->recipients[sealing->count++] = (struct envelope_recipient){
			X509_get0_pubkey(certificate_x509(sealing->certificates[i])),
			new->holders[i].wrap,
		};
	}
	r = store_recovery_load(folder, place, new->recovery, &sealing->recovery, error);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	sealing->recipients[sealing->count++] =
		(struct envelope_recipient){ sealing->recovery, ENVELOPE_WRAP_EC };
	return 0;
}

int store_seal(const char *folder, const struct store *store, const struct secret *secret,
	       struct file_error *ret_error)
{
	return store_seal_at(folder, store->name, store, secret, ret_error);
}

int store_seal_at(const char *folder, const char *place, const struct store *store,
		  const struct secret *secret, struct file_error *ret_error)
{
	const struct envelope_store for_store = { store->name, store->generation,
						  ENVELOPE_OF_STORE };
	cleanup_sealing struct sealing *sealing = calloc(1, sizeof(*sealing));
	int r;

	if (!sealing)
		return -ENOMEM;
	r = recipients_collect(folder, place, store, sealing, ret_error);
	if (r == 0)
		r = envelope_seal(secret, &for_store, sealing->recipients, sealing->count,
				  &sealing->der, &sealing->size);
	if (r == 0)
		r = store_envelope_save(folder, place, sealing->der, sealing->size);
	return r;
}

/* The store as it is to be: those who stay are held, the others are none. */
static void holders_settle(struct store *new, time_t now, struct store_changes *changes)
{
	for (size_t i = new->count; i-- > 0;) {
		struct store_holder *holder = &new->holders[i];

		if (!holder_stays(holder, now)) {
			store_holder_drop(new, holder);
			changes->removed++;
		} else if (holder->state == RIGHT_PENDING) {
			holder->state = RIGHT_HELD;
			changes->granted++;
		}
	}
}

static int seal_anew(const char *folder, struct store *store, const struct secret *secret,
		     time_t now, struct store_changes *changes, struct file_error *error)
{
	struct store_changes done = *changes;
	cleanup_store struct store *new = NULL;
	int r = store_copy(store, &new);

	if (r < 0)
		return r;
	holders_settle(new, now, &done);
	if (store_recovery_is_pending(new))
		take_next_recovery(new, &done);
	new->generation++;
	new->rotate = false;
	r = store_seal(folder, new, secret, error);
	if (r == 0)
		r = store_replace(folder, store, new);
	if (r < 0)
		return r;
	done.sealed = true;
	*changes = done;
	return 0;
}

int store_complete(const char *folder, struct store *store,
		   const struct envelope *envelope, const struct envelope_opened *opened,
		   const uint8_t opener[HYGIE_KEY_ID_SIZE], time_t now,
		   struct store_changes *ret_changes, struct file_error *ret_error)
{
	struct store_changes changes = { .sealed = false };
	int r = 0;

	if (opened->verdict != ENVELOPE_OPEN || opened->generation < store->generation)
		return -EINVAL;
	if (ret_error)
		ret_error->text[0] = '\0';
	if (opened->generation > store->generation)
		r = catch_up(folder, store, envelope, opened->generation, &changes,
			     ret_error);
	if (r == 0 && opener_grants(store, opener, now) &&
	    (store_wants_completing(store, now) || !opened->names_recipients))
		r = seal_anew(folder, store, opened->secret, now, &changes, ret_error);
	if (r < 0)
		return r;
	/* Each time: it may have been cut short. Every key is found where it is now, too. */
	r = store_recovery_tidy(folder, store);
	if (r < 0)
		log_warning("store %s: files of a recovery key are not in their place "
			    "yet: %s",
			    store->name, error_text(-r));
	changes.generation = store->generation;
	*ret_changes = changes;
	return 0;
}
