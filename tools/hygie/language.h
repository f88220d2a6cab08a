/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language of the command: gettext's, from LANGUAGE and the locale. JSON and what
 * goes into a pipe for other programs stay as they are.
 */
#pragma once

#include "libhygie/translate.h"

#include <libintl.h>

/* The translation of a sentence of the command's own. Not for "". */
#define tr(english) gettext(english)

/* Sets the locale and finds the catalogues. Once, at the start. */
void language_begin(void);

/* For what hygied says (libhygie/translate.h). */
extern const struct translator language_translator;

/*
 * A result's sentence in the person's language, printable, never empty; `ret_text` has
 * room for PRINTABLE_SIZE(HYGIE_TEXT_MAX) bytes.
 */
void language_result(const struct client_result *result, char *ret_text);
