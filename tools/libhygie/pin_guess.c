/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guess by the form alone; see pin_guess.h. No card in use here has other PINs.
 */
#include "libhygie/pin_guess.h"

#define DIGITS_MIN 4
#define DIGITS_MAX 12

bool pin_guess_is_likely(const struct secret *text)
{
	const uint8_t *bytes = secret_bytes_const(text);
	size_t size = secret_size(text);

	for (size_t i = 0; i < size; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	return size >= DIGITS_MIN && size <= DIGITS_MAX;
}
