/* SPDX-License-Identifier: Apache-2.0 */
/* How an order is found and performed, and its answer put in words; see orders.h. */
#include "card/orders.h"

#include "card/order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void say(struct bytes *answer, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bytes_add(answer, text, strlen(text));
	bytes_add_u8(answer, '\n');
}

bool order_number(const struct order *order, size_t word, unsigned long most,
		  unsigned long *ret_number)
{
	char *end;
	unsigned long number;

	if (word >= order->count)
		return false;
	errno = 0;
	number = strtoul(order->words[word], &end, 0);
	if (*end || end == order->words[word] || errno || number > most)
		return false;
	*ret_number = number;
	return true;
}

void order_number_missing(const struct order *order)
{
	say(order->answer, "error %s: a number is missing or out of range",
	    order->words[0]);
}

void order_result(const struct order *order, int r)
{
	if (r < 0)
		say(order->answer, "error %s: %s", order->words[0], strerror(-r));
	else
		say(order->answer, "ok");
}

static const struct order_entry *const tables[] = {
	order_card_table,
	order_fault_table,
	order_wait_table,
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

static void order_help(const struct order *order)
{
	for (size_t i = 0; i < TABLES; i++)
		for (const struct order_entry *entry = tables[i]; entry->name; entry++)
			say(order->answer, "%s %s", entry->name, entry->help);
	say(order->answer, "ok");
}

static const struct order_entry *order_find(const char *name)
{
	for (size_t i = 0; i < TABLES; i++)
		for (const struct order_entry *entry = tables[i]; entry->name; entry++)
			if (!strcmp(entry->name, name))
				return entry;
	return NULL;
}

void order_perform(struct control *control, char *line, struct wait *ret_wait,
		   struct bytes *ret_answer)
{
	struct order order = {
		.control = control,
		.reader = control->reader,
		.card = &control->reader->card,
		.wait = ret_wait,
		.answer = ret_answer,
	};
	char *rest = NULL, *word = strtok_r(line, " \t\r", &rest);
	const struct order_entry *entry;

	for (; word && order.count < ORDER_WORDS; word = strtok_r(NULL, " \t\r", &rest))
		order.words[order.count++] = word;
	if (order.count && !strcmp(order.words[0], "help")) {
		order_help(&order);
		return;
	}
	entry = order.count ? order_find(order.words[0]) : NULL;
	if (!entry)
		say(ret_answer, "error no such order: try help");
	else if (order.count < entry->words)
		say(ret_answer, "error usage: %s %s", entry->name, entry->help);
	else
		entry->perform(&order);
}
