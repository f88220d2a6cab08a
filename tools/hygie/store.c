/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store: record stores, and who may open them.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/secret.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define STORE_MILLISECONDS 90000

static const struct column holder_columns[] = {
	{ "store", N_("STORE") },         { "user", N_("USER") },
	{ "holder", N_("HOLDER") },       { "state", N_("STATE") },
	{ "until", N_("UNTIL") },         { "grants", N_("GRANTS") },
	{ "store_key", N_("STORE KEY") }, { "card_id", NULL },
};

static const struct column store_columns[] = {
	{ "store", N_("STORE") },     { "mount", N_("FOLDER") }, { "group", N_("GROUP") },
	{ "backend", N_("BACKEND") }, { "cipher", NULL },
};

static void add_text(struct wire_message *request, uint16_t tag, const char *text)
{
	if (text)
		wire_add_string(request, tag, text);
}

/* A request about one store; what was not given is left out. */
static int store_run(const struct options *options, enum wire_type type,
		     struct exchange *exchange)
{
	cleanup_message struct wire_message *request = NULL;
	const char *user = NULL;
	int r = wire_message_new((uint16_t)type, &request);

	if (r < 0)
		return r;
	if (options->operand_count > 0)
		wire_add_string(request, TAG_STORE, options->operands[0]);
	if (type == WIRE_REQUEST_STORE_CREATE) {
		for (size_t i = 1; i < options->operand_count; i++)
			wire_add_string(request, TAG_MEMBER, options->operands[i]);
	} else if (options->operand_count > 1) {
		user = options->operands[1];
	}
	add_text(request, TAG_USER, user);
	add_text(request, TAG_GROUP, options->group);
	add_text(request, TAG_MOUNT, options->mount);
	add_text(request, TAG_CIPHER, options->cipher);
	add_text(request, TAG_BACKEND, options->backend);
	add_text(request, TAG_UNTIL, options->until);
	wire_add_u32(request, TAG_FLAGS,
		     options->given & OPTION_NO_GRANT ? REQUEST_NO_GRANT : 0);
	exchange_run(options, request, STORE_MILLISECONDS, exchange);
	return 0;
}

/* One whose answer is a sentence. */
static int store_ask(const struct options *options, enum wire_type type)
{
	cleanup_exchange struct exchange exchange = { 0 };

	if (store_run(options, type, &exchange) < 0)
		return output_fault(options);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, "");
}

/* One through which a recovery passphrase passes: nobody dumps or traces us meanwhile. */
static int store_ask_guarded(const struct options *options, enum wire_type type)
{
	return secret_protect_process() < 0 ? output_fault(options)
					    : store_ask(options, type);
}

int command_store_create(const struct options *options)
{
	if (!options->group)
		return output_usage(options,
				    N_("Say whose members work with the records: --group "
				       "GROUP."));
	return store_ask_guarded(options, WIRE_REQUEST_STORE_CREATE);
}

int command_store_add(const struct options *options)
{
	return store_ask(options, WIRE_REQUEST_STORE_ADD);
}

int command_store_remove(const struct options *options)
{
	return store_ask(options, WIRE_REQUEST_STORE_REMOVE);
}

int command_store_rotate(const struct options *options)
{
	return store_ask(options, WIRE_REQUEST_STORE_ROTATE);
}

int command_store_recover(const struct options *options)
{
	return store_ask_guarded(options, WIRE_REQUEST_STORE_RECOVER);
}

int command_store_recovery(const struct options *options)
{
	return store_ask_guarded(options, WIRE_REQUEST_STORE_RECOVERY);
}

static int store_json(const struct exchange *exchange, bool with_findings,
		      enum hygie_outcome outcome)
{
	json_t *value = output_result(&exchange->result);
	int r = value ? 0 : -1;

	if (r == 0)
		r = json_object_set_new(value, "stores",
					output_records(exchange->items, "store"));
	if (r == 0)
		r = json_object_set_new(value, "holders",
					output_records(exchange->items, "holder"));
	if (r == 0 && with_findings)
		r = json_object_set_new(value, "findings",
					output_records(exchange->items, "finding"));
	if (r < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, outcome);
}

int command_store_list(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };

	if (store_run(options, WIRE_REQUEST_STORE_CHECK, &exchange) < 0)
		return output_fault(options);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return store_json(&exchange, false, HYGIE_OK);
	if (output_table(exchange.items, "store", store_columns,
			 array_size(store_columns), true) == 0)
		output_empty(N_("There is no record store. Make one: hygie store create "
				"NAME --group GROUP"));
	(void)output_table(exchange.items, "holder", holder_columns,
			   array_size(holder_columns), true);
	return 0;
}

static const char *member(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

/* Prints the findings; whether one needs a person. */
static bool findings_print(const struct exchange *exchange, bool quiet)
{
	const json_t *record;
	bool needed = false;
	size_t i;

	json_array_foreach(exchange->items, i, record)
	{
		const char *user = member(record, "user");

		if (strcmp(member(record, "kind"), "finding") != 0)
			continue;
		needed = needed || strcmp(member(record, "state"), "note") != 0;
		if (quiet)
			continue;
		(void)printf("%s: %s%s%s: ", member(record, "store"), user,
			     user[0] ? ": " : "", member(record, "state"));
		display_put(stdout, COLOUR_NONE, tr(member(record, "problem")));
		(void)fputc('\n', stdout);
	}
	return needed;
}

int command_store_check(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	bool json = options->given & OPTION_JSON, needed;
	int status = 0;

	if (store_run(options, WIRE_REQUEST_STORE_CHECK, &exchange) < 0)
		return output_fault(options);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	needed = findings_print(&exchange, json);
	if (json)
		status = store_json(&exchange, true, HYGIE_OK);
	else if (!needed)
		(void)printf("%s\n", tr("No store needs anything."));
	return status != 0 ? status : needed ? 1 : 0;
}
