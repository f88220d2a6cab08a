/* SPDX-License-Identifier: Apache-2.0 */
/* BER-TLV as PIV uses it: tags of one to three bytes, definite lengths. Parses memory
 * only. */
#pragma once

#include "card/bytes.h"

#include <stdbool.h>

struct tlv {
	unsigned tag;
	const uint8_t *value; /* points into what was parsed */
	size_t len;
};

/* Appends tag, length and value. `value` must not lie in `out`. */
void tlv_add(struct bytes *out, unsigned tag, const void *value, size_t len);

/*
 * Takes the TLV at *`at`, of which *`left` bytes remain, and moves both behind it.
 * False, and nothing moved, where no well-formed TLV begins there.
 */
bool tlv_take(const uint8_t **at, size_t *left, struct tlv *ret_tlv);

/* The first TLV of that tag among the siblings in `data`. */
bool tlv_find(const uint8_t *data, size_t len, unsigned tag, struct tlv *ret_tlv);
