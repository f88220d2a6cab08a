/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module's arguments in a PAM service file.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>

struct module_options {
	const char
		*socket_path; /* socket=PATH, borrowed from argv; NULL: the usual one */
	const char *locale;   /* lang=LOCALE, borrowed; NULL: none */
	bool debug;           /* debug: outcomes and steps are logged */
	bool pin_change;      /* pin_change: passwd and the like change the PIN */
};

/* Reads the arguments; an unknown one is logged by pam_syslog and otherwise ignored. */
struct module_options module_options_parse(pam_handle_t *handle, int argc,
					   const char *argv[]);
