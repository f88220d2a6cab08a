/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holders of every kind, envelopes sealed for them, and what one of them gets out.
 */
#pragma once

#include "hygied/envelope.h"
#include "pki/fixture.h"

#include <errno.h>
#include <openssl/evp.h>

#define MANY 100

enum { RSA_A, RSA_B, RSA_C, P256, P384, STRANGER, KEY_COUNT };

static EVP_PKEY *keys[KEY_COUNT];
static EVP_PKEY *many[MANY];
static const struct envelope_store records = { "records", 7, ENVELOPE_OF_STORE };

/* One of each kind. */
static const struct {
	int key;
	enum envelope_wrap wrap;
} holders[] = {
	{ RSA_A, ENVELOPE_WRAP_RSA_OAEP_SHA256 },
	{ RSA_B, ENVELOPE_WRAP_RSA_OAEP_SHA1 },
	{ RSA_C, ENVELOPE_WRAP_RSA_PKCS1 },
	{ P256, ENVELOPE_WRAP_EC },
	{ P384, ENVELOPE_WRAP_EC },
};

struct sealed {
	uint8_t *der;
	size_t size;
};

static struct secret *secret_of_test;

static inline int envelope_group_setup(void **state)
{
	if (pki_group_setup(state) != 0 || envelope_secret_new(&secret_of_test) != 0)
		return -1;
	for (int i = RSA_A; i <= RSA_C; i++)
		keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	keys[P256] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	keys[P384] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	keys[STRANGER] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	for (size_t i = 0; i < MANY; i++)
		many[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	return 0;
}

static inline int envelope_group_teardown(void **state)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < MANY; i++)
		EVP_PKEY_free(many[i]);
	secret_free(secret_of_test);
	return pki_group_teardown(state);
}

static inline struct sealed seal(const struct envelope_store *store,
				 const struct envelope_recipient *recipients,
				 size_t count)
{
	struct sealed sealed;

	assert_int_equal(envelope_seal(secret_of_test, store, recipients, count,
				       &sealed.der, &sealed.size),
			 0);
	return sealed;
}

static inline struct sealed seal_all(void)
{
	struct envelope_recipient recipients[array_size(holders)];

	for (size_t i = 0; i < array_size(holders); i++)
		recipients[i] = (struct envelope_recipient){ keys[holders[i].key],
							     holders[i].wrap };
	return seal(&records, recipients, array_size(holders));
}

static inline struct envelope *parsed(const struct sealed *sealed)
{
	struct envelope *envelope = NULL;

	assert_int_equal(envelope_parse(sealed->der, sealed->size, &envelope), 0);
	return envelope;
}

/* What `key` gets out of it; SHUT as well where it does not parse or has no such holder. */
static inline enum envelope_verdict verdict(const uint8_t *der, size_t size,
					    EVP_PKEY *key,
					    const struct envelope_store *expected)
{
	struct envelope_opened opened = { 0 };
	struct envelope *envelope = NULL;
	int r;

	r = envelope_parse(der, size, &envelope);
	if (r == 0)
		r = envelope_open_with_key(envelope, key, expected, &opened);
	if (r < 0)
		assert_true(r == -EBADMSG || r == -ENOENT || r == -EKEYREJECTED);
	assert_true((opened.verdict == ENVELOPE_OPEN) == (opened.secret != NULL));
	if (opened.secret) {
		assert_int_equal(secret_size(opened.secret), ENVELOPE_SECRET_SIZE);
		assert_memory_equal(secret_bytes(opened.secret),
				    secret_bytes(secret_of_test), ENVELOPE_SECRET_SIZE);
		assert_true(opened.names_recipients);
	}
	secret_free(opened.secret);
	envelope_free(envelope);
	return opened.verdict;
}
