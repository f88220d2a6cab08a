/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal digits; see hex.h.
 */
#include "libhygie/hex.h"

void hex_write(const uint8_t *bytes, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}
