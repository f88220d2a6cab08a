/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie cards: who may log in with which card.
 */
#include "command.h"
#include "output.h"

#include <unistd.h>

#define CARDS_MILLISECONDS 15000

static const struct column columns[] = {
	{ "user", "USER" },        { "card_id", "CARD" },
	{ "holder", "HOLDER" },    { "scheme", "SCHEME" },
	{ "person_id", "PERSON" }, { "issuer", NULL },
	{ "not_after", "UNTIL" },  { "state", "STATE" },
	{ "enrolled_by", "BY" },   { "enrolled_at", "ENROLLED" },
	{ "revoked_at", NULL },
};

int command_cards(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new(WIRE_REQUEST_CARDS, &request) < 0)
		return output_fault(options);
	exchange_run(options, request, CARDS_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON) {
		json_t *value = output_result(&exchange.result);

		if (json_object_set_new(value, "enrolments",
					output_records(exchange.items, "enrolment")) <
		    0) {
			json_decref(value);
			value = NULL;
		}
		return output_json(value, HYGIE_OK);
	}
	if (output_table(exchange.items, "enrolment", columns, array_size(columns),
			 false) == 0)
		output_empty(
			geteuid() == 0
				? "No card is enrolled. Put one in and run: hygie enroll USER"
				: "No card of yours is enrolled here. Ask your administrator.");
	return 0;
}
