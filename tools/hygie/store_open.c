/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store open, close, status: opening record stores in the session that is there,
 * letting go of them, and seeing which are open.
 */
#include "command.h"
#include "language.h"
#include "output.h"

#define OPEN_MILLISECONDS 240000
#define CLOSE_MILLISECONDS 15000

static const struct column stores[] = {
	{ "store", N_("STORE") },  { "state", N_("STATE") },
	{ "mount", N_("FOLDER") }, { "sessions", N_("SESSIONS") },
	{ "since", N_("SINCE") },
};

static const struct column programs[] = {
	{ "store", N_("KEPT OPEN") }, { "pid", N_("PROCESS") }, { "user", N_("USER") },
	{ "value", N_("PROGRAM") },   { "file", N_("FILE") },
};

static int done(const struct options *options, const struct exchange *exchange)
{
	if (exchange->result.outcome != HYGIE_OK)
		return output_failure(options, &exchange->result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange->result), HYGIE_OK);
	return output_done(&exchange->result, "Done.");
}

int command_store_open(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new(WIRE_REQUEST_STORE_OPEN, &request) < 0)
		return output_fault(options);
	if (options->operand_count > 0)
		wire_add_string(request, TAG_STORE, options->operands[0]);
	if (options->user)
		wire_add_string(request, TAG_USER, options->user);
	if (options->reader)
		wire_add_string(request, TAG_READER, options->reader);
	exchange_run(options, request, OPEN_MILLISECONDS, &exchange);
	return done(options, &exchange);
}

int command_store_close(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new(WIRE_REQUEST_STORE_CLOSE, &request) < 0)
		return output_fault(options);
	if (options->operand_count > 0)
		wire_add_string(request, TAG_STORE, options->operands[0]);
	exchange_run(options, request, CLOSE_MILLISECONDS, &exchange);
	return done(options, &exchange);
}

static int status_json(const struct exchange *exchange)
{
	json_t *value = output_result(&exchange->result);

	if (json_object_set_new(value, "stores",
				output_records(exchange->items, "store")) < 0 ||
	    json_object_set_new(value, "programs",
				output_records(exchange->items, "store_program")) < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

int command_store_status(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new(WIRE_REQUEST_STORE_STATUS, &request) < 0)
		return output_fault(options);
	exchange_run(options, request, CLOSE_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return status_json(&exchange);
	if (output_table(exchange.items, "store", stores, array_size(stores), true) == 0)
		output_empty(N_("There is no record store of yours on this machine."));
	(void)output_table(exchange.items, "store_program", programs,
			   array_size(programs), true);
	return 0;
}
