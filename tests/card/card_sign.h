/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GENERAL AUTHENTICATE (SP 800-73-4 part 2, 3.2.4): signatures, RSA decipherment and key
 * agreement, the access rule of each key, and the lies that a test may order.
 */
#pragma once

#include "card/card.h"

/* Returns the status word; appends the dynamic authentication template. */
unsigned card_general_authenticate(struct card *card, const struct apdu *apdu,
				   struct bytes *ret_data);
