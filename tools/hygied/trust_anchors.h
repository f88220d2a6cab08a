/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What trust.c and trust_load.c share: the loaded CAs of one scheme. For nobody else.
 */
#pragma once

#include "hygied/trust.h"

#include <openssl/x509_vfy.h>

struct trust_anchors {
	const struct identity_scheme *scheme;
	X509_STORE *store;              /* the anchors */
	STACK_OF(X509) * intermediates; /* untrusted until they chain to one */
	size_t anchor_count;
};

struct trust {
	size_t count;
	struct trust_anchors by_scheme[]; /* in the order of identity.c's table */
};
