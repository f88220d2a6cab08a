/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie cards: who may log in with which card.
 */
#include "command.h"
#include "language.h"
#include "output.h"

#include <unistd.h>

#define CARDS_MILLISECONDS 15000

static const struct column columns[] = {
	{ "user", N_("USER") },        { "card_id", N_("CARD") },
	{ "holder", N_("HOLDER") },    { "scheme", N_("SCHEME") },
	{ "person_id", N_("PERSON") }, { "issuer", NULL },
	{ "not_after", N_("UNTIL") },  { "state", N_("STATE") },
	{ "enrolled_by", N_("BY") },   { "enrolled_at", N_("ENROLLED") },
	{ "revoked_at", NULL },        { "store_key", N_("STORE KEY") },
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
				? N_("No card is enrolled. Put one in and run: hygie enroll USER")
				: N_("No card of yours is enrolled here. Ask your administrator."));
	return 0;
}
