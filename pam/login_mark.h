/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What authenticate and open_session leave on the PAM handle for the functions that come
 * after them, and only on success. It lives as long as the handle and is never shared: an
 * application that authenticates in another process (sshd) has no mark, and the later
 * functions then answer PAM_IGNORE.
 */
#pragma once

#include "libhygie/client.h"

#include <security/pam_modules.h>

struct login_mark {
	uint64_t not_after; /* of the certificate, seconds since 1970; 0: none said */
	uint32_t flags;     /* enum result_flag */
};

/* Sets the mark, in place of any other. 0; -ENOMEM or -EIO, and then there is no mark. */
int login_mark_set(pam_handle_t *handle, const struct client_result *result) must_check;

/* Takes the mark of an earlier authenticate away; -EIO when that cannot be done. */
int login_mark_clear(pam_handle_t *handle) must_check;

/* The mark, borrowed from the handle; NULL when this login was not ours. */
const struct login_mark *login_mark_get(pam_handle_t *handle);

/* The PIN was changed, as the token had asked for: acct_mgmt need not say so again. */
void login_mark_pin_changed(pam_handle_t *handle);

/* Notes that chauthtok's first call found the PIN to be ours to change. */
int pin_mark_set(pam_handle_t *handle) must_check;
void pin_mark_clear(pam_handle_t *handle);
bool pin_mark_get(pam_handle_t *handle);

/* Notes that open_session bound a session on this handle. Errors as login_mark_set. */
int session_mark_set(pam_handle_t *handle) must_check;
void session_mark_clear(pam_handle_t *handle);
bool session_mark_get(pam_handle_t *handle);
