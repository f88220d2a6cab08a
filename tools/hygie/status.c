/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie status: what runs, which readers there are, what is in them, and which sessions
 * belong to cards; with --watch, anew at each change.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

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
	{ "session", N_("SESSION") },
	{ "user", N_("USER") },
	{ "service", N_("OPENED BY") },
	{ "card_id", N_("CARD") },
	{ "reader", N_("READER") },
	{ "bound_at", NULL },
	{ "phase", N_("STATE") },
	{ "on_removal", N_("WHEN CARD IS OUT") },
	{ "card_in", NULL },
	{ "locked", NULL },
	{ "left_ms", NULL },
};

/* Takes `value` over and adds the lists; NULL without memory. */
static json_t *add_lists(json_t *value, const json_t *items)
{
	if (value &&
	    (json_object_set_new(value, "services", output_records(items, "service")) <
		     0 ||
	     json_object_set_new(value, "readers", output_records(items, "reader")) < 0 ||
	     json_object_set_new(value, "sessions", output_records(items, "session")) <
		     0)) {
		json_decref(value);
		return NULL;
	}
	return value;
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

static void print_status(const json_t *items)
{
	size_t services = output_table(items, "service", service_columns,
				       array_size(service_columns), true);

	if (services > 0 && display_is_terminal(stdout))
		(void)fputc('\n', stdout);
	if (output_table(items, "reader", reader_columns, array_size(reader_columns),
			 true) == 0)
		output_empty(N_(
			"No card reader is attached. Plug one in: it is found by itself."));
	print_sessions(items);
}

struct watch {
	bool json;
	json_t *items; /* since the last "end"; owned */
};

/* One telling is whole: a screen, or a line of JSON. */
static void show_telling(struct watch *watch)
{
	if (watch->json) {
		json_t *lists = add_lists(json_object(), watch->items);

		(void)json_dumpf(lists, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)fputc('\n', stdout);
		json_decref(lists);
	} else {
		if (display_is_terminal(stdout))
			(void)fputs("\033[H\033[2J", stdout);
		print_status(watch->items);
	}
	(void)fflush(stdout);
	(void)json_array_clear(watch->items);
}

static void take_item(void *context, const struct wire_message *item)
{
	struct watch *watch = context;
	json_t *record = record_from_item(item);
	const char *kind = json_string_value(json_object_get(record, "kind"));

	if (kind && strcmp(kind, "end") == 0) {
		json_decref(record);
		show_telling(watch);
	} else {
		(void)json_array_append_new(watch->items, record);
	}
}

/* Until hygied ends, or whoever reads goes away. */
static int status_watch(const struct options *options)
{
	static const struct client_callbacks callbacks = { .item = take_item };
	cleanup_message struct wire_message *request = NULL;
	struct watch watch = { .json = options->given & OPTION_JSON };
	struct client_result result;

	if (wire_message_new(WIRE_REQUEST_WATCH, &request) < 0)
		return output_fault(options);
	watch.items = json_array();
	client_run(options->socket, request, UINT64_MAX, &callbacks, &watch, &result);
	json_decref(watch.items);
	return output_failure(options, &result);
}

int command_status(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };

	if (options->given & OPTION_WATCH)
		return status_watch(options);
	if (wire_message_new(WIRE_REQUEST_STATUS, &request) < 0)
		return output_fault(options);
	exchange_run(options, request, STATUS_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(
			add_lists(output_result(&exchange.result), exchange.items),
			HYGIE_OK);
	print_status(exchange.items);
	return 0;
}
