/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new recovery key on its way to paper: made, told to the person once, and noted by him,
 * which he shows by typing the passphrase's first group.
 */
#pragma once

#include "hygied/peer.h"

#define RECOVERY_NOTE_MS (15 * 60 * 1000) /* to print the page and put it away */
#define RECOVERY_GROUP_SIZE 4             /* characters of the passphrase's first group */

/* The zero is an empty one. */
struct recovery_note {
	struct evp_pkey_st *key; /* owned */
	uint8_t *locked;         /* owned: by the passphrase, PKCS #8 in DER */
	size_t locked_size;
	char group[RECOVERY_GROUP_SIZE]; /* the first; the rest is forgotten */
	unsigned tries;
};

/*
 * Makes the key of the store `name`, tells it (an ITEM "recovery": TAG_STORE, TAG_SECRET
 * the passphrase, TAG_LOCKED_KEY) and asks for the first group. 0, -ENOMEM, -EPERM, -EIO.
 */
int recovery_note_send(struct recovery_note *note, struct peer *peer,
		       const char *name) must_check;

/* What an answer was. */
enum recovery_noted {
	NOTE_NOT_TAKEN = 0, /* given up, or wrong three times */
	NOTE_TAKEN,
	NOTE_ASKED_AGAIN,
};
enum recovery_noted recovery_note_take(struct recovery_note *note, struct peer *peer,
				       const struct secret *answer);

/* Frees and wipes what is in it. */
void recovery_note_forget(struct recovery_note *note);
