/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope: what the token is told to do, and what an attacker, or a token that lies, makes
 * of an envelope: nothing of it opens, and nothing tells why.
 */
#include "unit/envelope_fixture.h"

#include <openssl/x509.h>
#include <time.h>

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
		cmocka_unit_test(task_says_what_the_token_has_to_do),
		cmocka_unit_test(downgrade_is_refused_where_another_way_was_recorded),
		cmocka_unit_test(recipient_rewritten_to_pkcs1_opens_to_nobody),
		cmocka_unit_test(recipient_added_by_a_stranger_is_noticed),
		cmocka_unit_test(point_off_the_curve_never_reaches_the_token),
		cmocka_unit_test(whatever_else_a_token_gives_is_shut),
		cmocka_unit_test(bad_padding_takes_as_long_as_a_wrong_key),
		cmocka_unit_test(renewed_certificate_finds_its_holder),
	};

	return cmocka_run_group_tests(tests, envelope_group_setup,
				      envelope_group_teardown);
}
