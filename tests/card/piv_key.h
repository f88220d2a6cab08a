/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private keys of the card: the operations that a PIV card performs on raw blocks,
 * without padding or hashing of its own. Whether it may is not decided here.
 */
#pragma once

#include "card/bytes.h"

#include <openssl/evp.h>

/* Reads a PEM private key. 0, or negative errno (-EINVAL: not a key). Free by
 * EVP_PKEY_free. */
int piv_key_load(const char *path, EVP_PKEY **ret_key);

/* The algorithm reference of SP 800-78 (07 RSA-2048, 05 RSA-3072, 11 P-256, 14 P-384), or
 * 0. */
unsigned piv_key_algorithm(const EVP_PKEY *key);

/*
 * RSA: the private operation on one block of the modulus' size. EC: an ECDSA signature,
 * in DER, of the digest `in`. Appends to `ret_out`; 0 or -EINVAL.
 */
int piv_key_sign(EVP_PKEY *key, const uint8_t *in, size_t len, struct bytes *ret_out);

/* ECDH with the uncompressed point `point`: appends the shared x coordinate. 0 or
 * -EINVAL. */
int piv_key_agree(EVP_PKEY *key, const uint8_t *point, size_t len, struct bytes *ret_out);
