/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trust says of a leaf of the tests' PKI.
 */
#pragma once

#include "pki/fixture.h"

#include "hygied/trust.h"

#define FR "fr-igc-sante"
#define US "us-piv"

static inline struct trust_verdict judge(const struct trust *trust, const char *scheme,
					 const char *name, time_t now, bool allow_test)
{
	cleanup_certificate struct certificate *c = pki_leaf(scheme, name);
	const struct trust_options options = { .allow_test = allow_test };
	struct trust_verdict verdict = { 0 };

	assert_int_equal(trust_verify(trust, c, now, &options, &verdict), 0);
	return verdict;
}
