/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables, lines, JSON and sentences; see output.h.
 */
#include "output.h"

#include "command.h"
#include "display.h"
#include "language.h"
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
		{ "state", N_("ready"), COLOUR_GOOD },
		{ "state", N_("active"), COLOUR_GOOD },
		{ "state", N_("reading"), COLOUR_POOR },
		{ "state", N_("busy"), COLOUR_POOR },
		{ "state", N_("unknown"), COLOUR_POOR },
		{ "state", N_("unreadable"), COLOUR_BAD },
		{ "state", N_("revoked"), COLOUR_BAD },
		{ "state", N_("empty"), COLOUR_NONE },
		{ "tries", N_("ok"), COLOUR_NONE },
		{ "tries", N_("low"), COLOUR_POOR },
		{ "tries", N_("last"), COLOUR_BAD },
		{ "tries", N_("blocked"), COLOUR_BAD },
		{ "trust", N_("ok"), COLOUR_GOOD },
		{ "value", N_("running"), COLOUR_GOOD },
		{ "value", N_("not running"), COLOUR_BAD },
		{ "value", N_("registry unreadable"), COLOUR_BAD },
		{ "name", N_("enrolled cards"), COLOUR_NONE },
		{ "exclusive", N_("no"), COLOUR_POOR },
		{ "phase", N_("card in"), COLOUR_GOOD },
		{ "phase", N_("unsure"), COLOUR_POOR },
		{ "phase", N_("card out"), COLOUR_POOR },
		{ "phase", N_("locking"), COLOUR_POOR },
		{ "phase", N_("locked"), COLOUR_GOOD },
		{ "phase", N_("open"), COLOUR_POOR },
		{ "phase", N_("not locked"), COLOUR_BAD },
		{ "phase", N_("ending"), COLOUR_POOR },
		{ "on_removal", N_("lock"), COLOUR_NONE },
		{ "on_removal", N_("logout"), COLOUR_NONE },
		{ "on_removal", N_("none"), COLOUR_POOR },
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
		return json_is_true(value) ? N_("yes") : N_("no");
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

/* What a person reads in a cell: hygied's own words are translated, names are not. */
static const char *cell_shown(const char *key, const char *text)
{
	static const char *const keys[] = { "state", "tries",     "trust",
					    "value", "exclusive", "name" };

	for (size_t i = 0; i < array_size(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return tr(text);
	return text;
}

static size_t column_width(const json_t *items, const char *kind,
			   const struct column *column)
{
	size_t most = display_width(tr(column->title));
	char cut[CUT_SIZE];
	const json_t *record;
	size_t i;

	json_array_foreach(items, i, record)
	{
		size_t width;

		if (!record_is(record, kind))
			continue;
		width = display_width(cell_shown(
			column->key, cell_text(record, column->key, true, cut)));
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
		enum colour colour = COLOUR_HEADING;
		const char *text;

		if (!columns[i].title)
			continue;
		if (record) {
			text = cell_text(record, columns[i].key, true, cut);
			colour = colour_of(columns[i].key, text);
			text = cell_shown(columns[i].key, text);
		} else {
			text = tr(columns[i].title);
		}
		display_blanks(stdout, owed);
		display_put(stdout, colour, text);
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
	char text[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];

	if (options->given & OPTION_JSON)
		return output_json(output_result(result), result->outcome);
	language_result(result, text);
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
	const struct complaint complaint = { reason, "" };

	return output_complaint(options, &complaint);
}

int output_complaint(const struct options *options, const struct complaint *complaint)
{
	bool json = (options->given & OPTION_JSON) != 0;
	const char *template = json ? complaint->template : tr(complaint->template);
	char text[PRINTABLE_SIZE(HYGIE_TEXT_MAX)], sentence[HYGIE_TEXT_MAX];

	text_render(template, &complaint->argument, 1, sentence, sizeof(sentence));
	text_clean(text, sizeof(text), sentence, strlen(sentence));
	if (json) {
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
	char said[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];

	language_result(result, said);
	display_put(stdout, COLOUR_NONE,
		    result->text[0] || text[0] == '\0' ? said : tr(text));
	(void)fputc('\n', stdout);
	return 0;
}

void output_sentence(enum client_tone tone, const struct client_text *text)
{
	char clean[PRINTABLE_SIZE(HYGIE_TEXT_MAX)], translated[HYGIE_TEXT_MAX];

	if (tone == CLIENT_PROGRESS && !display_is_terminal(stderr))
		return;
	translate_text(&language_translator, text, translated);
	text_clean(clean, sizeof(clean), translated, strlen(translated));
	if (tone == CLIENT_WARNING)
		display_put(stderr, COLOUR_POOR, tr("warning: "));
	display_put(stderr, COLOUR_NONE, clean);
	(void)fputc('\n', stderr);
}

void output_warning(const char *text)
{
	(void)fputs("hygie: ", stderr);
	display_put(stderr, COLOUR_POOR, text);
	(void)fputc('\n', stderr);
}

void output_empty(const char *text)
{
	FILE *to = display_is_terminal(stdout) ? stdout : stderr;

	display_put(to, COLOUR_NONE, tr(text));
	(void)fputc('\n', to);
}
