/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie secret: login secrets, and who has one.
 */
#include "secret_exchange.h"

#include "command.h"
#include "language.h"
#include "libhygie/durable.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define SECRET_MILLISECONDS 15000
#define SHOW_MILLISECONDS 240000

static const struct column secret_columns[] = {
	{ "user", N_("USER") },
	{ "state", N_("STATE") },
	{ "since", N_("SEALED") },
	{ "problem", N_("PROBLEM") },
};

static const struct column card_columns[] = {
	{ "user", N_("USER") },
	{ "state", N_("STATE") },
	{ "holder", N_("HOLDER") },
	{ "card_id", N_("CARD") },
};

static int secret_ask(const struct options *options, enum wire_type type)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new((uint16_t)type, &request) < 0)
		return output_fault(options);
	wire_add_string(request, TAG_USER, options->operands[0]);
	wire_add_u32(request, TAG_FLAGS, options->given & OPTION_NEW ? REQUEST_NEW : 0);
	exchange_run(options, request, SECRET_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, "");
}

int command_secret_enable(const struct options *options)
{
	return secret_ask(options, WIRE_REQUEST_SECRET_ENABLE);
}

int command_secret_disable(const struct options *options)
{
	return secret_ask(options, WIRE_REQUEST_SECRET_DISABLE);
}

static int list_json(const struct exchange *exchange)
{
	json_t *value = output_result(&exchange->result);

	if (json_object_set_new(value, "secrets",
				output_records(exchange->items, "secret")) < 0 ||
	    json_object_set_new(value, "cards",
				output_records(exchange->items, "secret_card")) < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

int command_secret_list(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (wire_message_new(WIRE_REQUEST_SECRET_LIST, &request) < 0)
		return output_fault(options);
	exchange_run(options, request, SECRET_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return list_json(&exchange);
	if (output_table(exchange.items, "secret", secret_columns,
			 array_size(secret_columns), true) == 0)
		output_empty(
			N_("Nobody has a login secret. Make one: hygie secret enable "
			   "USER"));
	(void)output_table(exchange.items, "secret_card", card_columns,
			   array_size(card_columns), true);
	return 0;
}

int secret_exchange(const struct options *options, struct exchange *ret_exchange)
{
	cleanup_message struct wire_message *request = NULL;
	int r = secret_protect_process();

	if (r == 0)
		r = wire_message_new(WIRE_REQUEST_SECRET_SHOW, &request);
	if (r < 0)
		return output_fault(options);
	if (options->reader)
		wire_add_string(request, TAG_READER, options->reader);
	exchange_run(options, request, SHOW_MILLISECONDS, ret_exchange);
	if (ret_exchange->result.outcome != HYGIE_OK)
		return output_failure(options, &ret_exchange->result);
	return ret_exchange->secret ? 0 : output_fault(options);
}

/*
 * Straight from locked memory to the descriptor: neither stdio nor jansson keeps a copy.
 * Base64 needs no escape in JSON.
 */
static int secret_print(const struct secret *secret, bool json)
{
	static const char before[] = "{\"outcome\": \"ok\", \"secret\": \"",
			  after[] = "\"}\n";
	int r = json ? write_all(STDOUT_FILENO, before, sizeof(before) - 1) : 0;

	if (r == 0)
		r = write_all(STDOUT_FILENO, secret_bytes_const(secret),
			      secret_size(secret));
	if (r == 0)
		r = json ? write_all(STDOUT_FILENO, after, sizeof(after) - 1)
			 : write_all(STDOUT_FILENO, "\n", 1);
	return r;
}

int command_secret_show(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	int status = secret_exchange(options, &exchange);

	if (status != 0)
		return status;
	return secret_print(exchange.secret, options->given & OPTION_JSON) < 0
		       ? output_fault(options)
		       : 0;
}
