/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gettext catalogue (a .mo file), read without gettext: for code in somebody else's
 * process, where neither locale nor environment are ours to use or to believe
 * (docs/decisions/0011). It knows no plural forms and no contexts.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>

#define CATALOGUE_SIZE_MAX ((size_t)256 * 1024)
#define LANGUAGE_SIZE 8 /* "fra_FR" and its terminator */

struct catalogue;

/*
 * The language in a locale's name, as ll or ll_CC ("fr_FR" of "fr_FR.UTF-8@euro"). False
 * for "C", "POSIX", "C.UTF-8" and whatever is no such name: it then says no language.
 * What it gives is safe as the name of a folder.
 */
bool language_of_locale(const char *locale, char ret_language[LANGUAGE_SIZE]);

/*
 * Reads FOLDER/LANGUAGE/LC_MESSAGES/hygie.mo, or that of the language without its
 * country. `language` is as above. -ENOENT when there is none; -EBADMSG when it is no
 * catalogue; -EFBIG over CATALOGUE_SIZE_MAX; another negative errno.
 */
int catalogue_open(const char *folder, const char *language,
		   struct catalogue **ret_catalogue) must_check;

/* The same from bytes in memory, which are copied. */
int catalogue_parse(const void *bytes, size_t size,
		    struct catalogue **ret_catalogue) must_check;

/* Takes NULL. */
void catalogue_free(struct catalogue *catalogue);

/*
 * The translation of `english`, valid UTF-8, borrowed from the catalogue; `english`
 * itself when there is none, or no catalogue (NULL).
 */
const char *catalogue_find(const struct catalogue *catalogue, const char *english);
