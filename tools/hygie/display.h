/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a terminal can show: its character set, the width of text on it, its colours. Text
 * that comes here is printable already (record.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_POOR, COLOUR_BAD, COLOUR_HEADING };

/* Whether a person reads this stream. */
bool display_is_terminal(FILE *to);

/*
 * UTF-8 `text` as a terminal of this locale takes it, cut to fit in `size` bytes.
 */
void display_encode(const char *text, char *ret_text, size_t size);

/* Whether the locale's character set is UTF-8. */
bool display_is_utf8(void);

/* Columns that UTF-8 `text` takes on a terminal, as display_put writes it. */
size_t display_width(const char *text);

/*
 * Writes UTF-8 `text`; on a terminal with the colour (unless NO_COLOR is set and not
 * empty, or TERM is "dumb"), and in the locale's character set, with "?" for what that
 * lacks.
 */
void display_put(FILE *to, enum colour colour, const char *text);

/* Writes `count` blanks. */
void display_blanks(FILE *to, size_t count);
