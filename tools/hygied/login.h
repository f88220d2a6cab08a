/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication and enrolment: the two requests in which a person proves with card and
 * PIN who he is.
 *
 *	choose a card (wait for it) -> is the reader free? -> ask the PIN -> card signs
 *	-> verify -> result
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

/*
 * Serves WIRE_REQUEST_AUTHENTICATE and WIRE_REQUEST_ENROL; the peer owns what it starts.
 */
void login_serve(struct hygied *hygied, struct peer *peer,
		 const struct wire_message *request);
