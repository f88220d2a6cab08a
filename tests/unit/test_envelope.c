/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope: every kind of recipient, many of them, and what must not be sealed or parsed.
 * What other programs make of it is tried in tests/store.
 */
#include "unit/envelope_fixture.h"

#include <openssl/x509.h>
#include <time.h>

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
	static const struct envelope_store other = { "record", 7, ENVELOPE_OF_STORE },
					   newer = { "records", 8, ENVELOPE_OF_STORE },
					   older = { "records", 6, ENVELOPE_OF_STORE };
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

/* A user may be called as a store is: neither's envelope opens as the other's. */
static void a_store_and_a_user_of_one_name_are_two(void **state)
{
	static const struct envelope_store user = { "records", 7, ENVELOPE_OF_USER };
	static const struct envelope_store neither = { "records", 7,
						       (enum envelope_kind)2 };
	struct envelope_recipient holder = { keys[P256], ENVELOPE_WRAP_EC };
	struct sealed of_store = seal(&records, &holder, 1);
	struct sealed of_user = seal(&user, &holder, 1);
	uint8_t *der;
	size_t size;

	(void)state;
	assert_int_equal(verdict(of_user.der, of_user.size, keys[P256], &user),
			 ENVELOPE_OPEN);
	assert_int_equal(verdict(of_store.der, of_store.size, keys[P256], &records),
			 ENVELOPE_OPEN);
	assert_int_equal(verdict(of_user.der, of_user.size, keys[P256], &records),
			 ENVELOPE_OTHER_STORE);
	assert_int_equal(verdict(of_store.der, of_store.size, keys[P256], &user),
			 ENVELOPE_OTHER_STORE);
	assert_int_equal(envelope_seal(secret_of_test, &neither, &holder, 1, &der, &size),
			 -EINVAL);
	OPENSSL_free(of_store.der);
	OPENSSL_free(of_user.der);
}

static void names_and_generations_that_cannot_be_are_refused(void **state)
{
	static const char *const names[] = { "",    ".hidden", "-option", "a b",
					     "a/b", "a\n",     "\xc3\xa9" };
	struct envelope_recipient holder = { keys[P256], ENVELOPE_WRAP_EC };
	struct envelope_store store = { "records", 0, ENVELOPE_OF_STORE };
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
		cmocka_unit_test(a_store_and_a_user_of_one_name_are_two),
		cmocka_unit_test(names_and_generations_that_cannot_be_are_refused),
		cmocka_unit_test(secret_of_another_form_is_refused),
		cmocka_unit_test(keys_that_are_too_weak_or_of_no_kind_are_refused),
		cmocka_unit_test(wrap_must_be_of_the_keys_kind),
	};

	return cmocka_run_group_tests(tests, envelope_group_setup,
				      envelope_group_teardown);
}
