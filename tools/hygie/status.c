/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie status: what runs, which readers there are, and what is in them.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "output.h"

#include <stdio.h>

#define STATUS_MILLISECONDS 15000

static const struct column service_columns[] = {
	{ "name", N_("SERVICE") },
	{ "value", N_("STATE") },
};

static const struct column reader_columns[] = {
	{ "reader", N_("READER") },
	{ "state", N_("STATE") },
	{ "holder", N_("HOLDER") },
	{ "user", N_("USER") },
	{ "card_id", N_("CARD") },
	{ "scheme", NULL },
	{ "person_id", NULL },
	{ "not_after", N_("UNTIL") },
	{ "trust", N_("TRUST") },
	{ "tries", N_("TRIES") },
	{ "exclusive", N_("EXCLUSIVE") },
};

static const struct column session_columns[] = {
	{ "session", N_("SESSION") },   { "user", N_("USER") },
	{ "service", N_("OPENED BY") }, { "card_id", N_("CARD") },
	{ "reader", N_("READER") },     { "bound_at", NULL },
};

static int status_json(const struct exchange *exchange)
{
	json_t *value = output_result(&exchange->result);

	if (json_object_set_new(value, "services",
				output_records(exchange->items, "service")) < 0 ||
	    json_object_set_new(value, "readers",
				output_records(exchange->items, "reader")) < 0 ||
	    json_object_set_new(value, "sessions",
				output_records(exchange->items, "session")) < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

/* Sessions that a card opened; nothing is said where there are none. */
static void print_sessions(const json_t *items)
{
	json_t *sessions = output_records(items, "session");

	if (json_array_size(sessions) > 0 && display_is_terminal(stdout))
		(void)fputc('\n', stdout);
	json_decref(sessions);
	(void)output_table(items, "session", session_columns, array_size(session_columns),
			   true);
}

int command_status(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };
	size_t services;

	if (wire_message_new(WIRE_REQUEST_STATUS, &request) < 0)
		return output_fault(options);
	exchange_run(options, request, STATUS_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return status_json(&exchange);
	services = output_table(exchange.items, "service", service_columns,
				array_size(service_columns), true);
	if (services > 0 && display_is_terminal(stdout))
		(void)fputc('\n', stdout);
	if (output_table(exchange.items, "reader", reader_columns,
			 array_size(reader_columns), true) == 0)
		output_empty(N_(
			"No card reader is attached. Plug one in: it is found by itself."));
	print_sessions(exchange.items);
	return 0;
}
