/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store that is to take another's place, of the same name and holders, with a secret
 * of its own: its files in the stage. What an earlier run left there is gone on with.
 */
#pragma once

#include "hygied/store_gone.h"
#include "hygied/store_stage.h"
#include "hygied/store_unlock.h"

struct store_successor {
	struct store *store; /* as it will be; owned */
	struct secret *secret;
	char cipher[STORE_PATH_SIZE]; /* where its encrypted files lie now */
	bool begun; /* they are there already: an earlier run made them */
};

/*
 * The envelope of what an earlier run has begun for that store, which the key that opens
 * it has to open, too. 0, and the caller frees it; -ENOENT: nothing was begun; another
 * errno: it is damaged, as store_successor_make() will say.
 */
int store_successor_envelope(const char *store,
			     struct envelope **ret_envelope) must_check;

/*
 * Makes them, or takes what is there, for the store that was just unlocked. What lies there
 * and is no store goes to `gone`. The stage is locked from then on, also after most errors:
 * store_stage_leave().
 *
 * 0; -EBUSY: another has the stage; -EAGAIN: it was made since the card was asked; -ESTALE: what an earlier run left does not fit this
 * store any more (a right was taken away, the recovery key is another, it is damaged),
 * and is to be removed first; -EOPNOTSUPP: the file system cannot exchange folders;
 * another errno, with ret_error.
 */
int store_successor_make(struct store_stage *stage, struct store_gone *gone,
			 const struct store_unlocked *unlocked,
			 struct store_successor *ret_successor,
			 struct file_error *ret_error) must_check;

/*
 * Before it takes its place: rights that were taken from the store since (a card was
 * revoked) are leaving in this one. 0; -ESTALE: the store is not the one any more that
 * this was made for; another errno.
 */
int store_successor_follow(const struct store_stage *stage,
			   struct store_successor *successor,
			   struct file_error *ret_error) must_check;

void store_successor_end(struct store_successor *successor);
