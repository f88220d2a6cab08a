/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a keep share: keep.c opens and takes orders, keep_close.c closes.
 */
#pragma once

#include "hygie-store/cipher.h"
#include "hygie-store/holders.h"
#include "hygie-store/idle.h"
#include "hygie-store/keep.h"
#include "hygie-store/place.h"
#include "hygie-store/report.h"
#include "hygie-store/vigil.h"

enum state { SHUT = 1, MAKING, OPENING, OPEN, CLOSING, ENDING };

struct keep {
	sd_event *loop;
	const struct keep_listener *listener;
	void *context;
	char name[KEEP_NAME_SIZE];
	char source[KEEP_NAME_SIZE + 8]; /* what the mount is called */
	bool side;                       /* of a reencryption: see keep_name_is_side() */
	char mount[HYGIE_PATH_MAX];
	char stuck[PLACE_POINT_SIZE]; /* where it was not unmounted last */
	enum state state;
	bool close_asked;             /* while it was opening */
	uint32_t close_limit;         /* and with that limit */
	bool slow;                    /* gocryptfs was killed for it */
	bool lasts;                   /* its ending, longer than is usual */
	unsigned asker;               /* of INIT or OPEN */
	struct wire_message *waiting; /* an OPEN that came while it was ending */
	unsigned waiting_peer;
	int record;
	struct cipher *cipher;
	struct vigil *vigil;
	struct holders holders; /* as told last */
	sd_event_source *timer;
	sd_event_source *limit; /* of the closing; then of those who were told to end */
	bool forced;            /* they were */
	bool cut;               /* gocryptfs was ended under them */
	struct idle *idle;
	uint32_t idle_ms;
	dev_t device;
	uint64_t since;
	uint8_t note[HYGIE_NOTE_MAX];
	size_t note_size;
};

/* To one peer; 0: to all. Frees the message. */
void keep_say(const struct keep *keep, unsigned peer, struct wire_message *message);
void keep_fail(const struct keep *keep, unsigned peer, enum keeper_failure failure,
	       const char *text);
/* As KEEPER_STATE tells it. */
const char *keep_word(const struct keep *keep);
void keep_set_state(struct keep *keep, enum state state);

/* KEEPER_CLOSE, of that peer. */
void keep_close(struct keep *keep, unsigned peer, uint32_t limit_ms);
/* Looks whether it is used, from now on, if that is wanted; and no more. */
void keep_watch_idle(struct keep *keep);
void keep_forget_idle(struct keep *keep);
/* The limit of a closing is off. */
void keep_forget_limit(struct keep *keep);
/* Takes a close back that is not done: it is open, or stays so. */
void keep_reprieve(struct keep *keep);
/* An OPEN that waits for the ending is let go. */
void keep_forget_waiting(struct keep *keep);
