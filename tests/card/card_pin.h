/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands about the PIN and the PUK (SP 800-73-4 part 2, 3.2.1 to 3.2.3). Each
 * returns the status word. A PIN of a wrong length (not 8 bytes) is 6A80 and spends no
 * try; any other wrong PIN, however malformed, spends one: that shows who sent it.
 */
#pragma once

#include "card/card.h"

unsigned card_verify(struct card *card, const struct apdu *apdu, struct bytes *ret_data);
unsigned card_change_reference_data(struct card *card, const struct apdu *apdu,
				    struct bytes *ret_data);
unsigned card_reset_retry_counter(struct card *card, const struct apdu *apdu,
				  struct bytes *ret_data);
