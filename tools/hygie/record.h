/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ITEMs of hygied as JSON objects, which is also what the tables are printed from.
 */
#pragma once

#include "libhygie/wire.h"

#include <jansson.h>

#define cleanup_json cleanup_with(json_decrefp)

/*
 * One object with a member for each field that is known: strings printable, times as
 * "2027-03-01T12:00:00Z", yes and no as booleans. NULL without memory.
 */
json_t *record_from_item(const struct wire_message *item);

/*
 * Copies text from outside to `dst` so that a terminal, a table or a log takes no harm:
 * unchanged when it is clean, else as printable_copy.
 */
void text_clean(char *dst, size_t dst_size, const void *src, size_t src_size);

/* `seconds` since 1970 as above, into 21 bytes; years after 9999 become its last second.
 */
#define TIME_TEXT_SIZE 32
void time_text(uint64_t seconds, char ret_text[TIME_TEXT_SIZE]);
