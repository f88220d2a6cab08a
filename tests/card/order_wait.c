/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that are answered once something has happened, and when it has; see orders.h. */
#include "card/order.h"
#include "card/orders.h"

#include <string.h>

/* The last word is the patience in milliseconds. */

static void order_wait(struct order *order, enum wait_for what, uint64_t number)
{
	unsigned long patience;

	if (!order_number(order, order->count - 1, 3600000, &patience)) {
		order_number_missing(order);
		return;
	}
	*order->wait = (struct wait){
		.what = what,
		.number = number,
		.until_us = clock_us() + patience * 1000,
	};
}

static void order_wait_number(struct order *order, enum wait_for what)
{
	unsigned long number;

	if (order_number(order, 1, 1000000, &number))
		order_wait(order, what, number);
	else
		order_number_missing(order);
}

static void order_wait_apdu(struct order *order)
{
	order_wait_number(order, WAIT_APDUS);
}

static void order_wait_verify(struct order *order)
{
	order_wait_number(order, WAIT_VERIFIES);
}

static void order_wait_selected(struct order *order)
{
	for (unsigned i = APPLET_NONE; i <= APPLET_OTHER; i++) {
		if (strcmp(order->words[1], applet_name((enum applet)i)) != 0)
			continue;
		order_wait(order, WAIT_SELECTED, i);
		return;
	}
	say(order->answer, "error wait-selected: no such applet");
}

static void order_wait_inserted(struct order *order)
{
	order_wait(order, WAIT_INSERTED, 0);
}

static void order_wait_absent(struct order *order)
{
	order_wait(order, WAIT_ABSENT, 0);
}

static void order_wait_powered(struct order *order)
{
	order_wait(order, WAIT_POWERED, 0);
}

static void order_wait_silent(struct order *order)
{
	order_wait(order, WAIT_SILENT, 0);
}

static void order_wait_atr_polls(struct order *order)
{
	unsigned long more;

	if (order_number(order, 1, 1000000, &more))
		order_wait(order, WAIT_ATR_POLLS, order->reader->atr_polls + more);
	else
		order_number_missing(order);
}

const struct order_entry order_wait_table[] = {
	{ "wait-apdu", 3, order_wait_apdu, "N MS: until N APDUs since reset-count" },
	{ "wait-verify", 3, order_wait_verify, "N MS: until N VERIFYs with a PIN" },
	{ "wait-selected", 3, order_wait_selected, "none|piv|other MS" },
	{ "wait-inserted", 2, order_wait_inserted, "MS" },
	{ "wait-absent", 2, order_wait_absent, "MS" },
	{ "wait-powered", 2, order_wait_powered, "MS: until pcscd has powered it" },
	{ "wait-silent", 2, order_wait_silent, "MS: until an APDU is held unanswered" },
	{ "wait-atr-polls", 3, order_wait_atr_polls,
	  "N MS: until pcscd asked N times more" },
	{ 0 },
};

static bool wait_met(const struct reader *reader, const struct wait *wait)
{
	switch (wait->what) {
	case WAIT_APDUS:
		return reader->journal.count >= wait->number;
	case WAIT_VERIFIES:
		return reader->card.verifies >= wait->number;
	case WAIT_SELECTED:
		return reader->card.selected == (enum applet)wait->number;
	case WAIT_INSERTED:
		return reader->presence == PRESENCE_INSERTED;
	case WAIT_ABSENT:
		return reader->presence == PRESENCE_ABSENT;
	case WAIT_POWERED:
		return reader->powered;
	case WAIT_SILENT:
		return reader->silent;
	case WAIT_ATR_POLLS:
		return reader->atr_polls >= wait->number;
	case WAIT_NOTHING:
		break;
	}
	return true;
}

bool order_waited(const struct reader *reader, const struct wait *wait,
		  struct bytes *ret_answer)
{
	if (wait_met(reader, wait))
		say(ret_answer, "ok");
	else if (reader->presence == PRESENCE_FAILED && wait->what == WAIT_INSERTED)
		say(ret_answer, "error pcscd is not there");
	else if (clock_us() >= wait->until_us)
		say(ret_answer, "error timeout");
	else
		return false;
	return true;
}
