/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_WATCH: tells what a status tells, at once and anew after each change, each
 * time with an ITEM "end" behind it, until the peer goes. With REQUEST_LOCKER the peer is
 * the program that locks the session it runs in, and is also told which programs of its
 * user's keep a record store from being closed.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void watch_serve(struct hygied *hygied, struct peer *peer,
		 const struct wire_message *request);
