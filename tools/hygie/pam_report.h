/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pam subcommands share: the services of the machine, and how lines and times
 * are written.
 */
#pragma once

#include "output.h"
#include "pam_stack.h"

#include <time.h>

/* An outcome of the command's own with its sentence. */
struct client_result pam_result(enum hygie_outcome outcome, const char *format, ...)
	printf_like(2, 3);

/* The names of all services, sorted, as strings; common-* are none. NULL: no memory. */
json_t *pam_services(const struct pam_place *place);

/* "[success=1 default=ignore] pam_unix.so nullok" */
json_t *pam_line_text(const struct pam_line *line);

/* "/etc/pam.d/login:3", or a part of it. */
json_t *pam_line_place(const struct pam_line *line);

/* The auth lines of common-auth as pam_line_text. NULL: no memory. */
json_t *pam_common_auth(void);

/* The names of profiles in `bits`. NULL: no memory. */
json_t *pam_profiles_json(unsigned bits);

/* "2030-01-01 12:00" in local time, into 32 bytes. */
void pam_time_text(time_t when, char ret_text[32]);
