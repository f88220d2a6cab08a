/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of orders share. Each of them exports one table; orders.c finds an order
 * by its name in these and performs it.
 */
#pragma once

#include "card/control.h"

#define ORDER_WORDS 6

/* One order being performed: its words (words[0] is its name), and where the answer goes.
 */
struct order {
	struct control *control;
	struct reader *reader;
	struct card *card;
	char *words[ORDER_WORDS];
	size_t count;
	struct wait *wait; /* filled instead of an answer, if that comes later */
	struct bytes *answer;
};

struct order_entry {
	const char *name; /* NULL ends a table */
	size_t words;     /* at least, with the name */
	void (*perform)(struct order *order);
	const char *help;
};

/* In and out, content, counts, the PIN's state (order_card.c). */
extern const struct order_entry order_card_table[];
/* Faults and lies (order_fault.c). */
extern const struct order_entry order_fault_table[];
/* Events to wait for (order_wait.c). */
extern const struct order_entry order_wait_table[];

/* Appends a line to the answer; it is cut at 1023 characters. */
__attribute__((format(printf, 2, 3))) void say(struct bytes *answer, const char *format,
					       ...);

/* Word number `word` as a number of at most `most`. False if there is no such. */
bool order_number(const struct order *order, size_t word, unsigned long most,
		  unsigned long *ret_number);

/* The answers to a missing number, and to what returns 0 or negative errno. */
void order_number_missing(const struct order *order);
void order_result(const struct order *order, int r);
