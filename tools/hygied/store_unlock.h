/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a store's envelope outside of a login, by the recovery key or by what the card of
 * a holder who may grant gave; what is pending is carried out by that.
 */
#pragma once

#include "hygied/store_rights.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Which envelope of the store: the card gives something else for each. */
enum store_envelope {
	STORE_ENVELOPE_OWN = 0,
	STORE_ENVELOPE_STAGED, /* of the copy that a reencryption has begun */
	STORE_ENVELOPES,
};

/* What opens them. */
struct store_key {
	uint8_t id[HYGIE_KEY_ID_SIZE];   /* SHA-256 of its SPKI */
	struct evp_pkey_st *recovery;    /* owned; NULL: it is a card's, and */
	struct certificate *certificate; /* owned */
	enum envelope_wrap wrap;
	struct secret
		*given[STORE_ENVELOPES]; /* owned; NULL: it was not asked for that */
};

/* What it opened; each is owned. */
struct store_unlocked {
	struct store *store; /* as it is now, with nothing pending */
	struct store_key key;
	struct secret *secret; /* the store's */
	struct store_changes changes;
};

/*
 * Opens an envelope, whatever was put in its place since the card was asked. As
 * envelope_find() and envelope_open(); -EAGAIN: the card was not asked for it.
 */
int store_key_open(const struct store_key *key, enum store_envelope which,
		   const struct envelope *envelope, const struct envelope_store *expected,
		   struct envelope_opened *ret_opened) must_check;

/*
 * With `store` and `key` filled in: opens the store's envelope, and carries out what is
 * pending. 0, or a fault to be told, with the error.
 */
int store_unlock(struct store_unlocked *unlocked, time_t now,
		 struct file_error *ret_error) must_check;

void store_unlocked_end(struct store_unlocked *unlocked);
#define cleanup_unlocked cleanup_with(store_unlocked_end)
