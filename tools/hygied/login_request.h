/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request that begins a login, an enrolment or a PIN's change: parsed whole, then admitted or not,
 * before anybody is asked anything.
 */
#pragma once

#include "hygied/login_result.h"
#include "libhygie/attributes.h"

/* Reads the fields of `request` into `login`. -EBADMSG or -E2BIG on one that is unfit. */
int login_request_read(struct login *login,
		       const struct wire_message *request) must_check;

/*
 * May this peer ask that, and has the user a card at all? HYGIE_OK to go on. Fills in the
 * user's name where the peer is the user and left it out.
 */
enum hygie_outcome login_request_admit(struct login *login) must_check;
