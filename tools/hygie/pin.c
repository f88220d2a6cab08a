/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie pin change, hygie pin unblock: the PIN of the card in the reader. hygied says whose
 * card it is, asks, and compares what was typed; the new PIN goes to the card once.
 */
#include "command.h"
#include "libhygie/printable.h"
#include "output.h"

#include <string.h>

#define PIN_MILLISECONDS 240000

static int pin_json(const struct exchange *exchange)
{
	char holder[PRINTABLE_SIZE(HYGIE_USER_MAX)];
	const struct client_result *result = &exchange->result;
	json_t *value = output_result(result);

	text_clean(holder, sizeof(holder), result->holder, strlen(result->holder));
	if (holder[0] && json_object_set_new(value, "holder", json_string(holder)) < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

static int pin_run(const struct options *options, uint16_t type)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if ((options->given & OPTION_PIN_STDIN) && isatty(STDIN_FILENO))
		return output_usage(
			options, "--pin-stdin is for scripts: without it, the PINs are "
				 "asked for and not shown.");
	if (wire_message_new(type, &request) < 0)
		return output_fault(options);
	if (options->reader)
		wire_add_string(request, TAG_READER, options->reader);
	exchange_run(options, request, PIN_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return pin_json(&exchange);
	return output_done(&exchange.result, "Done.");
}

int command_pin_change(const struct options *options)
{
	return pin_run(options, WIRE_REQUEST_PIN_CHANGE);
}

int command_pin_unblock(const struct options *options)
{
	return pin_run(options, WIRE_REQUEST_PIN_UNBLOCK);
}
