/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie enroll: makes the card in the reader the key of a user.
 */
#include "command.h"
#include "language.h"
#include "libhygie/printable.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define ENROLL_MILLISECONDS 180000

static int enroll_json(const struct exchange *exchange, const char *user)
{
	char holder[PRINTABLE_SIZE(HYGIE_USER_MAX)], not_after[TIME_TEXT_SIZE];
	const struct client_result *result = &exchange->result;
	json_t *value = output_result(result);
	int r;

	text_clean(holder, sizeof(holder), result->holder, strlen(result->holder));
	time_text(result->not_after, not_after);
	r = json_object_set_new(value, "user", json_string(user));
	if (r == 0 && holder[0])
		r = json_object_set_new(value, "holder", json_string(holder));
	if (r == 0 && result->not_after)
		r = json_object_set_new(value, "not_after", json_string(not_after));
	if (r < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

int command_enroll(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };
	const char *user = options->operands[0];

	if ((options->given & OPTION_PIN_STDIN) && isatty(STDIN_FILENO))
		return output_usage(options,
				    N_("--pin-stdin is for scripts: without it, the "
				       "PIN is asked for and not shown."));
	if (user[0] == '\0' || strlen(user) >= HYGIE_USER_MAX ||
	    !utf8_is_valid(user, strlen(user)))
		return output_usage(options, N_("That is not a user's name."));
	if (wire_message_new(WIRE_REQUEST_ENROL, &request) < 0)
		return output_fault(options);
	wire_add_string(request, TAG_USER, user);
	wire_add_u32(request, TAG_FLAGS,
		     options->given & OPTION_REASSIGN ? REQUEST_REASSIGN : 0);
	if (options->reader)
		wire_add_string(request, TAG_READER, options->reader);
	exchange_run(options, request, ENROLL_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return enroll_json(&exchange, user);
	return output_done(&exchange.result, N_("The card is enrolled."));
}
