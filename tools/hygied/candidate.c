/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing among the cards that are in; see candidate.h.
 */
#include "hygied/candidate.h"

#include "libhygie/log.h"
#include "libhygie/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of several cards, the one that is most likely the person's own is spoken of. */
static int closeness(enum hygie_outcome problem)
{
	switch (problem) {
	case HYGIE_OK:
		return 0;
	case HYGIE_CARD_OTHER_USER:
		return 1;
	case HYGIE_CARD_UNKNOWN:
		return 2;
	case HYGIE_CARD_UNTRUSTED:
		return 3;
	case HYGIE_CARD_REVOKED:
		return 5;
	default: /* it cannot be read: it may be anybody's */
		return 4;
	}
}

static void note_problem(struct candidates *candidates, enum hygie_outcome problem,
			 const char *text)
{
	if (closeness(problem) < closeness(candidates->problem))
		return;
	candidates->problem = problem;
	(void)snprintf(candidates->problem_text, sizeof(candidates->problem_text), "%s",
		       text ? text : "");
}

static void add_candidate(struct candidates *candidates, struct card *card,
			  const char *user)
{
	size_t index = candidates->count;

	if (index >= CANDIDATES_MAX)
		return;
	candidates->card[index] = card;
	(void)snprintf(candidates->user[index], HYGIE_USER_MAX, "%s", user);
	candidates->count++;
}

bool enrolment_names(const struct enrolment *enrolment,
		     const struct token_certificate *entry)
{
	return entry->has_identity && entry->verdict.scheme &&
	       strcmp(enrolment->scheme, entry->verdict.scheme->name) == 0 &&
	       strcmp(enrolment->person_id, entry->identity.person_id) == 0 &&
	       memcmp(enrolment->issuer_key_id, entry->verdict.issuer_key_id,
		      HYGIE_KEY_ID_SIZE) == 0;
}

/* Whether the enrolment lets the wanted user in; HYGIE_OK or why not. */
static enum hygie_outcome judge_enrolment(const struct enrolment *enrolment,
					  const struct wanted *wanted,
					  const struct token_certificate *entry)
{
	if (enrolment->state != ENROLMENT_ACTIVE)
		return HYGIE_CARD_REVOKED;
	if (wanted->user[0] && strcmp(wanted->user, enrolment->user) != 0)
		return HYGIE_CARD_OTHER_USER;
	return enrolment_names(enrolment, entry) ? HYGIE_OK : HYGIE_CARD_UNKNOWN;
}

static int look_up(struct hygied *hygied, const struct wanted *wanted, struct card *card,
		   struct candidates *candidates)
{
	const struct token_certificate *entry = card_certificate(card);
	struct enrolment enrolment;
	enum hygie_outcome outcome;
	int r;

	r = registry_find_card(hygied->registry, certificate_key_id(entry->certificate),
			       &enrolment);
	if (r == -ENOENT) {
		note_problem(candidates, HYGIE_CARD_UNKNOWN, NULL);
		return 0;
	}
	if (r < 0)
		return r;
	outcome = judge_enrolment(&enrolment, wanted, entry);
	if (outcome == HYGIE_OK)
		add_candidate(candidates, card, enrolment.user);
	else
		note_problem(candidates, outcome, NULL);
	return 0;
}

static int look_at_readable(struct hygied *hygied, const struct wanted *wanted,
			    struct card *card, struct candidates *candidates)
{
	struct trust_verdict verdict;
	int r;

	if (wanted->any) {
		add_candidate(candidates, card, "");
		return 0;
	}
	if (!card_certificate(card)) {
		note_problem(
			candidates, HYGIE_CARD_UNREADABLE,
			N_("There is no certificate on the card. It must be personalised "
			   "by its issuer first."));
		return 0;
	}
	r = card_judge(card, &verdict);
	if (r < 0)
		return r;
	if (verdict.reason != TRUST_OK) {
		note_problem(candidates, HYGIE_CARD_UNTRUSTED,
			     trust_reason_text(verdict.reason));
		return 0;
	}
	if (!wanted->enrolment)
		return look_up(hygied, wanted, card, candidates);
	add_candidate(candidates, card, "");
	return 0;
}

static int look_at(struct hygied *hygied, const struct wanted *wanted, struct card *card,
		   struct candidates *candidates)
{
	const char *detail;

	if (wanted->reader[0] && strcmp(wanted->reader, card_reader(card)) != 0)
		return 0;
	switch (card_state(card)) {
	case CARD_READING:
	case CARD_LEAVING:
		candidates->reading = true;
		return 0;
	case CARD_UNREADABLE:
		note_problem(candidates, card_problem(card, &detail), NULL);
		return 0;
	default:
		return look_at_readable(hygied, wanted, card, candidates);
	}
}

int candidates_find(struct hygied *hygied, const struct wanted *wanted,
		    struct candidates *ret_candidates)
{
	struct candidates candidates = { .problem = HYGIE_OK };
	struct card *card;

	for (size_t i = 0; (card = cards_at(hygied->cards, i)); i++) {
		int r = look_at(hygied, wanted, card, &candidates);

		if (r < 0)
			return r;
	}
	*ret_candidates = candidates;
	return 0;
}
