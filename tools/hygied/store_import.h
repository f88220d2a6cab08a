/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_STORE_IMPORT, root's: TAG_STORE. `hygie store import` has put an exported
 * store's files into FOLDER/.NAME.new, each as its manifest says; here they are judged as
 * those of a store are, and get their place. Never over a store that is there.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void request_store_import(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);
