/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The passphrase on paper; see recovery_key.h.
 *
 * 26 characters hold 130 bits, all random. Two more hold the number that these are, in
 * base 32, modulo the prime 1021. A character changed by d at place i changes the number
 * by d * 32^i, and two that change places by a multiple of 32^i - 32^j: never by a
 * multiple of 1021, since 32 has the order 204 there.
 */
#include "hygied/recovery_key.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

enum {
	DATA_COUNT = 26,
	ALL_COUNT = 28,
	GROUP = 4,
	BASE = 32,
	CHECK_MODULUS = 1021,
};

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The check's two digits, from the 26. */
static void check_compute(const uint8_t *digits, uint8_t ret_check[2])
{
	unsigned rest = 0;

	for (size_t i = 0; i < DATA_COUNT; i++)
		rest = (rest * BASE + digits[i]) % CHECK_MODULUS;
	ret_check[0] = (uint8_t)(rest / BASE);
	ret_check[1] = (uint8_t)(rest % BASE);
}

/* In groups, from 28 digits. */
static int text_write(const uint8_t *digits, struct secret **ret_text)
{
	struct secret *text;
	uint8_t *at;
	int r;

	r = secret_new(RECOVERY_PASSPHRASE_SIZE, &text);
	if (r < 0)
		return r;
	at = secret_bytes(text);
	for (size_t i = 0; i < ALL_COUNT; i++) {
		if (i > 0 && i % GROUP == 0)
			*at++ = '-';
		*at++ = (uint8_t)alphabet[digits[i]];
	}
	secret_set_size(text, RECOVERY_PASSPHRASE_SIZE);
	*ret_text = text;
	return 0;
}

int recovery_passphrase_new(struct secret **ret_passphrase)
{
	cleanup_secret struct secret *digits = NULL;
	uint8_t *bytes;
	int r;

	r = secret_new(ALL_COUNT, &digits);
	if (r < 0)
		return r;
	bytes = secret_bytes(digits);
	if (RAND_priv_bytes(bytes, DATA_COUNT) != 1)
		return -EIO;
	for (size_t i = 0; i < DATA_COUNT; i++)
		bytes[i] %= BASE; /* of 256: even */
	check_compute(bytes, bytes + DATA_COUNT);
	return text_write(bytes, ret_passphrase);
}

/* The digit that was meant, or BASE. */
static uint8_t digit_read(uint8_t byte)
{
	const char *at;

	if (byte >= 'a' && byte <= 'z')
		byte = (uint8_t)(byte - 'a' + 'A');
	if (byte == 'O')
		byte = '0';
	if (byte == 'I' || byte == 'L')
		byte = '1';
	at = byte ? strchr(alphabet, byte) : NULL;
	return at ? (uint8_t)(at - alphabet) : BASE;
}

static bool byte_is_space(uint8_t byte)
{
	return byte == '-' || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The 28 digits of what was typed; false when it is not 28. */
static bool digits_read(const struct secret *typed, uint8_t *ret_digits)
{
	const uint8_t *bytes = secret_bytes_const(typed);
	size_t count = 0;

	for (size_t i = 0; i < secret_size(typed); i++) {
		uint8_t digit;

		if (byte_is_space(bytes[i]))
			continue;
		digit = digit_read(bytes[i]);
		if (digit == BASE || count == ALL_COUNT)
			return false;
		ret_digits[count++] = digit;
	}
	return count == ALL_COUNT;
}

int recovery_passphrase_read(const struct secret *typed, struct secret **ret_passphrase)
{
	cleanup_secret struct secret *digits = NULL;
	uint8_t check[2], *bytes;
	bool right;
	int r;

	r = secret_new(ALL_COUNT, &digits);
	if (r < 0)
		return r;
	bytes = secret_bytes(digits);
	if (!digits_read(typed, bytes))
		return -EINVAL;
	check_compute(bytes, check);
	right = memcmp(check, bytes + DATA_COUNT, sizeof(check)) == 0;
	wipe(check, sizeof(check));
	return right ? text_write(bytes, ret_passphrase) : -EBADMSG;
}
