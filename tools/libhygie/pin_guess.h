/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may have typed as a PIN although no card can say so: such a text is
 * handed to nobody else.
 */
#pragma once

#include "libhygie/secret.h"

/* Whether it is 4 to 12 ASCII digits and nothing else. */
bool pin_guess_is_likely(const struct secret *text);
