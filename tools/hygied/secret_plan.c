/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login secret in a login; see secret_plan.h.
 */
#include "hygied/secret_plan.h"

#include "hygied/secret_cards.h"
#include "hygied/secret_file.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

struct secret_plan {
	const char *home;
	char user[HYGIE_USER_MAX];
	struct secret_file *file; /* as it was before the PIN; NULL: cannot be read */
	struct envelope_task found;
	struct card_task task;
	bool has_task;
	char problem[256]; /* why there is nothing to ask the card; "": there is */
};

static const char *const verdicts[] = {
	[ENVELOPE_SHUT] = "it does not open",
	[ENVELOPE_OPEN] = "it opens",
	[ENVELOPE_OTHER_STORE] = "it is another user's, or a store's",
	[ENVELOPE_OLDER] = "it is an older one",
	[ENVELOPE_OTHER_RECIPIENTS] = "it has recipients that it was not sealed for",
};

static void complain(struct secret_plan *plan, const char *problem)
{
	(void)snprintf(plan->problem, sizeof(plan->problem), "%s", problem);
}

static void audit(const struct secret_plan *plan, const char *event,
		  enum hygie_outcome outcome, const char *detail)
{
	log_audit(event, outcome,
		  (const struct log_field[]){
			  { "HYGIE_USER", plan->user },
			  { "HYGIE_DETAIL", detail },
		  },
		  2);
}

/* The key of the card that the registry knows as one of the user's, and how it opens. */
static const struct secret_card *own_key(const struct secret_cards *cards,
					 const struct card *card,
					 const struct token_certificate **ret_key)
{
	const struct secret_card *own = NULL;

	for (size_t i = 0; !own && (*ret_key = card_certificate_at(card, i)); i++)
		own = secret_cards_find(cards,
					certificate_key_id((*ret_key)->certificate));
	return own;
}

static int task_make(struct secret_plan *plan, struct registry *registry,
		     const struct card *card)
{
	cleanup_secret_cards struct secret_cards *cards = NULL;
	const struct token_certificate *key;
	const struct secret_card *own;
	int r;

	r = secret_cards_read(registry, plan->user, &cards);
	if (r < 0) {
		complain(plan, error_text(-r));
		return r == -ENOMEM ? r : 0;
	}
	own = own_key(cards, card, &key);
	if (!own) {
		complain(plan, "this card has no key that opens it");
		return 0;
	}
	r = envelope_find(plan->file->envelope, key->certificate, own->wrap,
			  &plan->found);
	if (r < 0) {
		complain(plan, r == -ENOENT ? "this card is not in its envelope"
					    : error_text(-r));
		return r == -ENOMEM ? r : 0;
	}
	plan->has_task = true;
	plan->task = (struct card_task){
		.key = key,
		.operation = plan->found.operation,
		.oaep_hash = plan->found.oaep_hash,
		.data = plan->found.data,
		.size = plan->found.size,
	};
	return 0;
}

int secret_plan_new(const char *home, struct registry *registry, const struct card *card,
		    const char *user, struct secret_plan **ret_plan)
{
	struct secret_plan *plan = calloc(1, sizeof(*plan));
	struct file_error error = { "" };
	int r;

	if (!plan)
		return -ENOMEM;
	plan->home = home;
	(void)snprintf(plan->user, sizeof(plan->user), "%s", user);
	r = secret_file_load(home, user, SECRET_ON, &plan->file, &error);
	if (r < 0 && r != -ENOENT && r != -ENOMEM) {
		complain(plan, error.text[0] ? error.text : error_text(-r));
		r = 0;
	} else if (r == 0) {
		r = task_make(plan, registry, card);
	}
	if (r < 0) {
		secret_plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

void secret_plan_free(struct secret_plan *plan)
{
	if (!plan)
		return;
	secret_file_free(plan->file);
	free(plan);
}

const struct card_task *secret_plan_task(const struct secret_plan *plan)
{
	return plan->has_task ? &plan->task : NULL;
}

/* The card took its time: what root put aside or replaced meanwhile is not given. */
static bool stands_still(struct secret_plan *plan)
{
	cleanup_secret_file struct secret_file *now = NULL;
	struct file_error error = { "" };
	int r = secret_file_load(plan->home, plan->user, SECRET_ON, &now, &error);

	if (r == 0 && secret_file_equals(plan->file, now))
		return true;
	if (r == 0)
		complain(plan, "it was replaced while the card was at work");
	else if (r == -ENOENT)
		complain(plan, "it was put aside or removed while the card was at work");
	else
		complain(plan, error.text[0] ? error.text : error_text(-r));
	return false;
}

/* One that was made for cards that are not his any more, or not for all of them. */
static void seal_anew(const struct secret_plan *plan, struct registry *registry,
		      const struct envelope_opened *opened)
{
	cleanup_secret_cards struct secret_cards *cards = NULL;
	uint8_t *der = NULL;
	char detail[128];
	size_t size;
	int r;

	r = secret_cards_read(registry, plan->user, &cards);
	if (r == 0 && secret_cards_fit(cards, plan->file->envelope) &&
	    opened->names_recipients)
		return;
	if (r == 0 && opened->generation == UINT64_MAX)
		r = -EOVERFLOW;
	if (r == 0)
		r = secret_cards_seal(cards, plan->user, opened->generation + 1,
				      opened->secret, &der, &size);
	if (r == 0)
		r = secret_file_save(plan->home, plan->user, SECRET_ON, der, size);
	OPENSSL_free(der);
	if (r < 0)
		(void)snprintf(detail, sizeof(detail), "it stays as it is: %s",
			       error_text(-r));
	else
		(void)snprintf(detail, sizeof(detail),
			       "generation %" PRIu64 ", %zu cards",
			       opened->generation + 1, cards->count);
	audit(plan, "secret-sealed", r < 0 ? HYGIE_BROKEN_SETUP : HYGIE_OK, detail);
}

struct secret *secret_plan_take(struct secret_plan *plan, struct registry *registry,
				const struct secret *given)
{
	const struct envelope_store expected = { plan->user, 1, ENVELOPE_OF_USER };
	struct envelope_opened opened = { .verdict = ENVELOPE_SHUT };
	int r = 0;

	if (plan->has_task && given && secret_size(given) == 0)
		complain(plan, "the card did not decrypt it, or had no time left");
	if (!plan->problem[0] && stands_still(plan) && given)
		r = envelope_open(plan->file->envelope, &plan->found, given, &expected,
				  &opened);
	if (opened.verdict == ENVELOPE_OPEN) {
		seal_anew(plan, registry, &opened);
		return opened.secret;
	}
	audit(plan, "secret-open", HYGIE_REFUSED,
	      plan->problem[0] ? plan->problem
	      : r < 0          ? error_text(-r)
			       : verdicts[opened.verdict]);
	return NULL;
}
