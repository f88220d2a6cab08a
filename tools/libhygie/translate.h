/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hygied says, in the person's language and character set. The English template is
 * the key of its translation; both are filled in by text_render. Where translations come
 * from is the caller's choice: a catalogue, gettext, or nowhere.
 */
#pragma once

#include "libhygie/client.h"

struct translator {
	/* The translation of a template, which lives as long as the translator; or
	   `english` itself. */
	const char *(*find)(const void *context, const char *english);
	const void *context;
};

/*
 * The sentence in UTF-8, cut at a character's edge: the template of its number, or, if it
 * has none, the sentence itself, is looked up; what is not found stays as hygied said it.
 */
void translate_text(const struct translator *translator, const struct client_text *text,
		    char ret_text[HYGIE_TEXT_MAX]);

/* The same of a result: what hygied said of it, or else the outcome's own sentence. */
void translate_result(const struct translator *translator,
		      const struct client_result *result, char ret_text[HYGIE_TEXT_MAX]);

/*
 * UTF-8 in the character set of the thread's locale. What that lacks comes near to it or
 * is "?". A locale whose set is plain ASCII ("C") says only that nobody chose one: the
 * text stays UTF-8. Cut between characters to fit in `size` bytes, at least one.
 */
void translate_encode(const char *text, char *ret_text, size_t size);
