/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to hygied, filled from the items of a PAM handle. What a remote peer or an
 * application may have put there is bounded and made printable here; the user's name is
 * never changed.
 */
#pragma once

#include "libhygie/wire.h"

#include <security/pam_modules.h>

#define TICKET_NAME "HYGIE_TICKET"

/*
 * The user's name as the application or an earlier module gave it, borrowed from the
 * handle; NULL when none was given (absent or empty): the card then says who. It is never
 * asked for.
 */
const char *request_user(pam_handle_t *handle);

/* REQUEST_AUTHENTICATE with user (if any), service, terminal, remote host and flags. */
int request_authenticate(pam_handle_t *handle, int flags,
			 struct wire_message **ret_request) must_check;

/*
 * REQUEST_PIN_CHANGE for the user; `check`: only whether it could be (REQUEST_CHECK).
 */
int request_pin_change(pam_handle_t *handle, int flags, bool check,
		       struct wire_message **ret_request) must_check;

/*
 * REQUEST_OPEN_SESSION (with the ticket, which may be NULL for none) or
 * REQUEST_CLOSE_SESSION, as `type` says, with user, service and XDG_SESSION_ID.
 */
int request_session(pam_handle_t *handle, uint16_t type, const char *ticket,
		    struct wire_message **ret_request) must_check;
