/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Width, character set and colours of a terminal; see display.h.
 */
#include "display.h"

#include "libhygie/printable.h"
#include "libhygie/translate.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

bool display_is_terminal(FILE *to)
{
	return isatty(fileno(to)) == 1;
}

bool display_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Whether the byte goes on with a character of several. */
static bool byte_continues(char byte)
{
	return ((unsigned char)byte & 0xC0) == 0x80;
}

static size_t character_count(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		if (!byte_continues(*text))
			count++;
	return count;
}

size_t display_width(const char *text)
{
	size_t width = 0;
	mbstate_t state = { 0 };

	if (!display_is_utf8())
		return character_count(text);
	while (*text) {
		wchar_t character;
		size_t n = mbrtowc(&character, text, MB_CUR_MAX, &state);
		int columns;

		if (n == 0 || n > MB_CUR_MAX)
			return width + character_count(text);
		columns = wcwidth(character);
		width += columns > 0 ? (size_t)columns : 0;
		text += n;
	}
	return width;
}

/* A locale that nobody set is ASCII here: a terminal is then not known to be more. */
void display_encode(const char *text, char *ret_text, size_t size)
{
	size_t used = 0;

	if (strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968") != 0) {
		translate_encode(text, ret_text, size);
		return;
	}
	for (; *text && used + 1 < size; text++)
		if (!byte_continues(*text))
			ret_text[used++] = (unsigned char)*text < 0x80 ? *text : '?';
	ret_text[used] = '\0';
}

static bool colours_wanted(FILE *to)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return display_is_terminal(to) && !(no_colour && no_colour[0]) && term &&
	       strcmp(term, "dumb") != 0;
}

void display_put(FILE *to, enum colour colour, const char *text)
{
	static const char *const begin[] = {
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_POOR] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
		[COLOUR_HEADING] = "\033[1m",
	};
	bool coloured = colour != COLOUR_NONE && colours_wanted(to);
	char encoded[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];

	if (coloured)
		(void)fputs(begin[colour], to);
	if (display_is_terminal(to) && !display_is_utf8()) {
		display_encode(text, encoded, sizeof(encoded));
		text = encoded;
	}
	(void)fputs(text, to);
	if (coloured)
		(void)fputs("\033[0m", to);
}

void display_blanks(FILE *to, size_t count)
{
	while (count-- > 0)
		(void)fputc(' ', to);
}
