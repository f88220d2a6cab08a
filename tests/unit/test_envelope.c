/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope: every kind of recipient, many of them, and everything that must not open.
 * What other programs make of it is tried in tests/store.
 */
#include "hygied/envelope.h"
#include "pki/fixture.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>

#define MANY 100

enum { RSA_A, RSA_B, RSA_C, P256, P384, STRANGER, KEY_COUNT };

static EVP_PKEY *keys[KEY_COUNT];
static EVP_PKEY *many[MANY];
static const struct envelope_store records = { "records", 7 };

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

static int group_setup(void **state)
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

static int group_teardown(void **state)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < MANY; i++)
		EVP_PKEY_free(many[i]);
	secret_free(secret_of_test);
	return pki_group_teardown(state);
}

static struct sealed seal(const struct envelope_store *store,
			  const struct envelope_recipient *recipients, size_t count)
{
	struct sealed sealed;

	assert_int_equal(envelope_seal(secret_of_test, store, recipients, count,
				       &sealed.der, &sealed.size),
			 0);
	return sealed;
}

static struct sealed seal_all(void)
{
	struct envelope_recipient recipients[array_size(holders)];

	for (size_t i = 0; i < array_size(holders); i++)
		recipients[i] = (struct envelope_recipient){ keys[holders[i].key],
							     holders[i].wrap };
	return seal(&records, recipients, array_size(holders));
}

static struct envelope *parsed(const struct sealed *sealed)
{
	struct envelope *envelope = NULL;

	assert_int_equal(envelope_parse(sealed->der, sealed->size, &envelope), 0);
	return envelope;
}

/* What `key` gets out of it; SHUT as well where it does not parse or has no such holder. */
static enum envelope_verdict verdict(const uint8_t *der, size_t size, EVP_PKEY *key,
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

static void every_kind_of_holder_opens(void **state)
{
	struct sealed sealed = seal_all();

	(void)state;
	for (size_t i = 0; i < array_size(holders); i++)
		assert_int_equal(
			verdict(sealed.der, sealed.size, keys[holders[i].key], &records),
			ENVELOPE_OPEN);
	assert_int_equal(verdict(sealed.der, sealed.size, keys[STRANGER], &records),
			 ENVELOPE_SHUT);
	OPENSSL_free(sealed.der);
}

static void one_two_and_a_hundred_holders_open(void **state)
{
	static const size_t counts[] = { 1, 2, MANY };
	struct envelope_recipient recipients[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		recipients[i] = (struct envelope_recipient){ many[i], ENVELOPE_WRAP_EC };
	for (size_t c = 0; c < array_size(counts); c++) {
		struct sealed sealed = seal(&records, recipients, counts[c]);
		struct envelope *envelope = parsed(&sealed);

		assert_int_equal(envelope_recipient_count(envelope), counts[c]);
		assert_int_equal(envelope_recipient_wrap(envelope, counts[c] - 1),
				 ENVELOPE_WRAP_EC);
		envelope_free(envelope);
		for (size_t i = 0; i < MANY; i++)
			assert_int_equal(
				verdict(sealed.der, sealed.size, many[i], &records),
				i < counts[c] ? ENVELOPE_OPEN : ENVELOPE_SHUT);
		OPENSSL_free(sealed.der);
	}
}

/* The shape of the most that may be: 256 holders of the largest keys. */
static void no_more_holders_than_the_limit(void **state)
{
	struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX + 1];
	uint8_t *der;
	size_t size;

	(void)state;
	for (size_t i = 0; i < array_size(recipients); i++)
		recipients[i] =
			(struct envelope_recipient){ keys[P256], ENVELOPE_WRAP_EC };
	assert_int_equal(envelope_seal(secret_of_test, &records, recipients,
				       array_size(recipients), &der, &size),
			 -EINVAL);
	assert_int_equal(
		envelope_seal(secret_of_test, &records, recipients, 0, &der, &size),
		-EINVAL);
	assert_int_equal(
		envelope_seal(secret_of_test, &records, recipients, 2, &der, &size),
		-EEXIST);
}

static void each_sealing_is_another(void **state)
{
	struct sealed one = seal_all(), other = seal_all();

	(void)state;
	assert_memory_not_equal(one.der + one.size - 16, other.der + other.size - 16, 16);
	OPENSSL_free(one.der);
	OPENSSL_free(other.der);
}

static void cut_at_every_byte_it_does_not_parse(void **state)
{
	struct sealed sealed = seal_all();

	(void)state;
	for (size_t size = 0; size < sealed.size; size++) {
		struct envelope *envelope = NULL;
		/* A block of its own: a sanitizer sees what is read beyond. */
		uint8_t *cut = malloc(size + 1);

		assert_non_null(cut);
		memcpy(cut, sealed.der, size);
		assert_int_equal(envelope_parse(cut, size, &envelope), -EBADMSG);
		free(cut);
	}
	OPENSSL_free(sealed.der);
}

static void anything_after_its_end_is_refused(void **state)
{
	struct sealed sealed = seal_all();
	uint8_t *longer = malloc(sealed.size + 1);
	struct envelope *envelope;

	(void)state;
	assert_non_null(longer);
	memcpy(longer, sealed.der, sealed.size);
	longer[sealed.size] = 0;
	assert_int_equal(envelope_parse(longer, sealed.size + 1, &envelope), -EBADMSG);
	assert_int_equal(envelope_parse(longer, ENVELOPE_SIZE_MAX + 1, &envelope),
			 -EBADMSG);
	free(longer);
	OPENSSL_free(sealed.der);
}

/* Also in what is another holder's: the content names all recipients. */
static void any_bit_flipped_it_does_not_open_to_a_holder(void **state)
{
	struct sealed sealed = seal_all();

	(void)state;
	for (size_t i = 0; i < sealed.size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			sealed.der[i] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(
				verdict(sealed.der, sealed.size, keys[P256], &records),
				ENVELOPE_OPEN);
			sealed.der[i] ^= (uint8_t)(1u << bit);
		}
	assert_int_equal(verdict(sealed.der, sealed.size, keys[P256], &records),
			 ENVELOPE_OPEN);
	OPENSSL_free(sealed.der);
}

static void a_bit_of_any_byte_flipped_it_opens_to_no_kind_of_holder(void **state)
{
	struct sealed sealed = seal_all();

	(void)state;
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.der[i] ^= (uint8_t)(1u << (i % 8));
		for (size_t h = 0; h < array_size(holders); h++)
			assert_int_not_equal(verdict(sealed.der, sealed.size,
						     keys[holders[h].key], &records),
					     ENVELOPE_OPEN);
		sealed.der[i] ^= (uint8_t)(1u << (i % 8));
	}
	OPENSSL_free(sealed.der);
}

static void another_stores_and_an_older_one_are_told(void **state)
{
	static const struct envelope_store other = { "record", 7 },
					   newer = { "records", 8 },
					   older = { "records", 6 };
	struct sealed sealed = seal_all();

	(void)state;
	for (size_t i = 0; i < array_size(holders); i++) {
		EVP_PKEY *key = keys[holders[i].key];

		assert_int_equal(verdict(sealed.der, sealed.size, key, &other),
				 ENVELOPE_OTHER_STORE);
		assert_int_equal(verdict(sealed.der, sealed.size, key, &newer),
				 ENVELOPE_OLDER);
		assert_int_equal(verdict(sealed.der, sealed.size, key, &older),
				 ENVELOPE_OPEN);
	}
	OPENSSL_free(sealed.der);
}

static void names_and_generations_that_cannot_be_are_refused(void **state)
{
	static const char *const names[] = { "",    ".hidden", "-option", "a b",
					     "a/b", "a\n",     "\xc3\xa9" };
	struct envelope_recipient holder = { keys[P256], ENVELOPE_WRAP_EC };
	struct envelope_store store = { "records", 0 };
	char longest[STORE_NAME_MAX + 2];
	uint8_t *der;
	size_t size;

	(void)state;
	assert_int_equal(envelope_seal(secret_of_test, &store, &holder, 1, &der, &size),
			 -EINVAL);
	store.generation = UINT64_MAX;
	for (size_t i = 0; i < array_size(names); i++) {
		store.name = names[i];
		assert_false(envelope_name_is_valid(names[i]));
		assert_int_equal(
			envelope_seal(secret_of_test, &store, &holder, 1, &der, &size),
			-EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_false(envelope_name_is_valid(longest));
	longest[STORE_NAME_MAX] = '\0';
	store.name = longest;
	assert_int_equal(envelope_seal(secret_of_test, &store, &holder, 1, &der, &size),
			 0);
	assert_int_equal(verdict(der, size, keys[P256], &store), ENVELOPE_OPEN);
	OPENSSL_free(der);
}

static void secret_of_another_form_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"short",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		"AAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAA=",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
	};
	struct envelope_recipient holder = { keys[P256], ENVELOPE_WRAP_EC };

	(void)state;
	for (size_t i = 0; i < array_size(wrong); i++) {
		struct secret *secret;
		uint8_t *der;
		size_t size;

		assert_int_equal(secret_new_from(wrong[i], strlen(wrong[i]), &secret), 0);
		assert_int_equal(envelope_seal(secret, &records, &holder, 1, &der, &size),
				 -EINVAL);
		secret_free(secret);
	}
}

static void keys_that_are_too_weak_or_of_no_kind_are_refused(void **state)
{
	EVP_PKEY *weak[] = { EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024),
			     EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"),
			     EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
			     EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
			     EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	uint8_t *der;
	size_t size;

	(void)state;
	for (size_t i = 0; i < array_size(weak); i++) {
		assert_non_null(weak[i]);
		assert_int_equal(envelope_wrap_for(weak[i]), ENVELOPE_WRAP_NONE);
		for (int wrap = ENVELOPE_WRAP_NONE; wrap <= ENVELOPE_WRAP_EC; wrap++) {
			struct envelope_recipient holder = { weak[i],
							     (enum envelope_wrap)wrap };

			assert_int_equal(envelope_seal(secret_of_test, &records, &holder,
						       1, &der, &size),
					 -EINVAL);
		}
		EVP_PKEY_free(weak[i]);
	}
}

static void wrap_must_be_of_the_keys_kind(void **state)
{
	struct envelope_recipient wrong[] = {
		{ keys[RSA_A], ENVELOPE_WRAP_EC },
		{ keys[P256], ENVELOPE_WRAP_RSA_PKCS1 },
		{ keys[P384], ENVELOPE_WRAP_RSA_OAEP_SHA256 },
		{ keys[P384], ENVELOPE_WRAP_NONE },
	};
	uint8_t *der;
	size_t size;

	(void)state;
	assert_int_equal(envelope_wrap_for(keys[RSA_A]), ENVELOPE_WRAP_RSA_OAEP_SHA256);
	assert_int_equal(envelope_wrap_for(keys[P384]), ENVELOPE_WRAP_EC);
	for (size_t i = 0; i < array_size(wrong); i++)
		assert_int_equal(envelope_seal(secret_of_test, &records, &wrong[i], 1,
					       &der, &size),
				 -EINVAL);
}

static void task_says_what_the_token_has_to_do(void **state)
{
	static const struct {
		enum token_operation operation;
		uint32_t oaep_hash;
		size_t size;
	} expected[] = {
		{ TOKEN_DECRYPT, 256, 256 }, { TOKEN_DECRYPT, 1, 256 },
		{ TOKEN_DECRYPT, 0, 256 },   { TOKEN_DERIVE, 0, 65 },
		{ TOKEN_DERIVE, 0, 97 },
	};
	struct sealed sealed = seal_all();
	struct envelope *envelope = parsed(&sealed);

	(void)state;
	for (size_t i = 0; i < array_size(holders); i++) {
		struct envelope_task task;

		assert_int_equal(envelope_find_key(envelope, keys[holders[i].key],
						   holders[i].wrap, &task),
				 0);
		assert_int_equal(task.operation, expected[i].operation);
		assert_int_equal(task.oaep_hash, expected[i].oaep_hash);
		assert_int_equal(task.size, expected[i].size);
		assert_int_equal(envelope_recipient_wrap(envelope, task.index),
				 holders[i].wrap);
	}
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
}

/* Whoever can write the file makes it v1.5, where an oracle would be: not asked for. */
static void downgrade_is_refused_where_another_way_was_recorded(void **state)
{
	struct envelope_recipient holder = { keys[RSA_A], ENVELOPE_WRAP_RSA_PKCS1 };
	struct sealed sealed = seal(&records, &holder, 1);
	struct envelope *envelope = parsed(&sealed);
	struct envelope_task task;

	(void)state;
	assert_int_equal(envelope_find_key(envelope, keys[RSA_A],
					   ENVELOPE_WRAP_RSA_OAEP_SHA256, &task),
			 -EKEYREJECTED);
	assert_int_equal(envelope_find_key(envelope, keys[RSA_A],
					   ENVELOPE_WRAP_RSA_OAEP_SHA1, &task),
			 -EKEYREJECTED);
	assert_int_equal(
		envelope_find_key(envelope, keys[RSA_A], ENVELOPE_WRAP_RSA_PKCS1, &task),
		0);
	assert_int_equal(
		envelope_find_key(envelope, keys[RSA_A], ENVELOPE_WRAP_NONE, &task), 0);
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
}

/* The file's own OAEP recipient, its algorithm changed to v1.5 in place. */
static void recipient_rewritten_to_pkcs1_opens_to_nobody(void **state)
{
	static const uint8_t oaep[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
					0x01, 0x01, 0x07, 0x30, 0x00 };
	static const uint8_t pkcs1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
					 0x01, 0x01, 0x01, 0x05, 0x00 };
	struct sealed sealed = seal_all();
	uint8_t *at = memmem(sealed.der, sealed.size, oaep, sizeof(oaep));
	struct envelope *envelope;
	struct envelope_task task;

	(void)state;
	assert_non_null(at);
	memcpy(at, pkcs1, sizeof(pkcs1));
	envelope = parsed(&sealed);
	assert_int_equal(envelope_find_key(envelope, keys[RSA_B],
					   ENVELOPE_WRAP_RSA_OAEP_SHA1, &task),
			 -EKEYREJECTED);
	envelope_free(envelope);
	assert_int_equal(verdict(sealed.der, sealed.size, keys[RSA_B], &records),
			 ENVELOPE_SHUT);
	assert_int_equal(verdict(sealed.der, sealed.size, keys[P256], &records),
			 ENVELOPE_OTHER_RECIPIENTS);
	OPENSSL_free(sealed.der);
}

/* The length of a DER element's header of the long form with two bytes of length. */
static size_t long_header(const uint8_t *at)
{
	assert_int_equal(at[1], 0x82);
	return 4;
}

static void length_grow(uint8_t *at, size_t by)
{
	size_t length = (size_t)(at[2] << 8 | at[3]) + by;

	assert_int_equal(at[1], 0x82);
	at[2] = (uint8_t)(length >> 8);
	at[3] = (uint8_t)length;
}

/*
 * Puts the one recipient of `from` before or after that of `into`. DER wants one of both.
 */
static struct sealed recipient_graft(const struct sealed *into, const struct sealed *from,
				     bool last)
{
	/* SEQUENCE, OID (13), [0], SEQUENCE, version (3), SET */
	enum {
		DATA_AT = 4 + 13,
		SEQUENCE_AT = DATA_AT + 4,
		SET_AT = SEQUENCE_AT + 4 + 3
	};
	const uint8_t *set = from->der + SET_AT, *own_set = into->der + SET_AT;
	size_t size = (size_t)(set[2] << 8 | set[3]);
	size_t own = (size_t)(own_set[2] << 8 | own_set[3]);
	size_t before = SET_AT + long_header(own_set) + (last ? own : 0);
	struct sealed grafted = { malloc(into->size + size), into->size + size };

	assert_non_null(grafted.der);
	memcpy(grafted.der, into->der, before);
	memcpy(grafted.der + before, set + long_header(set), size);
	memcpy(grafted.der + before + size, into->der + before, into->size - before);
	length_grow(grafted.der, size);
	length_grow(grafted.der + DATA_AT, size);
	length_grow(grafted.der + SEQUENCE_AT, size);
	length_grow(grafted.der + SET_AT, size);
	return grafted;
}

/* A stranger cannot wrap the content key; but he must not be taken for a holder either. */
static void recipient_added_by_a_stranger_is_noticed(void **state)
{
	struct envelope_recipient strange = { keys[RSA_A], ENVELOPE_WRAP_RSA_PKCS1 };
	struct envelope_recipient holder = { keys[RSA_B], ENVELOPE_WRAP_RSA_OAEP_SHA1 };
	struct sealed own = seal(&records, &holder, 1);
	struct sealed from = seal(&records, &strange, 1);
	unsigned parsed_as_der = 0;

	(void)state;
	for (int last = 0; last <= 1; last++) {
		struct sealed grafted = recipient_graft(&own, &from, last);
		struct envelope *envelope = NULL;

		if (envelope_parse(grafted.der, grafted.size, &envelope) == 0) {
			parsed_as_der++;
			assert_int_equal(envelope_recipient_count(envelope), 2);
			envelope_free(envelope);
			assert_int_equal(
				verdict(grafted.der, grafted.size, keys[RSA_B], &records),
				ENVELOPE_OTHER_RECIPIENTS);
			assert_int_equal(
				verdict(grafted.der, grafted.size, keys[RSA_A], &records),
				ENVELOPE_SHUT);
		}
		free(grafted.der);
	}
	assert_int_equal(parsed_as_der, 1);
	assert_int_equal(verdict(own.der, own.size, keys[RSA_B], &records),
			 ENVELOPE_OPEN);
	OPENSSL_free(own.der);
	OPENSSL_free(from.der);
}

/* A point that is not on the curve asks a card's key to give itself away. */
static void point_off_the_curve_never_reaches_the_token(void **state)
{
	struct envelope_recipient holder = { keys[P256], ENVELOPE_WRAP_EC };
	struct sealed sealed = seal(&records, &holder, 1);
	struct envelope *envelope = parsed(&sealed);
	struct envelope_task task;
	uint8_t *point;

	(void)state;
	assert_int_equal(
		envelope_find_key(envelope, keys[P256], ENVELOPE_WRAP_NONE, &task), 0);
	point = memmem(sealed.der, sealed.size, task.data, task.size);
	assert_non_null(point);
	point[task.size - 1] ^= 1;
	envelope_free(envelope);
	envelope = parsed(&sealed);
	assert_int_equal(
		envelope_find_key(envelope, keys[P256], ENVELOPE_WRAP_NONE, &task),
		-EKEYREJECTED);
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
}

static enum envelope_verdict open_given(const struct envelope *envelope, int key,
					const void *given, size_t size)
{
	struct envelope_opened opened;
	struct envelope_task task;
	struct secret *secret;

	assert_int_equal(
		envelope_find_key(envelope, keys[key], ENVELOPE_WRAP_NONE, &task), 0);
	assert_int_equal(secret_new_from(given, size, &secret), 0);
	assert_int_equal(envelope_open(envelope, &task, secret, &records, &opened), 0);
	secret_free(secret);
	secret_free(opened.secret);
	return opened.verdict;
}

static void whatever_else_a_token_gives_is_shut(void **state)
{
	struct sealed sealed = seal_all();
	struct envelope *envelope = parsed(&sealed);
	static const uint8_t zeros[1024];

	(void)state;
	for (size_t i = 0; i < array_size(holders); i++)
		for (size_t size = 0; size <= sizeof(zeros);
		     size = size < 64 ? size + 1 : size * 2)
			assert_int_equal(
				open_given(envelope, holders[i].key, zeros, size),
				ENVELOPE_SHUT);
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
}

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/*
 * The least time of many, in which no other program had its part: a way out before the
 * content's tag would be quicker by half.
 */
static uint64_t least_time(const struct envelope *envelope, size_t size)
{
	static const uint8_t zeros[CERTIFICATE_HASH_SIZE];
	uint64_t least = UINT64_MAX;
	struct envelope_task task;
	struct secret *given;

	assert_int_equal(
		envelope_find_key(envelope, keys[RSA_C], ENVELOPE_WRAP_NONE, &task), 0);
	assert_int_equal(secret_new_from(zeros, size, &given), 0);
	for (int i = 0; i < 5000; i++) {
		struct envelope_opened opened;
		uint64_t began = now(), took;

		assert_int_equal(envelope_open(envelope, &task, given, &records, &opened),
				 0);
		took = now() - began;
		if (took < least)
			least = took;
	}
	secret_free(given);
	return least;
}

static void bad_padding_takes_as_long_as_a_wrong_key(void **state)
{
	struct sealed sealed = seal_all();
	struct envelope *envelope = parsed(&sealed);
	uint64_t wrong_key = least_time(envelope, 32);
	uint64_t bad_padding = least_time(envelope, 0);
	uint64_t more = wrong_key > bad_padding ? wrong_key : bad_padding;
	uint64_t less = wrong_key > bad_padding ? bad_padding : wrong_key;

	(void)state;
	print_message("wrong key %lu ns, bad padding %lu ns\n", (unsigned long)wrong_key,
		      (unsigned long)bad_padding);
	assert_true((more - less) * 10 < more); /* within a tenth */
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
}

/* The certificate that was used is another than the one that comes: same key. */
static void renewed_certificate_finds_its_holder(void **state)
{
	struct certificate *certificate = pki_leaf("us-piv", "person");
	struct certificate *renewed = pki_leaf("us-piv", "future");
	EVP_PKEY *key = X509_get0_pubkey(certificate_x509(certificate));
	struct envelope_recipient holder = { key, envelope_wrap_for(key) };
	struct sealed sealed = seal(&records, &holder, 1);
	struct envelope *envelope = parsed(&sealed);
	struct envelope_task task;

	(void)state;
	assert_memory_not_equal(certificate_fingerprint(certificate),
				certificate_fingerprint(renewed), CERTIFICATE_HASH_SIZE);
	assert_memory_equal(certificate_key_id(certificate), certificate_key_id(renewed),
			    CERTIFICATE_HASH_SIZE);
	assert_int_equal(envelope_find(envelope, certificate, ENVELOPE_WRAP_NONE, &task),
			 0);
	assert_int_equal(envelope_find(envelope, renewed, holder.wrap, &task), 0);
	envelope_free(envelope);
	OPENSSL_free(sealed.der);
	certificate_free(certificate);
	certificate_free(renewed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_holder_opens),
		cmocka_unit_test(one_two_and_a_hundred_holders_open),
		cmocka_unit_test(no_more_holders_than_the_limit),
		cmocka_unit_test(each_sealing_is_another),
		cmocka_unit_test(cut_at_every_byte_it_does_not_parse),
		cmocka_unit_test(anything_after_its_end_is_refused),
		cmocka_unit_test(any_bit_flipped_it_does_not_open_to_a_holder),
		cmocka_unit_test(a_bit_of_any_byte_flipped_it_opens_to_no_kind_of_holder),
		cmocka_unit_test(another_stores_and_an_older_one_are_told),
		cmocka_unit_test(names_and_generations_that_cannot_be_are_refused),
		cmocka_unit_test(secret_of_another_form_is_refused),
		cmocka_unit_test(keys_that_are_too_weak_or_of_no_kind_are_refused),
		cmocka_unit_test(wrap_must_be_of_the_keys_kind),
		cmocka_unit_test(task_says_what_the_token_has_to_do),
		cmocka_unit_test(downgrade_is_refused_where_another_way_was_recorded),
		cmocka_unit_test(recipient_rewritten_to_pkcs1_opens_to_nobody),
		cmocka_unit_test(recipient_added_by_a_stranger_is_noticed),
		cmocka_unit_test(point_off_the_curve_never_reaches_the_token),
		cmocka_unit_test(whatever_else_a_token_gives_is_shut),
		cmocka_unit_test(bad_padding_takes_as_long_as_a_wrong_key),
		cmocka_unit_test(renewed_certificate_finds_its_holder),
	};

	return cmocka_run_group_tests_name("envelope", tests, group_setup,
					   group_teardown);
}
