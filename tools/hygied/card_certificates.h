/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates that a card told: judged, chosen among, and held against a signature.
 */
#pragma once

#include "hygied/card.h"

/* Judges each certificate now and reads its identity, for prompts and status. */
void card_certificates_judge(struct token_report *token,
			     const struct card_environment *environment);

/* The verdict on one certificate now. 0, or a negative errno and nothing written. */
int card_certificate_judge(const struct token_certificate *entry,
			   const struct card_environment *environment,
			   struct trust_verdict *ret_verdict) must_check;

/* The first that is trusted, else the first of all; NULL when there is none. */
const struct token_certificate *
card_certificates_choose(const struct token_report *token);

/*
 * Possession: the signature in `done` must be of `challenge` and belong to the very
 * certificate that was shown. `entry` may be NULL: HYGIE_REFUSED.
 */
enum hygie_outcome card_certificates_verify(const struct token_certificate *entry,
					    const struct challenge *challenge,
					    const struct token_done *done) must_check;
