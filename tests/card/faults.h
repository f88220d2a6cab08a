/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults ordered for the N-th command APDU from now (1: the next one). This decides what
 * shall happen; the reader's side (reader.c) makes it happen.
 */
#pragma once

#include "card/bytes.h"

#include <stdbool.h>

struct faults {
	uint64_t seen; /* command APDUs since the start */
	/* Each is the number of the APDU, in terms of `seen`; 0: not ordered. */
	uint64_t remove_at;
	uint64_t remove_after;
	uint64_t silent_from;
	uint64_t reset_at;
	uint64_t garbage_at;
	uint64_t sw_at;
	size_t garbage_len; /* 0: a random length up to 64 */
	unsigned sw;
};

enum fault_action {
	FAULT_NONE,
	FAULT_REMOVE, /* the card is gone before it answers */
	FAULT_SILENT, /* it does not answer, now and from now on */
	FAULT_RESET,  /* it was reset a moment before, and answers */
};

/* Counts one command APDU and says what happens on its arrival. */
enum fault_action faults_arrival(struct faults *faults);

/* Spoils the answer to the APDU counted last, if that was ordered. */
void faults_spoil(struct faults *faults, struct bytes *answer);

/* Whether the card vanishes after the answer to the APDU counted last. Used up by asking.
 */
bool faults_remove_after(struct faults *faults);

/* Takes back everything ordered. */
void faults_clear(struct faults *faults);
