/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page with a store's recovery key, to be printed or noted, and put away. It is shown
 * once, and kept nowhere.
 */
#pragma once

#include "libhygie/wire.h"

#include <stdio.h>

/* Prints hygied's ITEM "recovery", at most 80 columns wide. */
void recovery_page_print(FILE *to, const struct wire_message *item);
