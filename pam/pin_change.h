/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN's change by way of PAM: what passwd, login and display managers call where the
 * service's file says so.
 */
#pragma once

#include "libhygie/outcome.h"
#include "module_options.h"

/*
 * What PAM_PRELIM_CHECK answers to what hygied said of the card: PAM_SUCCESS for
 * HYGIE_OK, PAM_IGNORE where the user has no card here, or none that is in;
 * PAM_PERM_DENIED; else PAM_TRY_AGAIN, after which nothing is changed by anybody.
 */
int pin_check_code(enum hygie_outcome outcome);

/* What PAM_UPDATE_AUTHTOK answers; PAM_SUCCESS for HYGIE_OK alone, never PAM_IGNORE. */
int pin_change_code(enum hygie_outcome outcome);

/* pam_sm_chauthtok, whole. */
int pin_change_run(pam_handle_t *handle, int flags, const struct module_options *options);
