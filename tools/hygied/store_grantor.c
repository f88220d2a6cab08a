/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a store by the card of a holder who may grant; see store_grantor.h.
 */
#include "hygied/store_grantor.h"

#include "hygied/store_successor.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct store_grantor {
	char user[HYGIE_USER_MAX];
	struct store *store;                 /* as it was before the PIN */
	const struct token_certificate *key; /* the card's, and this holder's */
	enum envelope_wrap wrap;
	struct envelope *envelopes[STORE_ENVELOPES]; /* what is decrypted is in them */
	struct card_task tasks[STORE_ENVELOPES];
	size_t count;
};

void store_grantor_free(struct store_grantor *grantor)
{
	if (!grantor)
		return;
	store_free(grantor->store);
	for (size_t i = 0; i < STORE_ENVELOPES; i++)
		envelope_free(grantor->envelopes[i]);
	free(grantor);
}
define_cleanup(cleanup_grantor_function, struct store_grantor, store_grantor_free)
#define cleanup_grantor cleanup_with(cleanup_grantor_function)

	/* Whether the holder is still, or at all, one who may. NULL: he is; else why not. */
	static const
	char *refuse(const struct store_holder *holder, const char *user, time_t now)
{
	if (!holder || strcmp(holder->user, user) != 0)
		return N_("This card does not open that store. \"hygie store check\" "
			  "tells an administrator whose does.");
	if (store_holder_admit(holder, now) == ADMISSION_PENDING)
		return N_(
			"The right of this card in that store is only pending. Take the "
			"card of a holder who may grant, or the recovery passphrase.");
	if (store_holder_admit(holder, now) != ADMISSION_OK)
		return N_(
			"The right of this card in that store is over. Take the card of "
			"a holder who may grant, or the recovery passphrase.");
	if (!store_holder_may_grant(holder, now))
		return N_("This card opens that store, but may not grant: it was added "
			  "with --no-grant. Take the card of a holder who may, or the "
			  "recovery passphrase.");
	return NULL;
}

/* The first key of the card that may; else why the last that is a holder's may not. */
static const char *key_find(struct store_grantor *grantor, const struct card *card)
{
	const char *why = refuse(NULL, grantor->user, 0);
	const struct token_certificate *key;

	for (size_t i = 0; (key = card_certificate_at(card, i)); i++) {
		const struct store_holder *holder = store_holder_find(
			grantor->store, certificate_key_id(key->certificate));

		if (!holder)
			continue;
		why = refuse(holder, grantor->user, time(NULL));
		if (why)
			continue;
		grantor->key = key;
		grantor->wrap = holder->wrap;
		return NULL;
	}
	return why;
}

/* What the card has to do for that envelope. Errors of envelope_find(). */
static int task_add(struct store_grantor *grantor, enum store_envelope which,
		    const struct envelope *envelope)
{
	struct envelope_task task;
	int r = envelope_find(envelope, grantor->key->certificate, grantor->wrap, &task);

	if (r < 0)
		return r;
	grantor->tasks[which] = (struct card_task){
		.key = grantor->key,
		.operation = task.operation,
		.oaep_hash = task.oaep_hash,
		.data = task.data,
		.size = task.size,
	};
	grantor->count++;
	return 0;
}

/* Whether that means: the envelope is for others. */
static bool is_for_others(int fault)
{
	return fault == -ENOENT || fault == -EKEYREJECTED;
}

static enum hygie_outcome own_add(struct store_grantor *grantor, const char **ret_text)
{
	struct envelope **envelope = &grantor->envelopes[STORE_ENVELOPE_OWN];
	struct file_error error = { "" };
	int r;

	if (store_envelope_load(STORE_FOLDER, grantor->store->name, envelope, &error) <
	    0) {
		log_warning("%s", error.text);
		return HYGIE_BROKEN_SETUP;
	}
	r = task_add(grantor, STORE_ENVELOPE_OWN, *envelope);
	if (is_for_others(r))
		*ret_text = N_("The store's envelope (keys.cms) is not for this card: "
			       "somebody else has changed it, or put an older one back. "
			       "Restore it from a backup.");
	return r == 0 ? HYGIE_OK : is_for_others(r) ? HYGIE_BROKEN_SETUP : HYGIE_FAULT;
}

/* What cannot be gone on with at all is told later, with the way out. */
static enum hygie_outcome staged_add(struct store_grantor *grantor, const char **ret_text)
{
	struct envelope **envelope = &grantor->envelopes[STORE_ENVELOPE_STAGED];
	int r;

	if (store_successor_envelope(grantor->store->name, envelope) < 0)
		return HYGIE_OK;
	r = task_add(grantor, STORE_ENVELOPE_STAGED, *envelope);
	if (is_for_others(r))
		*ret_text =
			N_("The copy that an earlier run began is not for this card. "
			   "Take the card of a holder for whom it is, or the recovery "
			   "passphrase; or remove it with --abandon.");
	return r == 0 ? HYGIE_OK : is_for_others(r) ? HYGIE_REFUSED : HYGIE_FAULT;
}

static enum hygie_outcome plan(struct store_grantor *grantor, const struct card *card,
			       const char **ret_text)
{
	enum hygie_outcome outcome;

	*ret_text = key_find(grantor, card);
	if (*ret_text)
		return HYGIE_REFUSED;
	outcome = own_add(grantor, ret_text);
	return outcome == HYGIE_OK ? staged_add(grantor, ret_text) : outcome;
}

enum hygie_outcome store_grantor_new(const struct card *card, const char *user,
				     const char *store,
				     struct store_grantor **ret_grantor,
				     const char **ret_text)
{
	cleanup_grantor struct store_grantor *grantor = calloc(1, sizeof(*grantor));
	struct file_error error = { "" };
	enum hygie_outcome outcome;

	*ret_text = NULL;
	if (!grantor)
		return HYGIE_FAULT;
	(void)snprintf(grantor->user, sizeof(grantor->user), "%s", user);
	if (store_load(STORE_FOLDER, store, &grantor->store, &error) < 0) {
		log_warning("%s", error.text);
		return HYGIE_BROKEN_SETUP;
	}
	outcome = plan(grantor, card, ret_text);
	if (outcome != HYGIE_OK)
		return outcome;
	*ret_grantor = grantor;
	grantor = NULL;
	return HYGIE_OK;
}

const struct card_task *store_grantor_tasks(const struct store_grantor *grantor,
					    size_t *ret_count)
{
	*ret_count = grantor->count;
	return grantor->tasks;
}

static const char changed[] =
	N_("The store was changed while the PIN was typed. Try again.");

/* Loads the store as it is now. HYGIE_OK: the holder may still, and nobody sealed it anew. */
static enum hygie_outcome renew(const struct store_grantor *grantor, time_t now,
				struct store_unlocked *unlocked, const char **ret_text,
				struct file_error *error)
{
	const uint8_t *id = certificate_key_id(grantor->key->certificate);
	const struct store *before = grantor->store;
	int r = store_load(STORE_FOLDER, before->name, &unlocked->store, error);

	if (r < 0)
		return HYGIE_BROKEN_SETUP;
	*ret_text = refuse(store_holder_find(unlocked->store, id), grantor->user, now);
	if (!*ret_text && unlocked->store->generation != before->generation)
		*ret_text = changed;
	if (*ret_text)
		return HYGIE_REFUSED;
	memcpy(unlocked->key.id, id, sizeof(unlocked->key.id));
	unlocked->key.wrap = grantor->wrap;
	r = store_certificate_load(STORE_FOLDER, before->name, id,
				   &unlocked->key.certificate, error);
	return r < 0 ? HYGIE_BROKEN_SETUP : HYGIE_OK;
}

/* What the card gave. False: it could not do it. */
static bool given_take(const struct store_grantor *grantor, struct card *card,
		       struct store_key *key)
{
	bool all = true;

	for (size_t i = 0; i < grantor->count; i++) {
		key->given[i] = card_take_secret(card, i);
		all = all && key->given[i] && secret_size(key->given[i]) > 0;
	}
	return all;
}

enum hygie_outcome store_grantor_take(struct store_grantor *grantor, struct card *card,
				      struct store_unlocked *ret_unlocked,
				      const char **ret_text, struct file_error *ret_error)
{
	cleanup_unlocked struct store_unlocked unlocked = { .store = NULL };
	time_t now = time(NULL);
	enum hygie_outcome outcome;

	*ret_text = NULL;
	if (!given_take(grantor, card, &unlocked.key))
		return HYGIE_CARD_BROKEN;
	outcome = renew(grantor, now, &unlocked, ret_text, ret_error);
	if (outcome != HYGIE_OK)
		return outcome;
	if (store_unlock(&unlocked, now, ret_error) < 0)
		return HYGIE_BROKEN_SETUP;
	*ret_unlocked = unlocked;
	unlocked = (struct store_unlocked){ .store = NULL };
	return HYGIE_OK;
}
