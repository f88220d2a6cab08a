/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands print: tables for people, tab-separated lines for pipes, JSON for
 * programs, and sentences.
 */
#pragma once

#include "exchange.h"

struct column {
	const char *key;   /* member of the record */
	const char *title; /* English, on a terminal; NULL: not shown there */
};

/*
 * Prints the records of `kind`. On a terminal: a heading and aligned columns, dates
 * without the time of day, "-" for what is absent. Else: a line each, every column,
 * separated by tabs, empty for what is absent; with the kind first if `with_kind`.
 * Returns how many records there were.
 */
size_t output_table(const json_t *items, const char *kind, const struct column *columns,
		    size_t count, bool with_kind);

/* The records of `kind` as a new array, without their "kind". NULL without memory. */
json_t *output_records(const json_t *items, const char *kind);

/* Prints one JSON value, which it takes over, and a newline. The exit status for it. */
int output_json(json_t *value, enum hygie_outcome outcome);

/* {"outcome": ..., "text": ...}, to be added to. NULL without memory. */
json_t *output_result(const struct client_result *result);

/*
 * Tells a failure: on standard error, or as JSON with --json. Returns the exit status,
 * which is 0 for HYGIE_OK alone.
 */
int output_failure(const struct options *options, const struct client_result *result);

/* The same for want of memory, before any dialogue. */
int output_fault(const struct options *options);

/*
 * Tells a mistake of usage, as JSON with --json; returns EXIT_USAGE. `reason` is English,
 * marked with N_().
 */
int output_usage(const struct options *options, const char *reason);
int output_complaint(const struct options *options, const struct complaint *complaint);

/* Tells a success: hygied's text, or `text` (English) when it has none. Returns 0. */
int output_done(const struct client_result *result, const char *text);

/* A sentence of the dialogue, on standard error. Progress is for terminals only. */
void output_sentence(enum client_tone tone, const struct client_text *text);

/* A sentence, translated, of a program that runs in the background: on standard error. */
void output_warning(const char *text);

/*
 * A sentence (English) in place of an empty list: on a terminal, and else on standard
 * error.
 */
void output_empty(const char *text);
