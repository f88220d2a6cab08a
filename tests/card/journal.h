/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every command APDU that the card saw, for tests to count and read. A PIN is kept as its
 * length and the beginning of its SHA-256 only.
 */
#pragma once

#include "card/apdu.h"

struct journal_entry {
	uint64_t arrived_us; /* monotonic */
	unsigned resets;     /* of the card before it, power-ups included */
	unsigned sw;         /* of the answer; 0: none was given */
	const char *applet;  /* selected when it arrived */
	uint8_t header[4];
	size_t lc;
	char pin[32]; /* "pin[8]=0123abcd", or empty */
};

struct journal {
	struct journal_entry *entries;
	size_t count;
	size_t room;
};

void journal_free(struct journal *journal);
void journal_clear(struct journal *journal);

/* Notes the arrival of a command APDU while the applet of that (static) name is selected
 * and the card was reset so many times. */
void journal_add(struct journal *journal, const uint8_t *raw, size_t len,
		 const char *applet, unsigned resets, uint64_t now_us);

/* Notes the answer to the command added last. */
void journal_answer(struct journal *journal, const struct bytes *answer);

/*
 * Appends a line for each: number from 1, instruction's name, CLA INS P1 P2, Lc, status
 * word ("----": none), applet, microseconds since the first entry, resets of the card so
 * far, PIN or nothing.
 */
void journal_print(const struct journal *journal, struct bytes *ret_text);
