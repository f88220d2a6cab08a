/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which slot of the module is the reader, or the token, that the order names.
 */
#pragma once

#include "hygie-token/failure.h"
#include "hygie-token/start_order.h"

/*
 * Whether a slot's description (64 bytes, blank-padded, cut) is that of the reader. Some
 * modules put text around the name, so that a whole name inside the description counts.
 */
bool slot_description_matches(const unsigned char description[64], const char *reader);

/*
 * The first slot with a token in it that matches. HYGIE_OK; HYGIE_CARD_UNREADABLE when
 * none does, or when another reader's name begins with the same 61 bytes or contains this
 * one's, and the module was not told to ignore it; HYGIE_BROKEN_SETUP for a bad URI.
 */
enum hygie_outcome slot_find(CK_FUNCTION_LIST *functions, const struct start_order *order,
			     CK_SLOT_ID *ret_slot, struct failure *failure);
