/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the envelope share among themselves.
 */
#pragma once

#include "hygied/envelope.h"
#include "hygied/envelope_asn1.h"

#include <openssl/evp.h>

enum {
	CONTENT_KEY_SIZE = 32,
	WRAPPED_KEY_SIZE = 40, /* RFC 3394: 8 bytes more */
	NONCE_SIZE = 12,
	MAC_SIZE = 16,
	RECIPIENTS_HASH_SIZE = 32, /* SHA-256 */
	CONTENT_SIZE_MAX = 512,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 4096,
	POINT_SIZE_P256 = 65,
	POINT_SIZE_P384 = 97, /* uncompressed */
};

struct envelope {
	ENVELOPE_FILE *file;
	uint8_t nonce[NONCE_SIZE];
	uint8_t recipients_hash[RECIPIENTS_HASH_SIZE];
};

static inline void envelope_pkey_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static inline void envelope_pkey_ctx_free(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}

static inline void envelope_cipher_ctx_free(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

static inline void envelope_bytes_free(uint8_t **bytes)
{
	OPENSSL_free(*bytes);
}

#define cleanup_pkey cleanup_with(envelope_pkey_free)
#define cleanup_pkey_ctx cleanup_with(envelope_pkey_ctx_free)
#define cleanup_cipher_ctx cleanup_with(envelope_cipher_ctx_free)
#define cleanup_bytes cleanup_with(envelope_bytes_free)

/* Bytes of the key's uncompressed point; 0 unless it is on P-256 or P-384. */
size_t envelope_point_size(const EVP_PKEY *key);

/* Whether the key can take that wrap. */
bool envelope_key_takes(const EVP_PKEY *key, enum envelope_wrap wrap);

/* A key on the curve of `key` with that point: NULL unless it lies on the curve. */
EVP_PKEY *envelope_peer_new(const EVP_PKEY *key, const uint8_t *point, size_t size);

/* The wrap that a recipient says; NONE: none of ours. */
enum envelope_wrap envelope_wrap_of(const ENVELOPE_RI *recipient);

/* SHA-256 of the recipients as the SET OF that stands in the file. 0 or -ENOMEM. */
int envelope_recipients_hash(const STACK_OF(ENVELOPE_RI) * recipients,
			     uint8_t ret_hash[RECIPIENTS_HASH_SIZE]) must_check;

/* Sets the padding for one RSA encryption or decryption; false when it cannot. */
bool envelope_padding_set(EVP_PKEY_CTX *context, enum envelope_wrap wrap);

/* ECDH of the private `key` with `peer`. 0; -ENOMEM, -EPERM, -EIO. */
int envelope_agree(EVP_PKEY *key, EVP_PKEY *peer, struct secret **ret_shared) must_check;
