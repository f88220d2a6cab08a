/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables, lines, JSON and sentences; see output.h.
 */
#include "output.h"

#include "command.h"
#include "display.h"
#include "libhygie/printable.h"

#include <stdio.h>
#include <string.h>

#define GAP 2
#define DATE_LENGTH 10 /* 2027-03-01 */
#define CARD_DIGITS 16 /* enough for "hygie revoke" */
#define CUT_SIZE (CARD_DIGITS + 1)

/* Words that hygied says of a state, and how good they are. */
static enum colour colour_of(const char *key, const char *value)
{
	static const struct {
		const char *key, *value;
		enum colour colour;
	} rows[] = {
		{ "state", "ready", COLOUR_GOOD },
		{ "state", "active", COLOUR_GOOD },
		{ "state", "reading", COLOUR_POOR },
		{ "state", "busy", COLOUR_POOR },
		{ "state", "unknown", COLOUR_POOR },
		{ "state", "unreadable", COLOUR_BAD },
		{ "state", "revoked", COLOUR_BAD },
		{ "tries", "low", COLOUR_POOR },
		{ "tries", "last", COLOUR_BAD },
		{ "tries", "blocked", COLOUR_BAD },
		{ "trust", "ok", COLOUR_GOOD },
		{ "value", "running", COLOUR_GOOD },
		{ "exclusive", "no", COLOUR_POOR },
	};

	for (size_t i = 0; i < array_size(rows); i++)
		if (strcmp(rows[i].key, key) == 0 && strcmp(rows[i].value, value) == 0)
			return rows[i].colour;
	return strcmp(key, "trust") == 0 && value[0] != '-' ? COLOUR_BAD : COLOUR_NONE;
}

/* The text of a cell, "" when absent; `cut` is room for a shortened time or card. */
static const char *cell_text(const json_t *record, const char *key, bool terminal,
			     char cut[CUT_SIZE])
{
	const json_t *value = json_object_get(record, key);
	const char *text = json_string_value(value);
	size_t length = strlen(key);
	bool time = strcmp(key, "not_after") == 0 ||
		    (length > 3 && strcmp(key + length - 3, "_at") == 0);

	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (!text || text[0] == '\0')
		return terminal ? "-" : "";
	if (!terminal || !(time || strcmp(key, "card_id") == 0))
		return text;
	(void)snprintf(cut, CUT_SIZE, "%.*s", time ? DATE_LENGTH : CARD_DIGITS, text);
	return cut;
}

static bool record_is(const json_t *record, const char *kind)
{
	const char *value = json_string_value(json_object_get(record, "kind"));

	return value && strcmp(value, kind) == 0;
}

static size_t column_width(const json_t *items, const char *kind,
			   const struct column *column)
{
	size_t most = display_width(column->title);
	char cut[CUT_SIZE];
	const json_t *record;
	size_t i;

	json_array_foreach(items, i, record)
	{
		size_t width;

		if (!record_is(record, kind))
			continue;
		width = display_width(cell_text(record, column->key, true, cut));
		most = width > most ? width : most;
	}
	return most;
}

/* One line of a terminal's table: the titles when `record` is NULL. */
static void row_print(const json_t *items, const char *kind, const json_t *record,
		      const struct column *columns, size_t count)
{
	char cut[CUT_SIZE];
	size_t owed = 0; /* blanks before the next cell: none trail */

	for (size_t i = 0; i < count; i++) {
		const char *text;

		if (!columns[i].title)
			continue;
		text = record ? cell_text(record, columns[i].key, true, cut)
			      : columns[i].title;
		display_blanks(stdout, owed);
		display_put(stdout,
			    record ? colour_of(columns[i].key, text) : COLOUR_HEADING,
			    text);
		owed = column_width(items, kind, &columns[i]) - display_width(text) + GAP;
	}
	(void)fputc('\n', stdout);
}

static void line_print(const char *kind, const json_t *record,
		       const struct column *columns, size_t count, bool with_kind)
{
	char cut[CUT_SIZE];

	if (with_kind)
		(void)printf("%s\t", kind);
	for (size_t i = 0; i < count; i++)
		(void)printf("%s%s", i > 0 ? "\t" : "",
			     cell_text(record, columns[i].key, false, cut));
	(void)fputc('\n', stdout);
}

size_t output_table(const json_t *items, const char *kind, const struct column *columns,
		    size_t count, bool with_kind)
{
	bool terminal = display_is_terminal(stdout);
	size_t found = 0;
	const json_t *record;
	size_t i;

	json_array_foreach(items, i, record)
	{
		if (!record_is(record, kind))
			continue;
		if (terminal && found == 0)
			row_print(items, kind, NULL, columns, count);
		if (terminal)
			row_print(items, kind, record, columns, count);
		else
			line_print(kind, record, columns, count, with_kind);
		found++;
	}
	return found;
}

json_t *output_records(const json_t *items, const char *kind)
{
	cleanup_json json_t *records = json_array();
	const json_t *record;
	size_t i;

	json_array_foreach(items, i, record)
	{
		cleanup_json json_t *copy = NULL;

		if (!record_is(record, kind))
			continue;
		copy = json_deep_copy(record);
		if (!copy || json_object_del(copy, "kind") < 0 ||
		    json_array_append(records, copy) < 0)
			return NULL;
	}
	return json_incref(records);
}

int output_json(json_t *value, enum hygie_outcome outcome)
{
	size_t flags = JSON_INDENT(2) | (display_is_utf8() ? 0 : JSON_ENSURE_ASCII);
	int r = value ? json_dumpf(value, stdout, flags) : -1;

	json_decref(value);
	(void)fputc('\n', stdout);
	return outcome_exit_status(r < 0 ? HYGIE_FAULT : outcome);
}

json_t *output_result(const struct client_result *result)
{
	char text[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];
	const char *said = result->text[0] ? result->text : outcome_text(result->outcome);

	text_clean(text, sizeof(text), said, strlen(said));
	return json_pack("{s:s, s:s}", "outcome", outcome_name(result->outcome), "text",
			 text);
}

int output_failure(const struct options *options, const struct client_result *result)
{
	const char *text = result->text[0] ? result->text : outcome_text(result->outcome);

	if (options->given & OPTION_JSON)
		return output_json(output_result(result), result->outcome);
	(void)fputs("hygie: ", stderr);
	display_put(stderr, COLOUR_NONE, text);
	(void)fputc('\n', stderr);
	return outcome_exit_status(result->outcome);
}

int output_fault(const struct options *options)
{
	const struct client_result result = { .outcome = HYGIE_FAULT };

	return output_failure(options, &result);
}

int output_usage(const struct options *options, const char *reason)
{
	char text[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];

	text_clean(text, sizeof(text), reason, strlen(reason));
	if (options->given & OPTION_JSON) {
		(void)output_json(
			json_pack("{s:s, s:s}", "outcome", "usage", "text", text),
			HYGIE_OK);
		return EXIT_USAGE;
	}
	(void)fputs("hygie: ", stderr);
	display_put(stderr, COLOUR_NONE, text);
	(void)fputc('\n', stderr);
	return EXIT_USAGE;
}

int output_done(const struct client_result *result, const char *text)
{
	display_put(stdout, COLOUR_NONE, result->text[0] ? result->text : text);
	(void)fputc('\n', stdout);
	return 0;
}

void output_sentence(enum client_tone tone, const char *text)
{
	char clean[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];

	if (tone == CLIENT_PROGRESS && !display_is_terminal(stderr))
		return;
	text_clean(clean, sizeof(clean), text, strlen(text));
	if (tone == CLIENT_WARNING)
		display_put(stderr, COLOUR_POOR, "warning: ");
	display_put(stderr, COLOUR_NONE, clean);
	(void)fputc('\n', stderr);
}

void output_empty(const char *text)
{
	(void)fprintf(display_is_terminal(stdout) ? stdout : stderr, "%s\n", text);
}
