/* SPDX-License-Identifier: Apache-2.0 */
/* Orders about the card's place, content, counts and PIN; see orders.h. */
#include "card/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Presence. */

static void order_insert(struct order *order)
{
	reader_insert(order->reader);
	*order->wait = (struct wait){ .what = WAIT_INSERTED, .until_us = UINT64_MAX };
}

static void order_remove(struct order *order)
{
	reader_remove(order->reader);
	say(order->answer, "ok");
}

static int order_load(struct order *order)
{
	struct piv_data data = { 0 };
	int r = piv_data_load(order->words[1], order->control->defaults, &data);

	if (r == 0)
		card_take_data(order->card, &data);
	return r;
}

static void order_swap(struct order *order)
{
	order_result(order, order_load(order));
}

static void order_reinsert(struct order *order)
{
	int r;

	reader_remove(order->reader);
	r = order->count > 1 ? order_load(order) : 0;
	if (r < 0)
		order_result(order, r);
	else
		order_insert(order);
}

static struct piv_slot *order_slot(struct order *order)
{
	return piv_data_slot(&order->card->data,
			     (unsigned)strtoul(order->words[1], NULL, 16));
}

static void order_swap_key(struct order *order)
{
	struct piv_slot *slot = order_slot(order);

	order_result(order, slot ? piv_slot_load_key(slot, order->words[2]) : -EINVAL);
}

static void order_swap_cert(struct order *order)
{
	struct piv_slot *slot = order_slot(order);

	order_result(order, slot ? piv_slot_load_cert(slot, order->words[2]) : -EINVAL);
}

/* Counting. */

static void order_count(struct order *order)
{
	say(order->answer, "ok %zu", order->reader->journal.count);
}

static void order_reset_count(struct order *order)
{
	journal_clear(&order->reader->journal);
	card_reset_counts(order->card);
	say(order->answer, "ok");
}

static void order_log(struct order *order)
{
	journal_print(&order->reader->journal, order->answer);
	say(order->answer, "ok %zu", order->reader->journal.count);
}

static void order_verify_count(struct order *order)
{
	say(order->answer, "ok %u", order->card->verifies);
}

static void order_empty_verify_count(struct order *order)
{
	say(order->answer, "ok %u", order->card->empty_verifies);
}

static void order_misdirected_count(struct order *order)
{
	say(order->answer, "ok %u", order->card->misdirected);
}

static void order_sign_count(struct order *order)
{
	say(order->answer, "ok %u", order->card->signatures);
}

/* The PIN's state. */

static void order_tries(struct order *order)
{
	say(order->answer, "ok %u", order->card->tries);
}

static void order_set_tries(struct order *order)
{
	unsigned long tries;

	if (!order_number(order, 1, 15, &tries)) {
		order_number_missing(order);
		return;
	}
	order->card->tries = (unsigned)tries;
	say(order->answer, "ok");
}

static void order_unblock(struct order *order)
{
	order->card->tries = order->card->data.tries;
	order->card->puk_tries = order->card->data.tries;
	say(order->answer, "ok");
}

static void order_puk_tries(struct order *order)
{
	unsigned long tries;

	if (order->count == 1) {
		say(order->answer, "ok %u", order->card->puk_tries);
		return;
	}
	if (!order_number(order, 1, 15, &tries)) {
		order_number_missing(order);
		return;
	}
	order->card->puk_tries = (unsigned)tries;
	say(order->answer, "ok");
}

static void order_verified(struct order *order)
{
	say(order->answer, "ok %s", order->card->verified ? "yes" : "no");
}

static void order_set_pin(struct order *order)
{
	bool fits = piv_pin_pad(order->words[1], order->card->data.pin);

	order_result(order, fits ? 0 : -EINVAL);
}

static const char *presence_name(enum presence presence)
{
	static const char *const names[] = {
		[PRESENCE_ABSENT] = "no",
		[PRESENCE_CONNECTING] = "connecting",
		[PRESENCE_INSERTED] = "yes",
		[PRESENCE_FAILED] = "failed",
	};

	return names[presence];
}

static void order_state(struct order *order)
{
	const struct reader *reader = order->reader;
	const struct card *card = order->card;

	say(order->answer, "inserted %s", presence_name(reader->presence));
	say(order->answer, "powered %s", reader->powered ? "yes" : "no");
	say(order->answer, "selected %s", applet_name(card->selected));
	say(order->answer, "verified %s", card->verified ? "yes" : "no");
	say(order->answer, "tries %u", card->tries);
	say(order->answer, "puk-tries %u", card->puk_tries);
	say(order->answer, "silent %s", reader->silent ? "yes" : "no");
	say(order->answer, "apdus %zu", reader->journal.count);
	say(order->answer, "resets %u", reader->resets);
	say(order->answer, "atr-polls %llu", (unsigned long long)reader->atr_polls);
	say(order->answer, "ok");
}

const struct order_entry order_card_table[] = {
	{ "insert", 1, order_insert, "put the card in" },
	{ "remove", 1, order_remove, "pull the card" },
	{ "swap", 2, order_swap, "DIR: become that card without leaving the reader" },
	{ "reinsert", 1, order_reinsert, "[DIR]: pull, become that card, put in" },
	{ "swap-key", 3, order_swap_key, "SLOT FILE: another private key" },
	{ "swap-cert", 3, order_swap_cert, "SLOT FILE: another certificate" },
	{ "count", 1, order_count, "APDUs since reset-count" },
	{ "reset-count", 1, order_reset_count, "forget log and counts" },
	{ "log", 1, order_log, "each APDU since reset-count" },
	{ "verify-count", 1, order_verify_count, "VERIFYs with a PIN, at any applet" },
	{ "empty-verify-count", 1, order_empty_verify_count,
	  "VERIFYs that ask the state" },
	{ "misdirected-count", 1, order_misdirected_count,
	  "PINs sent while PIV was not selected" },
	{ "sign-count", 1, order_sign_count, "uses of a private key" },
	{ "tries", 1, order_tries, "tries left" },
	{ "set-tries", 2, order_set_tries, "N: tries left" },
	{ "puk-tries", 1, order_puk_tries, "[N]: tries of the PUK left" },
	{ "unblock", 1, order_unblock, "full counters of PIN and PUK" },
	{ "verified", 1, order_verified, "yes or no" },
	{ "set-pin", 2, order_set_pin, "PIN: another one" },
	{ "state", 1, order_state, "all of it" },
	{ 0 },
};
