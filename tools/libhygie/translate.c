/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation and character sets; see translate.h.
 */
#include "libhygie/translate.h"

#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

static void copy(char ret_text[HYGIE_TEXT_MAX], const char *text)
{
	text_render("{1}", &text, 1, ret_text, HYGIE_TEXT_MAX);
}

void translate_text(const struct translator *translator, const struct client_text *text,
		    char ret_text[HYGIE_TEXT_MAX])
{
	const char *arguments[TEXT_ARGUMENTS_MAX] = { NULL };
	const char *template = text_template((enum hygie_text)text->id);
	const char *translation;

	if (template[0] == '\0') {
		copy(ret_text, translator->find(translator->context, text->english));
		return;
	}
	translation = translator->find(translator->context, template);
	if (translation == template) {
		copy(ret_text, text->english);
		return;
	}
	for (size_t i = 0; i < text->arguments->count; i++)
		arguments[i] = text->arguments->text[i];
	text_render(translation, arguments, text->arguments->count, ret_text,
		    HYGIE_TEXT_MAX);
}

void translate_result(const struct translator *translator,
		      const struct client_result *result, char ret_text[HYGIE_TEXT_MAX])
{
	const struct client_text text = {
		.id = result->text[0] ? result->text_id : TEXT_NONE,
		.english = result->text[0] ? result->text : outcome_text(result->outcome),
		.arguments = &result->arguments,
	};

	translate_text(translator, &text, ret_text);
}

/* Bytes of the UTF-8 character at `at`, which is valid. */
static size_t character_size(const char *at)
{
	size_t size = 1;

	while (((unsigned char)at[size] & 0xC0) == 0x80)
		size++;
	return size;
}

/* What a set that cannot be converted to still has: it is ASCII's superset. */
static void encode_ascii(const char *text, char *ret_text, size_t size)
{
	size_t used = 0;

	for (; *text && used + 1 < size; text += character_size(text))
		ret_text[used++] = (unsigned char)*text < 0x80 ? *text : '?';
	ret_text[used] = '\0';
}

/* Character by character, so that one that does not fit or does not exist is alone. */
static void encode_with(iconv_t converter, const char *text, char *ret_text, size_t size)
{
	char *to = ret_text;
	size_t room = size - 1;

	while (*text) {
		char character[8] = "", *from = character;
		size_t length = character_size(text), left = length;

		if (length >= sizeof(character))
			break;
		memcpy(character, text, length);
		if (iconv(converter, &from, &left, &to, &room) == (size_t)-1) {
			if (errno == E2BIG || room == 0)
				break;
			*to++ = '?';
			room--;
		}
		text += length;
	}
	*to = '\0';
}

void translate_encode(const char *text, char *ret_text, size_t size)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): in glibc, unless setlocale() runs */
	const char *codeset = nl_langinfo(CODESET);
	char target[64];
	iconv_t converter;

	if (strcmp(codeset, "UTF-8") == 0 || strcmp(codeset, "ANSI_X3.4-1968") == 0) {
		text_render("{1}", &text, 1, ret_text, size);
		return;
	}
	(void)snprintf(target, sizeof(target), "%s//TRANSLIT", codeset);
	converter = iconv_open(target, "UTF-8");
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): so POSIX has it */
	if (converter == (iconv_t)-1)
		encode_ascii(text, ret_text, size);
	else
		encode_with(converter, text, ret_text, size);
	(void)iconv_close(converter); /* of what was not opened too: that only fails */
}
