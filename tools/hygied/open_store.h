/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record store of stores.h: its state, the link to its keeper, and the secret on its
 * way there.
 */
#pragma once

#include "hygied/keeper.h"
#include "hygied/store_file.h"
#include "hygied/store_state.h"

struct hygied;

struct stores {
	struct hygied *hygied;
	struct open_store *first;
	void (*changed)(void *context);
	void *context;
};

struct open_store {
	struct stores *stores;
	struct open_store *next;
	char name[STORE_NAME_MAX + 1];
	enum backend backend;
	char cipher[STORE_PATH_SIZE], mount[STORE_PATH_SIZE];
	uint32_t idle; /* seconds; 0: it does not close by itself */
	uint64_t
		proved; /* monotonic: when a card last proved itself for it; 0: not here */
	struct store_state state;
	struct keeper *keeper;
	bool reserved;  /* set apart: it is opened for nobody */
	bool connected; /* and it has said what it has open */
	bool known;     /* it has, once: what is here is newer than its note */
	bool lives; /* the keeper said that it is open, and not yet that it is closed */
	unsigned attempts; /* to connect anew, since it said something */
	sd_event_source *retry_timer;
	struct secret *secret; /* until the keeper has it */
	sd_event_source *secret_timer, *due_timer;
	uint64_t since;
	struct keeper_holder holders[HYGIE_HOLDERS_TOLD];
	size_t holder_count;
};

/* Does what a step of its state came to; after each. */
void open_store_settle(struct open_store *store, enum store_act act);

/* Connects to a keeper that runs: 0, or a negative errno of keeper_attach(). */
int open_store_attach(struct open_store *store) must_check;
/* Tries that until it is connected, or no keeper is there. False: no memory. */
bool open_store_attach_again(struct open_store *store, const char *why) must_check;

/* The secret is its own from now on; wiped when the keeper has it, or in five seconds. */
void open_store_take_secret(struct open_store *store, struct secret *secret);

/* Lets go of the keeper, which keeps what is open, and frees it. */
void open_store_free(struct open_store *store);
