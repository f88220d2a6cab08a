/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a reencryption: the old or the new encrypted folder, seen at a place that
 * root alone can enter, by a keeper of its own (hygie-store@.NAME.old.service or .new).
 */
#pragma once

#include "hygied/keeper.h"
#include "hygied/store_stage.h"

enum store_side_state {
	SIDE_NONE = 0,
	SIDE_WAITING, /* its keeper starts, or closes what an earlier run left open */
	SIDE_MAKING,
	SIDE_OPENING,
	SIDE_OPEN,
	SIDE_CLOSING,
	SIDE_CLOSED,
};

/* What became of it: OPEN, CLOSED; or NONE: it failed, and `why` says so in English. */
typedef void (*store_side_callback)(void *context, enum store_side_state state,
				    const char *why);

struct store_side {
	sd_event *loop;
	char name[STORE_STAGE_SIZE];
	char cipher[STORE_PATH_SIZE], mount[STORE_PATH_SIZE];
	gid_t group;
	bool make;      /* the encrypted folder first */
	bool read_only; /* nobody writes in it */
	enum store_side_state state;
	struct secret *secret; /* until the keeper has it */
	struct keeper *keeper;
	store_side_callback callback;
	void *context;
};

/*
 * Has it opened; name, cipher, group, make, read_only, callback and context are filled in.
 * A copy of the secret is kept until the keeper has it. The callback comes from the loop.
 * 0 or a negative errno.
 */
int store_side_open(struct store_side *side, sd_event *loop,
		    const struct secret *secret) must_check;

/* Has it closed. 0 or a negative errno. */
int store_side_close(struct store_side *side) must_check;

/* Lets go of it: its keeper closes it by itself. */
void store_side_end(struct store_side *side);
