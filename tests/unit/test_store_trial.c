/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store trial: which key of a card is found to open stores, and how, from what the card
 * does with the envelopes that it is given. The card here is what a test says it is.
 */
#include "unit/certificate_fixture.h"

/* In place of card.c's: the file under test is built into this program. */
#define card_certificate trial_certificate
#define card_certificate_at trial_certificate_at
#define card_take_secret trial_take_secret
#include "hygied/store_trial.c"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { LOGIN, ENCRYPTION, OTHER, KEYS };

/* What the card does with a task. */
enum answer { HONEST, REFUSES, LIES, HANGS };

static EVP_PKEY *rsa[KEYS], *ec[KEYS];
static struct token_certificate entries[KEYS];
static size_t entry_count;
static EVP_PKEY *inside; /* the key that the card really has for encryption */
static enum answer answers[TOKEN_SECRETS_MAX];
static const struct card_task *tasks;
static size_t task_count;
static const uint8_t issuer[CERTIFICATE_HASH_SIZE] = { 1 };

const struct token_certificate *trial_certificate(const struct card *card)
{
	(void)card;
	return entry_count > 0 ? &entries[0] : NULL;
}

const struct token_certificate *trial_certificate_at(const struct card *card,
						     size_t index)
{
	(void)card;
	return index < entry_count ? &entries[index] : NULL;
}

/* As hygie-token: the content key, or the shared secret; something else, if it lies. */
static size_t decrypt(const struct card_task *task, EVP_PKEY *key, uint8_t *ret_bytes,
		      size_t room)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	bool oaep = task->oaep_hash != 0, ok;
	const EVP_MD *hash = task->oaep_hash == 256 ? EVP_sha256() : EVP_sha1();
	size_t size = room;

	ok = EVP_PKEY_decrypt_init(context) == 1 &&
	     EVP_PKEY_CTX_set_rsa_padding(context, oaep ? RSA_PKCS1_OAEP_PADDING
							: RSA_PKCS1_PADDING) == 1;
	if (ok && oaep)
		ok = EVP_PKEY_CTX_set_rsa_oaep_md(context, hash) == 1 &&
		     EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) == 1;
	ok = ok &&
	     EVP_PKEY_decrypt(context, ret_bytes, &size, task->data, task->size) == 1;
	EVP_PKEY_CTX_free(context);
	return ok ? size : 0;
}

struct secret *trial_take_secret(struct card *card, size_t index)
{
	struct secret *secret = NULL;
	uint8_t bytes[512] = { 0 };
	size_t size = 0;

	(void)card;
	assert_true(index < task_count);
	switch (answers[index]) {
	case HANGS:
		return NULL;
	case LIES:
		memset(bytes, 7, sizeof(bytes));
		size = 32;
		break;
	case HONEST:
		size = decrypt(&tasks[index], inside, bytes, sizeof(bytes));
		break;
	default:
		break;
	}
	assert_int_equal(secret_new_from(bytes, size, &secret), 0);
	return secret;
}

/* One more certificate on the card, from the scheme's CA. */
static struct token_certificate *put(EVP_PKEY *key, const char *usage)
{
	struct token_certificate *entry = &entries[entry_count++];

	*entry = (struct token_certificate){ .certificate = certificate_made(
						     key, rsa[OTHER], usage) };
	entry->verdict.scheme = identity_scheme_at(0);
	entry->verdict.reason = TRUST_OK;
	memcpy(entry->verdict.issuer_key_id, issuer, sizeof(issuer));
	return entry;
}

static struct store_trial *begin(void)
{
	struct store_trial *trial = NULL;

	assert_int_equal(store_trial_new(NULL, &trial), 0);
	tasks = store_trial_tasks(trial, &task_count);
	return trial;
}

/* The wrap that is found, with the certificate's key; ENVELOPE_WRAP_NONE: none. */
static enum envelope_wrap found(struct store_trial *trial, const EVP_PKEY *key)
{
	enum envelope_wrap wrap = ENVELOPE_WRAP_NONE;
	const struct certificate *certificate;

	assert_int_equal(store_trial_take(trial, NULL), 0);
	certificate = store_trial_result(trial, &wrap);
	if (certificate)
		assert_int_equal(
			EVP_PKEY_eq(X509_get0_pubkey(certificate_x509(certificate)), key),
			1);
	store_trial_free(trial);
	return certificate ? wrap : ENVELOPE_WRAP_NONE;
}

static int group_setup(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++) {
		rsa[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
		ec[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	}
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++) {
		EVP_PKEY_free(rsa[i]);
		EVP_PKEY_free(ec[i]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (entry_count > 0)
		certificate_free(entries[--entry_count].certificate);
	memset(answers, 0, sizeof(answers)); /* HONEST */
	inside = NULL;
	return 0;
}

static void the_best_way_that_the_card_has_is_found(void **state)
{
	static const enum envelope_wrap ways[] = { ENVELOPE_WRAP_RSA_OAEP_SHA256,
						   ENVELOPE_WRAP_RSA_OAEP_SHA1,
						   ENVELOPE_WRAP_RSA_PKCS1,
						   ENVELOPE_WRAP_NONE };

	(void)state;
	put(ec[LOGIN], "digitalSignature");
	put(rsa[ENCRYPTION], "keyEncipherment");
	inside = rsa[ENCRYPTION];
	for (size_t i = 0; i < array_size(ways); i++) {
		struct store_trial *trial = begin();

		assert_int_equal(task_count, 3);
		for (size_t k = 0; k < i; k++)
			answers[k] = k % 2 ? HANGS : REFUSES;
		assert_int_equal(found(trial, rsa[ENCRYPTION]), ways[i]);
	}
}

static void the_logins_rsa_key_is_the_second_choice(void **state)
{
	struct store_trial *trial;

	(void)state;
	put(rsa[LOGIN], "digitalSignature");
	put(rsa[ENCRYPTION], "keyEncipherment");
	inside = rsa[ENCRYPTION];
	trial = begin();
	assert_int_equal(task_count, 6);
	assert_int_equal(found(trial, rsa[ENCRYPTION]), ENVELOPE_WRAP_RSA_OAEP_SHA256);
	inside = rsa[LOGIN]; /* the other certificate is of a key that it has not */
	assert_int_equal(found(begin(), rsa[LOGIN]), ENVELOPE_WRAP_RSA_OAEP_SHA256);
}

/* A certificate of somebody else's key, or made-up answers, open nothing. */
static void a_key_that_the_card_does_not_have_is_not_found(void **state)
{
	(void)state;
	put(ec[LOGIN], "digitalSignature");
	put(rsa[ENCRYPTION], "keyEncipherment");
	inside = rsa[OTHER];
	assert_int_equal(found(begin(), NULL), ENVELOPE_WRAP_NONE);
	inside = rsa[ENCRYPTION];
	for (size_t i = 0; i < TOKEN_SECRETS_MAX; i++)
		answers[i] = LIES;
	assert_int_equal(found(begin(), NULL), ENVELOPE_WRAP_NONE);
}

static void only_keys_for_encryption_from_the_holders_scheme_are_tried(void **state)
{
	static const enum trust_reason unfit[] = { TRUST_EXPIRED, TRUST_TEST_CARD };
	struct token_certificate *entry;
	struct store_trial *trial;

	(void)state;
	put(ec[LOGIN], "digitalSignature");
	entry = put(rsa[ENCRYPTION], "digitalSignature");
	store_trial_free(begin());
	assert_int_equal(task_count, 0); /* not for encryption; and EC cannot */
	certificate_free(entry->certificate);
	entry_count--;
	entry = put(rsa[ENCRYPTION], "keyEncipherment");
	store_trial_free(begin());
	assert_int_equal(task_count, 3);
	for (size_t i = 0; i < array_size(unfit); i++) {
		entry->verdict.reason = unfit[i];
		store_trial_free(begin());
		assert_int_equal(task_count, 0);
	}
	entry->verdict.reason = TRUST_EXTENDED_KEY_USAGE; /* what a login would want */
	store_trial_free(begin());
	assert_int_equal(task_count, 3);
	entry->verdict.scheme = identity_scheme_at(1);
	store_trial_free(begin());
	assert_int_equal(task_count, 0);
	entry->verdict.scheme = identity_scheme_at(0);
	memset(entry->verdict.issuer_key_id, 0, sizeof(entry->verdict.issuer_key_id));
	trial = begin();
	assert_int_equal(task_count, 0); /* no CA of the scheme has issued it */
	store_trial_free(trial);
}

static void an_ec_key_for_encryption_is_tried_once_by_derivation(void **state)
{
	struct store_trial *trial;

	(void)state;
	put(rsa[LOGIN], "digitalSignature");
	put(ec[ENCRYPTION], "keyAgreement");
	trial = begin();
	assert_int_equal(task_count, 4);
	assert_int_equal(tasks[0].operation, TOKEN_DERIVE);
	assert_int_equal(tasks[1].operation, TOKEN_DECRYPT);
	store_trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_best_way_that_the_card_has_is_found,
					  teardown),
		cmocka_unit_test_teardown(the_logins_rsa_key_is_the_second_choice,
					  teardown),
		cmocka_unit_test_teardown(a_key_that_the_card_does_not_have_is_not_found,
					  teardown),
		cmocka_unit_test_teardown(
			only_keys_for_encryption_from_the_holders_scheme_are_tried,
			teardown),
		cmocka_unit_test_teardown(
			an_ec_key_for_encryption_is_tried_once_by_derivation, teardown),
	};

	return cmocka_run_group_tests_name("store trial", tests, group_setup,
					   group_teardown);
}
