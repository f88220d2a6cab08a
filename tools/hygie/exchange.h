/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dialogue with hygied on behalf of a subcommand: sentences go to standard error,
 * prompts to the terminal or standard input, ITEMs into a list.
 */
#pragma once

#include "libhygie/client.h"
#include "options.h"
#include "record.h"

/* What is done by the command itself where hygied asks for it: no person answers. */
struct exchange_work {
	/*
	 * Whether it is of that text (enum hygie_text); then it is done, and 0 comes with
	 * the answer; or a negative errno with `ret_why` (English, owned by the work).
	 * `fd` becomes readable when hygied ends the dialogue.
	 */
	bool (*takes)(uint32_t text);
	int (*run)(void *context, uint32_t text, const json_t *items, int fd,
		   struct secret **ret_answer, const char **ret_why);
	void *context;
};

struct exchange {
	const struct options *options;
	const struct exchange_work *work; /* or NULL */
	json_t *items;                    /* array of objects (record.h); owned */
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
/* The same with work, which may take any time. */
void exchange_run_with(const struct options *options, const struct wire_message *request,
		       unsigned milliseconds, const struct exchange_work *work,
		       struct exchange *ret_exchange);
void exchange_end(struct exchange *exchange);
#define cleanup_exchange cleanup_with(exchange_end)
