/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which language a login speaks. The application's locale is looked at and left alone:
 * neither setlocale nor gettext is called, no environment variable of the process is
 * read (docs/decisions/0011).
 */
#pragma once

#include "libhygie/catalogue.h"
#include "libhygie/translate.h"
#include "module_options.h"

/*
 * The catalogue of the first of these that names a language: the locale that the
 * application has set for messages; the first of LC_ALL, LC_MESSAGES and LANG that is set
 * in the PAM environment; the argument lang=. The caller frees it. NULL: English, which
 * is also what becomes of a language that has no catalogue, or one that cannot be read.
 */
struct catalogue *language_catalogue(pam_handle_t *handle,
				     const struct module_options *options);

define_cleanup(cleanup_catalogue_function, struct catalogue, catalogue_free)
#define cleanup_catalogue cleanup_with(cleanup_catalogue_function)

	/* Says sentences by the catalogue, which is borrowed; NULL: in English. */
	struct translator language_translator(const struct catalogue *catalogue);
