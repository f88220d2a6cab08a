/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a keep share: keep.c opens and takes orders, keep_make.c makes,
 * keep_close.c closes.
 */
#pragma once

#include "hygie-store/cipher.h"
#include "hygie-store/holders.h"
#include "hygie-store/idle.h"
#include "hygie-store/keep.h"
#include "hygie-store/report.h"
#include "hygie-store/subject.h"
#include "hygie-store/vigil.h"

enum state { SHUT = 1, MAKING, OPENING, OPEN, CLOSING, ENDING };

struct keep {
	sd_event *loop;
	const struct keep_listener *listener;
	void *context;
	char name[KEEP_NAME_SIZE];
	bool side; /* of a reencryption: see keep_name_is_side() */
	struct subject subject;
	enum state state;
	bool close_asked;             /* while it was opening */
	uint32_t close_limit;         /* and with that limit */
	bool slow;                    /* it was killed for it */
	bool lasts;                   /* its ending, longer than is usual */
	bool died;                    /* fscrypt: another process closes after it */
	unsigned asker;               /* of INIT or OPEN */
	bool again;                   /* its ending was cut short for the next opening */
	struct wire_message *waiting; /* an OPEN that came while it was ending */
	unsigned waiting_peer;
	int record;
	struct cipher *cipher;
	struct vigil *vigil;
	struct holders holders; /* as told last */
	sd_event_source *timer;
	sd_event_source *limit; /* of the closing; then of those who were told to end */
	bool forced;            /* they were */
	bool cut;               /* it was ended under them */
	struct idle *idle;
	uint32_t idle_ms;
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

/* It is shut: lets all go that belongs to an opening. */
void keep_become_shut(struct keep *keep);

/* 0: it is on its way; else a negative errno, and what to say. */
typedef int (*keep_beginning)(struct keep *keep, const struct wire_message *order,
			      enum keeper_failure *failure, char *text, size_t size);
/* Has what encrypts begin what can only begin while the store is shut. */
void keep_begin(struct keep *keep, unsigned peer, const struct wire_message *order,
		keep_beginning how, enum state state);
/* The folders, the backend and the secret of an order; the subject is known by them. */
int keep_take_place(struct keep *keep, const struct wire_message *order,
		    struct secret **ret_secret) must_check;
/* What encrypts has that much time to begin. */
int keep_start_timer(struct keep *keep) must_check;
/* What to say of a process that ended before it served. */
enum keeper_failure keep_failure_of(const struct keep *keep, int status);
/* KEEPER_INIT, of that peer. */
void keep_make(struct keep *keep, unsigned peer, const struct wire_message *order);

/*
 * The last mount is gone, or what encrypts was killed: it ends, and with it the key. Nothing
 * can take that back.
 */
void keep_begin_ending(struct keep *keep);
/*
 * An OPEN waits for an ending that lasts. Whether it need not: a key that is out may be
 * brought again, whoever still uses files of it.
 */
bool keep_cut_ending_short(struct keep *keep);
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
