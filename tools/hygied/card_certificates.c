/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a card's certificates are worth; see card_certificates.h.
 */
#include "hygied/card_certificates.h"

#include <errno.h>

time_t card_time(const struct card_environment *environment)
{
	time_t now = time(NULL);

	return now > environment->time_floor ? now : environment->time_floor;
}

int card_certificate_judge(const struct token_certificate *entry,
			   const struct card_environment *environment,
			   struct trust_verdict *ret_verdict)
{
	struct trust_options options = {
		.allow_test = environment->settings->allow_test_cards
	};

	return trust_verify(environment->trust, entry->certificate,
			    card_time(environment), &options, ret_verdict);
}

void card_certificates_judge(struct token_report *token,
			     const struct card_environment *environment)
{
	for (size_t i = 0; i < token->count; i++) {
		struct token_certificate *entry = &token->certificates[i];
		char reason[HYGIE_TEXT_MAX];

		if (card_certificate_judge(entry, environment, &entry->verdict) < 0)
			entry->verdict =
				(struct trust_verdict){ .reason = TRUST_UNDECIDED };
		entry->has_identity =
			entry->verdict.scheme &&
			identity_read(entry->verdict.scheme, entry->certificate,
				      &entry->identity, reason, sizeof(reason)) == 0;
	}
}

const struct token_certificate *card_certificates_choose(const struct token_report *token)
{
	for (size_t i = 0; i < token->count; i++)
		if (token->certificates[i].verdict.reason == TRUST_OK)
			return &token->certificates[i];
	return token->count > 0 ? &token->certificates[0] : NULL;
}

enum hygie_outcome card_certificates_verify(const struct token_certificate *entry,
					    const struct challenge *challenge,
					    const struct token_done *done)
{
	int r;

	if (done->outcome != HYGIE_OK)
		return done->outcome;
	if (!entry)
		return HYGIE_REFUSED;
	r = certificate_verify_signature(entry->certificate, done->scheme,
					 challenge->bytes, challenge->size,
					 done->signature, done->signature_size);
	if (r == 0)
		return HYGIE_OK;
	return r == -EKEYREJECTED ? HYGIE_CARD_NOT_PROVEN : HYGIE_FAULT;
}
