/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the language and opens its catalogue; see language.h.
 */
#include "language.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#ifndef HYGIE_LOCALEDIR
#define HYGIE_LOCALEDIR "/usr/share/locale"
#endif

static const char *pam_locale(pam_handle_t *handle)
{
	static const char names[][sizeof("LC_MESSAGES")] = { "LC_ALL", "LC_MESSAGES",
							     "LANG" };

	for (size_t i = 0; i < array_size(names); i++) {
		const char *value = pam_getenv(handle, names[i]);

		if (value && value[0] != '\0')
			return value;
	}
	return "";
}

struct catalogue *language_catalogue(pam_handle_t *handle,
				     const struct module_options *options)
{
	struct catalogue *catalogue = NULL;
	char language[LANGUAGE_SIZE];
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): in glibc, unless setlocale() runs */
	const char *locale = nl_langinfo(NL_LOCALE_NAME(LC_MESSAGES));
	int r;

	if (!language_of_locale(locale, language) &&
	    !language_of_locale(pam_locale(handle), language) &&
	    (!options->locale || !language_of_locale(options->locale, language)))
		return NULL;
	r = catalogue_open(HYGIE_LOCALEDIR, language, &catalogue);
	if (r < 0 && r != -ENOENT)
		pam_syslog(handle, LOG_WARNING, "cannot read the texts in \"%s\"",
			   language);
	return r < 0 ? NULL : catalogue;
}

static const char *find(const void *catalogue, const char *english)
{
	return catalogue_find(catalogue, english);
}

struct translator language_translator(const struct catalogue *catalogue)
{
	return (struct translator){ .find = find, .context = catalogue };
}
