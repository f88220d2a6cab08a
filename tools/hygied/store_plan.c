/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores of a login; see store_plan.h.
 */
#include "hygied/store_plan.h"

#include "hygied/store_rights.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct planned {
	struct store *store;
	struct envelope *envelope;
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
	time_t now;
};

static const char *const verdicts[] = {
	[ENVELOPE_SHUT] = "does not open",
	[ENVELOPE_OPEN] = "opens",
	[ENVELOPE_OTHER_STORE] = "is another store's",
	[ENVELOPE_OLDER] = "is an older one, put back",
	[ENVELOPE_OTHER_RECIPIENTS] = "has recipients that it was not sealed for",
};

/* The holder that one of the card's keys is, if he may open it now. */
static const struct store_holder *find_holder(const struct store_plan *plan,
					      const struct store *store,
					      const struct token_certificate **ret_key)
{
	const struct token_certificate *key;

	for (size_t i = 0; (key = card_certificate_at(plan->card, i)); i++) {
		const struct store_holder *holder =
			store_holder_find(store, certificate_key_id(key->certificate));
		enum store_admission admission;

		if (!holder)
			continue;
		if (strcmp(holder->user, plan->user) != 0) {
			log_warning("store %s: the card is %s's now, but the right is "
				    "%s's: give it anew by \"hygie store add\"",
				    store->name, plan->user, holder->user);
			continue;
		}
		admission = store_holder_admit(holder, plan->now);
		if (admission == ADMISSION_OK || admission == ADMISSION_PENDING) {
			*ret_key = key;
			return holder;
		}
		log_info("store %s: %s is not let in: his right is over", store->name,
			 holder->user);
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
	plan->now = time(NULL);
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

void store_plan_free(struct store_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		store_free(plan->planned[i].store);
		envelope_free(plan->planned[i].envelope);
		secret_free(plan->planned[i].secret);
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
		     const char *user, time_t now)
{
	struct store_changes changes = { 0 };
	struct file_error error = { "" };
	char text[128];
	int r = store_complete(STORE_FOLDER, planned->store, planned->envelope, opened,
			       certificate_key_id(planned->key->certificate), now,
			       &changes, &error);

	if (r < 0)
		log_warning("store %s: what is pending stays so: %s",
			    planned->store->name,
			    error.text[0] ? error.text : error_text(-r));
	if (r < 0 || (!changes.sealed && !changes.caught_up))
		return;
	(void)snprintf(text, sizeof(text),
		       "generation %" PRIu64 ", %zu granted, %zu left",
		       changes.generation, changes.granted, changes.removed);
	audit("store-rights", planned, user, HYGIE_OK, text);
}

static void take(struct planned *planned, const struct secret *given, const char *user,
		 time_t now)
{
	struct envelope_store expected = { planned->store->name,
					   planned->store->generation };
	struct envelope_opened opened = { .verdict = ENVELOPE_SHUT };
	int r = given ? envelope_open(planned->envelope, &planned->task, given, &expected,
				      &opened)
		      : 0;

	if (r < 0 || opened.verdict != ENVELOPE_OPEN) {
		audit("store-unsealed", planned, user, HYGIE_REFUSED,
		      r < 0 ? error_text(-r) : verdicts[opened.verdict]);
		return;
	}
	complete(planned, &opened, user, now);
	planned->secret = opened.secret;
}

void store_plan_take(struct store_plan *plan, struct card *card, const char *user)
{
	for (size_t i = 0; i < plan->count; i++) {
		cleanup_secret struct secret *given = card_take_secret(card, i);

		take(&plan->planned[i], given, user, plan->now);
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
