/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in a throw-away folder: three holders (RSA by OAEP, RSA by PKCS #1 v1.5, EC),
 * one more who is to come, the recovery key, and what each of them gets out of it.
 */
#pragma once

#include "hygied/recovery_key.h"
#include "hygied/store_rights.h"
#include "unit/certificate_fixture.h"
#include "unit/scratch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { ALICE, BOB, CAROL, DAN, PAPER, NEW_PAPER, PEOPLE };
#define NOW 1800000000 /* 2027-01-15 08:00:00 UTC */
#define NAME "records"

static EVP_PKEY *people[PEOPLE];
static struct certificate *certificates[PEOPLE];
static struct secret *secret_of_test, *passphrase_of_test, *new_passphrase;
static uint8_t *locked_of_test, *new_locked;
static size_t locked_size, new_locked_size;

static const enum envelope_wrap wraps_of_test[PEOPLE] = { ENVELOPE_WRAP_RSA_OAEP_SHA256,
							  ENVELOPE_WRAP_RSA_PKCS1,
							  ENVELOPE_WRAP_EC,
							  ENVELOPE_WRAP_EC,
							  ENVELOPE_WRAP_EC,
							  ENVELOPE_WRAP_EC };

static inline struct certificate *certificate_of(EVP_PKEY *key)
{
	return certificate_made(key, key, NULL);
}

static inline int store_group_setup(void **state)
{
	(void)state;
	if (envelope_secret_new(&secret_of_test) < 0 ||
	    recovery_passphrase_new(&passphrase_of_test) < 0 ||
	    recovery_key_new(&people[PAPER]) < 0 ||
	    recovery_key_lock(people[PAPER], passphrase_of_test, &locked_of_test,
			      &locked_size) < 0 ||
	    recovery_passphrase_new(&new_passphrase) < 0 ||
	    recovery_key_new(&people[NEW_PAPER]) < 0 ||
	    recovery_key_lock(people[NEW_PAPER], new_passphrase, &new_locked,
			      &new_locked_size) < 0)
		return -1;
	people[ALICE] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	people[BOB] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	people[CAROL] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	people[DAN] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	for (int i = 0; i < PEOPLE; i++)
		certificates[i] = certificate_of(people[i]);
	return 0;
}

static inline int store_group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		EVP_PKEY_free(people[i]);
		certificate_free(certificates[i]);
	}
	secret_free(secret_of_test);
	secret_free(passphrase_of_test);
	secret_free(new_passphrase);
	OPENSSL_free(locked_of_test);
	OPENSSL_free(new_locked);
	return 0;
}

static inline struct store_holder holder_of(int who, enum store_right right)
{
	struct store_holder holder = { .wrap = wraps_of_test[who],
				       .state = right,
				       .grants = true };

	memcpy(holder.key_id, certificate_key_id(certificates[who]), HYGIE_KEY_ID_SIZE);
	memset(holder.card, who + 1, HYGIE_KEY_ID_SIZE);
	(void)snprintf(holder.user, sizeof(holder.user), "user%d", who);
	(void)snprintf(holder.name, sizeof(holder.name), "Dr. Dr = %d [Ärztin]", who);
	return holder;
}

static inline const char *folder_of(void **state)
{
	return ((const struct scratch *)*state)->path;
}

static inline struct store *loaded(void **state)
{
	struct file_error error = { "" };
	struct store *store = NULL;

	if (store_load(folder_of(state), NAME, &store, &error) != 0)
		fail_msg("%s", error.text);
	return store;
}

/* Makes the store with the first `count` of them as holders, sealed for them. */
static inline struct store *store_made(void **state, int count)
{
	struct store *store = calloc(1, sizeof(*store));
	struct file_error error = { "" };

	(void)snprintf(store->name, sizeof(store->name), NAME);
	(void)snprintf(store->cipher, sizeof(store->cipher), "/var/lib/x/cipher");
	(void)snprintf(store->mount, sizeof(store->mount), "/srv/hygie/records");
	store->backend = BACKEND_GOCRYPTFS;
	(void)snprintf(store->group, sizeof(store->group), "users");
	store->generation = 7;
	assert_int_equal(mkdir(scratch_path(state, NAME), 0700), 0);
	assert_int_equal(store_recovery_save(folder_of(state), NAME, people[PAPER],
					     locked_of_test, locked_size,
					     store->recovery),
			 0);
	for (int i = 0; i < count; i++) {
		struct store_holder holder = holder_of(i, RIGHT_HELD);

		assert_int_equal(store_holder_add(store, &holder), 0);
		assert_int_equal(
			store_certificate_save(folder_of(state), NAME, certificates[i]),
			0);
	}
	if (store_seal(folder_of(state), store, secret_of_test, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(store_save(folder_of(state), store), 0);
	return store;
}

/* What a person's key gets out of the envelope that is there. */
static inline struct envelope_opened open_by(void **state, const struct store *store,
					     int who, struct envelope **ret_envelope)
{
	const struct envelope_store expected = { store->name, store->generation,
						 ENVELOPE_OF_STORE };
	struct envelope_opened opened = { 0 };
	struct envelope *envelope = NULL;
	struct file_error error = { "" };
	int r;

	if (store_envelope_load(folder_of(state), NAME, &envelope, &error) != 0)
		fail_msg("%s", error.text);
	r = envelope_open_with_key(envelope, people[who], &expected, &opened);
	assert_true(r == 0 || r == -ENOENT);
	if (ret_envelope)
		*ret_envelope = envelope;
	else
		envelope_free(envelope);
	return opened;
}

static inline bool opens(void **state, int who)
{
	cleanup_store struct store *store = loaded(state);
	struct envelope_opened opened = open_by(state, store, who, NULL);
	bool same = opened.secret && secret_size(opened.secret) == ENVELOPE_SECRET_SIZE &&
		    memcmp(secret_bytes(opened.secret), secret_bytes(secret_of_test),
			   ENVELOPE_SECRET_SIZE) == 0;

	secret_free(opened.secret);
	return same;
}

/* An opening by that person, with all that belongs to it. */
static inline int complete_by(void **state, int who, struct store_changes *ret_changes,
			      struct file_error *ret_error)
{
	cleanup_store struct store *store = loaded(state);
	struct envelope *envelope = NULL;
	struct envelope_opened opened = open_by(state, store, who, &envelope);
	uint8_t id[HYGIE_KEY_ID_SIZE];
	int r;

	assert_int_equal(opened.verdict, ENVELOPE_OPEN);
	assert_int_equal(store_key_id(people[who], id), 0);
	r = store_complete(folder_of(state), store, envelope, &opened, id, NOW,
			   ret_changes, ret_error);
	secret_free(opened.secret);
	envelope_free(envelope);
	return r;
}
