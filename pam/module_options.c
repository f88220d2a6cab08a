/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the module's arguments; see module_options.h.
 */
#include "module_options.h"

#include "libhygie/catalogue.h"

#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#define SOCKET_PREFIX "socket="
#define LOCALE_PREFIX "lang="

/* A word that names no language would otherwise be English without a reason. */
static const char *locale_take(pam_handle_t *handle, const char *locale)
{
	char language[LANGUAGE_SIZE];

	if (language_of_locale(locale, language))
		return locale;
	pam_syslog(handle, LOG_ERR, "lang=\"%s\" names no language: ignored", locale);
	return NULL;
}

struct module_options module_options_parse(pam_handle_t *handle, int argc,
					   const char *argv[])
{
	struct module_options options = { .socket_path = NULL };

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "debug") == 0)
			options.debug = true;
		else if (strcmp(argv[i], "pin_change") == 0)
			options.pin_change = true;
		else if (strncmp(argv[i], SOCKET_PREFIX, strlen(SOCKET_PREFIX)) == 0)
			options.socket_path = argv[i] + strlen(SOCKET_PREFIX);
		else if (strncmp(argv[i], LOCALE_PREFIX, strlen(LOCALE_PREFIX)) == 0)
			options.locale =
				locale_take(handle, argv[i] + strlen(LOCALE_PREFIX));
		else
			pam_syslog(handle, LOG_ERR, "unknown argument \"%s\" ignored",
				   argv[i]);
	}
	return options;
}
