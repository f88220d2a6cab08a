/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may open a store: changes that root asked for, carried out with the secret of an
 * opening. Root has no secret, so until then they stand in store.ini as pending and
 * leaving; docs/store.md.
 */
#pragma once

#include "hygied/store_file.h"

/* What store_complete() did. */
struct store_changes {
	bool sealed;    /* a new envelope was made */
	bool caught_up; /* store.ini followed an envelope whose sealing was interrupted */
	bool rekeyed;   /* the new recovery key holds, and the old one no more */
	size_t granted; /* pending ones who are holders now */
	size_t removed; /* leaving ones, or whose time was over, who are none now */
	uint64_t generation;
};

#define STORE_CHANGES_SIZE 96

/* In words, for the audit. False: there were none. */
bool store_changes_write(const struct store_changes *changes,
			 char ret_text[STORE_CHANGES_SIZE]);

/*
 * Called in each opening, with what it gave (verdict ENVELOPE_OPEN) and the envelope that
 * it opened: carries out what is pending, if the opener may grant and something is, and
 * finishes what a power cut interrupted, whoever opens. `opener` is the SHA-256 of the
 * SPKI of the key that opened: a holder's or the recovery key's. `store` is as loaded,
 * and is changed as its file is.
 *
 * The recipients of the new envelope are the holders of store.ini and the recovery key,
 * never those of the old envelope. What was sealed for anybody ("-") by hand is sealed
 * anew, too.
 *
 * 0, with what was done; -EBADMSG, with ret_error: a file of the store is not as it must
 * be (nothing was changed then); -ENOMEM, -EIO, an errno of the file system: the old state
 * or the new one, each opens. The opening itself goes on in any case.
 */
int store_complete(const char *folder, struct store *store,
		   const struct envelope *envelope, const struct envelope_opened *opened,
		   const uint8_t opener[HYGIE_KEY_ID_SIZE], time_t now,
		   struct store_changes *ret_changes,
		   struct file_error *ret_error) must_check;

/*
 * Whether the envelope is sealed to the recovery key that is to come, though store.ini
 * does not say yet that it holds: the next opening finishes that.
 */
bool store_rekeying_is_cut_short(const char *folder, const struct store *store);

/* Whether an opening by a holder who may grant would change something. */
bool store_wants_completing(const struct store *store, time_t now);

/*
 * Puts an envelope for the store's generation in place, sealed to all its holders,
 * whatever their state, and the recovery key: for a new store. Errors as above.
 */
int store_seal(const char *folder, const struct store *store, const struct secret *secret,
	       struct file_error *ret_error) must_check;

/* The same in FOLDER/PLACE, of a store that is being made. */
int store_seal_at(const char *folder, const char *place, const struct store *store,
		  const struct secret *secret, struct file_error *ret_error) must_check;
