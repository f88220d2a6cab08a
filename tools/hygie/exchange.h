/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dialogue with hygied on behalf of a subcommand: sentences go to standard error,
 * prompts to the terminal or standard input, ITEMs into a list.
 */
#pragma once

#include "libhygie/client.h"
#include "options.h"
#include "record.h"

struct exchange {
	const struct options *options;
	json_t *items;         /* array of objects (record.h); owned */
	struct secret *secret; /* the login secret that came with a success; owned */
	struct client_result result;
	enum hygie_outcome outcome; /* of our side; HYGIE_OK: nothing went wrong here */
};

/*
 * Sends `request` and serves the dialogue for at most `milliseconds`, typing aside. Fills
 * *ret_exchange whatever happens; its result's outcome is HYGIE_OK only when both sides
 * say so, and its text is printable and never empty on a failure.
 */
void exchange_run(const struct options *options, const struct wire_message *request,
		  unsigned milliseconds, struct exchange *ret_exchange);
void exchange_end(struct exchange *exchange);
#define cleanup_exchange cleanup_with(exchange_end)
