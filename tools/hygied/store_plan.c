/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores of a login; see store_plan.h.
 */
#include "hygied/store_plan.h"

#include "hygied/store_rights.h"
#include "hygied/stores.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct planned {
	struct store *store;       /* as it was before the PIN; anew after it */
	struct envelope *envelope; /* what the card decrypts is in it */
	struct envelope_task task;
	const struct token_certificate *key; /* the card's */
	struct secret *secret;
};

struct store_plan {
	const struct card *card;
	const char *user;
	const char *name; /* the one that is wanted; NULL: any */
	struct planned planned[STORE_PLAN_MAX];
	struct card_task tasks[STORE_PLAN_MAX];
	size_t count;
};

static const char *const verdicts[] = {
	[ENVELOPE_SHUT] = "does not open",
	[ENVELOPE_OPEN] = "opens",
	[ENVELOPE_OTHER_STORE] = "is another store's",
	[ENVELOPE_OLDER] = "is an older one, put back",
	[ENVELOPE_OTHER_RECIPIENTS] = "has recipients that it was not sealed for",
};

/* The holder that a key is, if it is `user`'s and he may open the store now. */
static const struct store_holder *admit_key(const struct store *store,
					    const struct token_certificate *key,
					    const char *user)
{
	const struct store_holder *holder =
		store_holder_find(store, certificate_key_id(key->certificate));
	enum store_admission admission;

	if (!holder)
		return NULL;
	if (strcmp(holder->user, user) != 0) {
		log_warning("store %s: the card is %s's now, but the right is %s's: give "
			    "it anew by \"hygie store add\"",
			    store->name, user, holder->user);
		return NULL;
	}
	admission = store_holder_admit(holder, time(NULL));
	if (admission == ADMISSION_OK || admission == ADMISSION_PENDING)
		return holder;
	log_info("store %s: %s is not let in: his right is over", store->name, user);
	return NULL;
}

static const struct store_holder *find_holder(const struct store_plan *plan,
					      const struct store *store,
					      const struct token_certificate **ret_key)
{
	const struct store_holder *holder;

	for (size_t i = 0; (*ret_key = card_certificate_at(plan->card, i)); i++) {
		holder = admit_key(store, *ret_key, plan->user);
		if (holder)
			return holder;
	}
	return NULL;
}

/* 0: planned; 1: nothing of this card; negative errno. */
static int plan_store(struct store_plan *plan, const char *name)
{
	struct planned *planned = &plan->planned[plan->count];
	cleanup_envelope struct envelope *envelope = NULL;
	cleanup_store struct store *store = NULL;
	struct file_error error = { "" };
	const struct store_holder *holder;
	int r;

	r = store_load(STORE_FOLDER, name, &store, &error);
	if (r < 0) {
		log_warning("%s", error.text);
		return r;
	}
	holder = find_holder(plan, store, &planned->key);
	if (!holder)
		return 1;
	r = store_envelope_load(STORE_FOLDER, name, &envelope, &error);
	if (r < 0) {
		log_warning("%s", error.text);
		return r;
	}
	r = envelope_find(envelope, planned->key->certificate, holder->wrap,
			  &planned->task);
	if (r < 0) {
		if (r != -ENOENT) /* who is pending is not in it yet */
			log_warning("store %s: its envelope for %s: %s", name,
				    holder->user, error_text(-r));
		return 1;
	}
	plan->tasks[plan->count] = (struct card_task){
		.key = planned->key,
		.operation = planned->task.operation,
		.oaep_hash = planned->task.oaep_hash,
		.data = planned->task.data,
		.size = planned->task.size,
	};
	planned->store = store;
	planned->envelope = envelope;
	store = NULL;
	envelope = NULL;
	plan->count++;
	return 0;
}

static int on_store(void *context, const char *name, const struct store *store,
		    const struct file_error *error)
{
	struct store_plan *plan = context;

	if (!store)
		log_warning("%s", error->text);
	else if (!plan->name || strcmp(plan->name, name) == 0)
		(void)plan_store(plan, name);
	return plan->count == STORE_PLAN_MAX;
}

int store_plan_new(const struct card *card, const char *user, const char *name,
		   struct store_plan **ret_plan)
{
	struct store_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->card = card;
	plan->user = user;
	plan->name = name;
	if (stores_each(STORE_FOLDER, on_store, plan) < 0)
		log_warning("%s cannot be read", STORE_FOLDER);
	plan->user = plan->name = NULL;
	if (name && plan->count == 0) {
		store_plan_free(plan);
		return -ENOENT;
	}
	*ret_plan = plan;
	return 0;
}

void store_plan_forget(struct store_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		secret_free(store_plan_secret(plan, i));
}

void store_plan_free(struct store_plan *plan)
{
	if (!plan)
		return;
	store_plan_forget(plan);
	for (size_t i = 0; i < plan->count; i++) {
		store_free(plan->planned[i].store);
		envelope_free(plan->planned[i].envelope);
	}
	free(plan);
}

const struct card_task *store_plan_tasks(const struct store_plan *plan, size_t *ret_count)
{
	*ret_count = plan->count;
	return plan->tasks;
}

static void audit(const char *event, const struct planned *planned, const char *user,
		  enum hygie_outcome outcome, const char *detail)
{
	log_audit(event, outcome,
		  (const struct log_field[]){
			  { "HYGIE_STORE", planned->store->name },
			  { "HYGIE_USER", user },
			  { "HYGIE_DETAIL", detail },
		  },
		  3);
}

static void complete(struct planned *planned, const struct envelope_opened *opened,
		     const char *user)
{
	struct store_changes changes = { 0 };
	struct file_error error = { "" };
	char text[STORE_CHANGES_SIZE];
	int r = store_complete(STORE_FOLDER, planned->store, planned->envelope, opened,
			       certificate_key_id(planned->key->certificate), time(NULL),
			       &changes, &error);

	if (r < 0)
		log_warning("store %s: what is pending stays so: %s",
			    planned->store->name,
			    error.text[0] ? error.text : error_text(-r));
	if (r == 0 && store_changes_write(&changes, text))
		audit("store-rights", planned, user, HYGIE_OK, text);
}

/*
 * The store as it is now: the PIN took its time, and root may have changed the rights
 * meanwhile, or another's opening sealed them. 0; -EACCES: the right is gone.
 */
static int renew(struct planned *planned, const char *user, uint64_t *ret_known)
{
	cleanup_store struct store *store = NULL;
	struct file_error error = { "" };
	int r = store_load(STORE_FOLDER, planned->store->name, &store, &error);

	if (r < 0) {
		log_warning("%s", error.text);
		return r;
	}
	if (!admit_key(store, planned->key, user))
		return -EACCES;
	/* A store put back from a backup, or another one in its place. */
	if (store->generation < planned->store->generation)
		return -ESTALE;
	*ret_known = planned->store->generation;
	store_free(planned->store);
	planned->store = store;
	store = NULL;
	return 0;
}

static void take(struct planned *planned, const struct secret *given, const char *user)
{
	/* The card decrypted from the envelope that was there before the PIN. */
	struct envelope_store expected = { 0 };
	struct envelope_opened opened = { .verdict = ENVELOPE_SHUT };
	int r = renew(planned, user, &expected.generation);

	expected.name = planned->store->name;
	if (r == 0 && given)
		r = envelope_open(planned->envelope, &planned->task, given, &expected,
				  &opened);
	if (r < 0 || opened.verdict != ENVELOPE_OPEN) {
		audit("store-unsealed", planned, user, HYGIE_REFUSED,
		      r < 0 ? error_text(-r) : verdicts[opened.verdict]);
		secret_free(opened.secret);
		return;
	}
	/* A newer envelope is there already: what it opened for may not be carried on. */
	if (opened.generation >= planned->store->generation)
		complete(planned, &opened, user);
	planned->secret = opened.secret;
}

void store_plan_take(struct store_plan *plan, struct card *card, const char *user,
		     const struct stores *stores)
{
	for (size_t i = 0; i < plan->count; i++) {
		cleanup_secret struct secret *given = card_take_secret(card, i);

		if (!stores_is_reserved(stores, plan->planned[i].store->name))
			take(&plan->planned[i], given, user);
	}
}

const struct store *store_plan_store(const struct store_plan *plan, size_t index)
{
	return index < plan->count ? plan->planned[index].store : NULL;
}

struct secret *store_plan_secret(struct store_plan *plan, size_t index)
{
	struct secret *secret = plan->planned[index].secret;

	plan->planned[index].secret = NULL;
	return secret;
}
