/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an ECDH secret to a key that wraps another: RFC 5753, 7.2, and RFC 3394.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stdint.h>

/*
 * The AES-256 key that wraps, from the shared secret (the x coordinate) by the X9.63 KDF
 * with SHA-256. 0; -ENOMEM, -EPERM, -EIO.
 */
int envelope_kek_derive(const struct secret *shared, struct secret **ret_kek) must_check;

/* Wraps a content key of 32 bytes. 0 or -ENOMEM, -EIO. */
int envelope_key_wrap(const struct secret *kek, const struct secret *key,
		      uint8_t ret_wrapped[40]) must_check;

/* The content key; -EKEYREJECTED when it was not wrapped by that key; -ENOMEM, -EPERM. */
int envelope_key_unwrap(const struct secret *kek, const uint8_t wrapped[40],
			struct secret **ret_key) must_check;
