/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recovery key: its passphrase and what is noticed of one mistyped; its file.
 */
#include "hygied/recovery_key.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

static struct secret *passphrase_new(void)
{
	struct secret *passphrase = NULL;

	assert_int_equal(recovery_passphrase_new(&passphrase), 0);
	assert_int_equal(secret_size(passphrase), RECOVERY_PASSPHRASE_SIZE);
	return passphrase;
}

static void text_of(const struct secret *passphrase,
		    char text[RECOVERY_PASSPHRASE_SIZE + 1])
{
	memcpy(text, secret_bytes_const(passphrase), RECOVERY_PASSPHRASE_SIZE);
	text[RECOVERY_PASSPHRASE_SIZE] = '\0';
}

/* The result; what was read must be `expected` where it is not NULL. */
static int read_text(const char *text, const char *expected)
{
	struct secret *typed, *read = NULL;
	int r;

	assert_int_equal(secret_new_from(text, strlen(text), &typed), 0);
	r = recovery_passphrase_read(typed, &read);
	assert_true((r == 0) == (read != NULL));
	if (read && expected) {
		assert_int_equal(secret_size(read), strlen(expected));
		assert_memory_equal(secret_bytes(read), expected, strlen(expected));
	}
	secret_free(typed);
	secret_free(read);
	return r;
}

static void passphrase_has_seven_groups_and_is_another_each_time(void **state)
{
	struct secret *one = passphrase_new(), *other = passphrase_new();
	char text[RECOVERY_PASSPHRASE_SIZE + 1];

	(void)state;
	text_of(one, text);
	for (size_t i = 0; i < RECOVERY_PASSPHRASE_SIZE; i++)
		if (i % 5 == 4)
			assert_int_equal(text[i], '-');
		else
			assert_non_null(strchr(ALPHABET, text[i]));
	assert_memory_not_equal(secret_bytes(one), secret_bytes(other),
				RECOVERY_PASSPHRASE_SIZE);
	assert_int_equal(read_text(text, text), 0);
	secret_free(one);
	secret_free(other);
}

static void passphrase_is_read_however_it_is_typed(void **state)
{
	/* its check by hand: no digit but the last of 26, which is 1 */
	static const char right[] = "0000-0000-0000-0000-0000-0000-0101";

	(void)state;
	assert_int_equal(read_text(right, right), 0);
	assert_int_equal(read_text("oooo oooo OOOO 0000 0000 0000 oloI\n", right), 0);
	assert_int_equal(read_text("0000000000000000000000000L0I", right), 0);
	assert_int_equal(read_text("00000000000000000000000001-0i", right), 0);
	assert_int_equal(read_text("  0000-0000-0000-0000-0000-0000-0101--", right), 0);
}

static void what_is_too_long_too_short_or_no_character_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"0000-0000-0000-0000-0000-0000-010",
		"0000-0000-0000-0000-0000-0000-0101-0",
		"0000-0000-0000-0000-0000-0000-U101",
		"0000-0000-0000-0000-0000-0000-01\xc3\xa9",
		"0000-0000-0000-0000-0000-0000-0101 x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(read_text(wrong[i], NULL), -EINVAL);
}

static void any_one_wrong_character_is_noticed(void **state)
{
	struct secret *passphrase = passphrase_new();
	char text[RECOVERY_PASSPHRASE_SIZE + 1];

	(void)state;
	text_of(passphrase, text);
	for (size_t i = 0; i < RECOVERY_PASSPHRASE_SIZE; i++) {
		char right = text[i];

		for (const char *other = ALPHABET; right != '-' && *other; other++) {
			text[i] = *other;
			assert_int_equal(read_text(text, NULL),
					 *other == right ? 0 : -EBADMSG);
		}
		text[i] = right;
	}
	secret_free(passphrase);
}

static void any_two_that_changed_places_are_noticed(void **state)
{
	struct secret *passphrase = passphrase_new();
	char text[RECOVERY_PASSPHRASE_SIZE + 1];

	(void)state;
	text_of(passphrase, text);
	for (size_t i = 0; i < RECOVERY_PASSPHRASE_SIZE; i++)
		for (size_t j = 0; j < i; j++) {
			char one = text[i], other = text[j];

			if (one == '-' || other == '-')
				continue;
			text[i] = other;
			text[j] = one;
			/* Not said of the check's own: there it is one in 1021. */
			if (i < RECOVERY_PASSPHRASE_SIZE - 2)
				assert_int_equal(read_text(text, NULL),
						 one == other ? 0 : -EBADMSG);
			text[i] = one;
			text[j] = other;
		}
	secret_free(passphrase);
}

static void locked_key_comes_back_by_its_passphrase_alone(void **state)
{
	struct secret *passphrase = passphrase_new(), *other = passphrase_new();
	EVP_PKEY *key = NULL, *again = NULL;
	uint8_t *der;
	size_t size;

	(void)state;
	assert_int_equal(recovery_key_new(&key), 0);
	assert_int_equal(recovery_key_lock(key, passphrase, &der, &size), 0);
	assert_in_range(size, 1, RECOVERY_FILE_MAX);
	assert_int_equal(recovery_key_unlock(der, size, other, &again), -EKEYREJECTED);
	assert_null(again);
	assert_int_equal(recovery_key_unlock(der, size, passphrase, &again), 0);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
	secret_free(passphrase);
	secret_free(other);
}

static void file_that_is_cut_or_longer_is_refused(void **state)
{
	struct secret *passphrase = passphrase_new();
	uint8_t *der, longer[RECOVERY_FILE_MAX] = { 0 };
	EVP_PKEY *key = NULL, *again;
	size_t size;

	(void)state;
	assert_int_equal(recovery_key_new(&key), 0);
	assert_int_equal(recovery_key_lock(key, passphrase, &der, &size), 0);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(recovery_key_unlock(der, cut, passphrase, &again),
				 -EBADMSG);
	memcpy(longer, der, size);
	assert_int_equal(recovery_key_unlock(longer, size + 1, passphrase, &again),
			 -EBADMSG);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
	secret_free(passphrase);
}

/* A file that was put there must not keep us busy for hours. */
static void file_that_would_take_for_ever_is_refused(void **state)
{
	static const uint8_t count[] = { 0x02, 0x03, 0x01, 0x86, 0xa0 }; /* 100000 */
	struct secret *passphrase = passphrase_new();
	EVP_PKEY *key = NULL, *again;
	uint8_t *der, *at;
	size_t size;

	(void)state;
	assert_int_equal(recovery_key_new(&key), 0);
	assert_int_equal(recovery_key_lock(key, passphrase, &der, &size), 0);
	at = memmem(der, size, count, sizeof(count));
	assert_non_null(at);
	at[2] = 0x0e; /* below a million: only slow */
	assert_int_equal(recovery_key_unlock(der, size, passphrase, &again),
			 -EKEYREJECTED);
	at[2] = 0x0f; /* above */
	assert_int_equal(recovery_key_unlock(der, size, passphrase, &again), -EBADMSG);
	at[2] = 0x81; /* below zero */
	assert_int_equal(recovery_key_unlock(der, size, passphrase, &again), -EBADMSG);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
	secret_free(passphrase);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passphrase_has_seven_groups_and_is_another_each_time),
		cmocka_unit_test(passphrase_is_read_however_it_is_typed),
		cmocka_unit_test(what_is_too_long_too_short_or_no_character_is_refused),
		cmocka_unit_test(any_one_wrong_character_is_noticed),
		cmocka_unit_test(any_two_that_changed_places_are_noticed),
		cmocka_unit_test(locked_key_comes_back_by_its_passphrase_alone),
		cmocka_unit_test(file_that_is_cut_or_longer_is_refused),
		cmocka_unit_test(file_that_would_take_for_ever_is_refused),
	};

	return cmocka_run_group_tests_name("recovery_key", tests, NULL, NULL);
}
