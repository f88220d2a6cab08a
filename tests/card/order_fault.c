/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to fail and to lie; see faults.h and card.h for what they mean. */
#include "card/order.h"

#include <stdlib.h>
#include <string.h>

static void order_at(struct order *order, uint64_t *at)
{
	unsigned long number;

	if (!order_number(order, 1, 1000000, &number) || number == 0) {
		order_number_missing(order);
		return;
	}
	*at = order->reader->faults.seen + number;
	say(order->answer, "ok");
}

static void order_remove_at(struct order *order)
{
	order_at(order, &order->reader->faults.remove_at);
}

static void order_remove_after(struct order *order)
{
	order_at(order, &order->reader->faults.remove_after);
}

static void order_reset_at(struct order *order)
{
	order_at(order, &order->reader->faults.reset_at);
}

static void order_silent_at(struct order *order)
{
	order_at(order, &order->reader->faults.silent_from);
}

static void order_garbage_at(struct order *order)
{
	unsigned long len = 0;

	if (order->count > 2 && !order_number(order, 2, 65535, &len)) {
		order_number_missing(order);
		return;
	}
	order->reader->faults.garbage_len = len;
	order_at(order, &order->reader->faults.garbage_at);
}

static void order_sw_at(struct order *order)
{
	char *end;
	unsigned long sw = strtoul(order->words[2], &end, 16);

	if (*end || sw > 0xffff) {
		say(order->answer, "error sw-at: four hexadecimal digits wanted");
		return;
	}
	order->reader->faults.sw = (unsigned)sw;
	order_at(order, &order->reader->faults.sw_at);
}

static void order_refuse_new(struct order *order)
{
	char *end;
	unsigned long sw = strtoul(order->words[1], &end, 16);

	if (*end || sw > 0xffff) {
		say(order->answer, "error refuse-new: four hexadecimal digits wanted");
		return;
	}
	order->card->refuse_new = (unsigned)sw;
	say(order->answer, "ok");
}

static void order_speak(struct order *order)
{
	reader_speak(order->reader);
	say(order->answer, "ok");
}

static void order_clear_faults(struct order *order)
{
	faults_clear(&order->reader->faults);
	order->card->sig_mode = SIG_NORMAL;
	order->card->replay = false;
	order->card->refuse_new = 0;
	order->reader->latency_ms = 0;
	reader_speak(order->reader);
	say(order->answer, "ok");
}

static void order_latency(struct order *order)
{
	unsigned long latency;

	if (!order_number(order, 1, 600000, &latency)) {
		order_number_missing(order);
		return;
	}
	order->reader->latency_ms = (unsigned)latency;
	say(order->answer, "ok");
}

/* The index of word 1 in `choices`, which ends in NULL; answers in either case. */
static bool order_choice(struct order *order, const char *const *choices,
			 unsigned *ret_choice)
{
	for (unsigned i = 0; choices[i]; i++) {
		if (strcmp(choices[i], order->words[1]) != 0)
			continue;
		*ret_choice = i;
		say(order->answer, "ok");
		return true;
	}
	say(order->answer, "error %s: no such choice", order->words[0]);
	return false;
}

static void order_sig_mode(struct order *order)
{
	static const char *const modes[] = { "normal", "empty", "short",
					     "zero",   "other", NULL };
	unsigned mode;

	if (order_choice(order, modes, &mode))
		order->card->sig_mode = (enum sig_mode)mode;
}

static void order_replay(struct order *order)
{
	static const char *const choices[] = { "off", "on", NULL };
	unsigned on;

	if (order_choice(order, choices, &on))
		order->card->replay = on;
}

static void order_reselect(struct order *order)
{
	static const char *const choices[] = { "keeps", "drops", NULL };
	unsigned drops;

	if (order_choice(order, choices, &drops))
		order->card->reselect_drops_pin = drops;
}

static void order_pin_always(struct order *order)
{
	static const char *const choices[] = { "normal", "strict", NULL };
	unsigned strict;

	if (order_choice(order, choices, &strict))
		order->card->pin_always = (enum pin_always)strict;
}

const struct order_entry order_fault_table[] = {
	{ "remove-at", 2, order_remove_at, "N: vanish upon the N-th APDU, unanswered" },
	{ "remove-after", 2, order_remove_after, "N: vanish after the N-th answer" },
	{ "reset-at", 2, order_reset_at, "N: reset as the N-th APDU arrives" },
	{ "silent-at", 2, order_silent_at, "N: no answer from the N-th on, until speak" },
	{ "speak", 1, order_speak, "answer again, the held APDU first" },
	{ "garbage-at", 2, order_garbage_at,
	  "N [LEN]: the N-th answer is random, without a status" },
	{ "sw-at", 3, order_sw_at, "N SW: the N-th answer is this status word alone" },
	{ "refuse-new", 2, order_refuse_new, "SW: to every new PIN; 0: it is taken" },
	{ "latency", 2, order_latency, "MS: each answer takes so long" },
	{ "sig-mode", 2, order_sig_mode, "normal|empty|short|zero|other" },
	{ "replay", 2, order_replay, "on|off: the last signature again" },
	{ "reselect", 2, order_reselect,
	  "keeps|drops: the PIN upon SELECT of PIV again" },
	{ "pin-always", 2, order_pin_always, "normal|strict: how long 9C stays open" },
	{ "clear-faults", 1, order_clear_faults, "an honest, quick card again" },
	{ 0 },
};
