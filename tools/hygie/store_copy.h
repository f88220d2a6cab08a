/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying the records of a store that is being reencrypted, from where the old ones are
 * seen to where the new ones are.
 */
#pragma once

#include "store_archive.h"
#include "tree_progress.h"

struct store_copy {
	struct archive_error *error;
	struct tree_progress progress;
	const char *old_cipher; /* where the old records lie, encrypted */
	/* What was done. */
	bool done;
	uint64_t files, bytes, left_out;
};

/*
 * Copies `from` to `to`, both seen by gocryptfs, flushes what lies in the encrypted folder
 * `cipher`, and then compares all, byte by byte. What gocryptfs does not show of
 * copy->old_cipher ends it before. 0; -ECANCELED: `watched` spoke; another
 * negative errno, with copy->error: what was copied stays, and is gone on with.
 */
int store_copy_run(struct store_copy *copy, const char *from, const char *to,
		   const char *cipher, int watched) must_check;

/*
 * Whether there is room for another copy of the encrypted folder `cipher`, beside it;
 * `begun` is what is there of it ("" or not there: nothing). Errors of store_room_look().
 */
int store_copy_room(const char *cipher, const char *begun,
		    struct archive_error *error) must_check;
