/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls gettext; see language.h.
 */
#include "language.h"

#include "libhygie/printable.h"
#include "record.h"

#include <locale.h>
#include <string.h>

#ifndef HYGIE_LOCALEDIR
#define HYGIE_LOCALEDIR "/usr/share/locale"
#endif

static const char *find_by_gettext(const void *context, const char *english)
{
	(void)context;
	/* The translation of nothing is the catalogue's head. */
	return english[0] != '\0' ? gettext(english) : english;
}

const struct translator language_translator = { .find = find_by_gettext };

void language_begin(void)
{
	(void)setlocale(LC_ALL, "");
	/* Without memory it stays English. */
	(void)bindtextdomain("hygie", HYGIE_LOCALEDIR);
	(void)bind_textdomain_codeset("hygie", "UTF-8");
	(void)textdomain("hygie");
}

void language_result(const struct client_result *result, char *ret_text)
{
	char translated[HYGIE_TEXT_MAX];

	translate_result(&language_translator, result, translated);
	text_clean(ret_text, PRINTABLE_SIZE(HYGIE_TEXT_MAX), translated,
		   strlen(translated));
}
