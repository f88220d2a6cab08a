/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying which key of a card opens stores; see store_trial.h.
 */
#include "hygied/store_trial.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <string.h>

#define ATTEMPTS_MAX TOKEN_SECRETS_MAX

/* One key, encrypted to in one way. */
struct attempt {
	const struct certificate *certificate; /* one of the trial's */
	enum envelope_wrap wrap;
	struct envelope *envelope;
	struct envelope_task task;
	bool opened;
};

struct store_trial {
	struct certificate *certificates[2];        /* owned */
	const struct token_certificate *entries[2]; /* the card's own */
	size_t key_count;
	struct attempt attempts[ATTEMPTS_MAX];
	struct card_task tasks[ATTEMPTS_MAX];
	size_t count;
	struct secret *secret; /* of the envelopes */
};

static const struct envelope_store trial_store = { "trial", 1, ENVELOPE_OF_STORE };

void store_trial_free(struct store_trial *trial)
{
	if (!trial)
		return;
	for (size_t i = 0; i < trial->count; i++)
		envelope_free(trial->attempts[i].envelope);
	for (size_t i = 0; i < trial->key_count; i++)
		certificate_free(trial->certificates[i]);
	secret_free(trial->secret);
	free(trial);
}
define_cleanup(cleanup_trial_function, struct store_trial, store_trial_free)
#define cleanup_trial cleanup_with(cleanup_trial_function)

	static bool has_usage(const struct certificate *certificate, uint32_t usage)
{
	X509 *x509 = certificate_x509(certificate);

	return (X509_get_extension_flags(x509) & EXFLAG_KUSAGE) &&
	       (X509_get_key_usage(x509) & usage);
}

/*
 * Whether the certificate is one for encryption from the CAs of the holder's scheme. The
 * usages that a login wants are no matter; all else that is wrong with it is.
 */
static bool is_for_encryption(const struct token_certificate *entry,
			      const struct identity_scheme *scheme)
{
	static const uint8_t none[CERTIFICATE_HASH_SIZE];
	const struct trust_verdict *verdict = &entry->verdict;

	if (verdict->scheme != scheme ||
	    memcmp(verdict->issuer_key_id, none, sizeof(none)) == 0 ||
	    (verdict->reason != TRUST_OK && verdict->reason != TRUST_KEY_USAGE &&
	     verdict->reason != TRUST_EXTENDED_KEY_USAGE))
		return false;
	return has_usage(entry->certificate,
			 certificate_key_type(entry->certificate) == KEY_TYPE_RSA
				 ? KU_KEY_ENCIPHERMENT
				 : KU_KEY_AGREEMENT);
}

static int attempt_make(struct store_trial *trial, size_t key, enum envelope_wrap wrap)
{
	const struct certificate *certificate = trial->certificates[key];
	struct attempt *attempt = &trial->attempts[trial->count];
	struct envelope_recipient recipient = {
		X509_get0_pubkey(certificate_x509(certificate)), wrap
	};
	uint8_t *der = NULL;
	size_t size;
	int r;

	r = envelope_seal(trial->secret, &trial_store, &recipient, 1, &der, &size);
	if (r < 0)
		return r;
	*attempt = (struct attempt){ certificate, wrap, NULL, { 0 }, false };
	r = envelope_parse(der, size, &attempt->envelope);
	OPENSSL_free(der);
	if (r == 0)
		r = envelope_find(attempt->envelope, certificate, wrap, &attempt->task);
	if (r < 0) {
		envelope_free(attempt->envelope);
		return r;
	}
	trial->tasks[trial->count++] = (struct card_task){
		.key = trial->entries[key],
		.operation = attempt->task.operation,
		.oaep_hash = attempt->task.oaep_hash,
		.data = attempt->task.data,
		.size = attempt->task.size,
	};
	return 0;
}

/* A key, in all ways that it may have. */
static int key_try(struct store_trial *trial, const struct token_certificate *entry)
{
	static const enum envelope_wrap rsa[] = { ENVELOPE_WRAP_RSA_OAEP_SHA256,
						  ENVELOPE_WRAP_RSA_OAEP_SHA1,
						  ENVELOPE_WRAP_RSA_PKCS1 };
	const EVP_PKEY *public = X509_get0_pubkey(certificate_x509(entry->certificate));
	size_t key = trial->key_count, size;
	const uint8_t *der = certificate_der(entry->certificate, &size);
	enum envelope_wrap wrap = envelope_wrap_for(public);
	int r;

	if (wrap == ENVELOPE_WRAP_NONE || size > REGISTRY_CERTIFICATE_MAX)
		return 0;
	r = certificate_parse(der, size, &trial->certificates[key]);
	if (r < 0)
		return r;
	trial->key_count++;
	trial->entries[key] = entry;
	if (wrap == ENVELOPE_WRAP_EC)
		return attempt_make(trial, key, wrap);
	for (size_t i = 0; r == 0 && i < array_size(rsa); i++)
		r = attempt_make(trial, key, rsa[i]);
	return r;
}

int store_trial_new(const struct card *card, struct store_trial **ret_trial)
{
	cleanup_trial struct store_trial *trial = calloc(1, sizeof(*trial));
	const struct token_certificate *own = card_certificate(card), *entry;
	int r;

	if (!trial)
		return -ENOMEM;
	r = envelope_secret_new(&trial->secret);
	for (size_t i = 0; r == 0 && own && trial->key_count == 0 &&
			   (entry = card_certificate_at(card, i));
	     i++)
		if (entry != own && is_for_encryption(entry, own->verdict.scheme))
			r = key_try(trial, entry);
	if (r == 0 && own && certificate_key_type(own->certificate) == KEY_TYPE_RSA)
		r = key_try(trial, own);
	if (r < 0)
		return r;
	*ret_trial = trial;
	trial = NULL;
	return 0;
}

const struct card_task *store_trial_tasks(const struct store_trial *trial,
					  size_t *ret_count)
{
	*ret_count = trial->count;
	return trial->tasks;
}

int store_trial_take(struct store_trial *trial, struct card *card)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < trial->count; i++) {
		cleanup_secret struct secret *given = card_take_secret(card, i);
		struct attempt *attempt = &trial->attempts[i];
		struct envelope_opened opened = { 0 };

		if (given)
			r = envelope_open(attempt->envelope, &attempt->task, given,
					  &trial_store, &opened);
		attempt->opened = r == 0 && opened.verdict == ENVELOPE_OPEN;
		secret_free(opened.secret);
	}
	return r;
}

const struct certificate *store_trial_result(const struct store_trial *trial,
					     enum envelope_wrap *ret_wrap)
{
	for (size_t i = 0; i < trial->count; i++)
		if (trial->attempts[i].opened) {
			*ret_wrap = trial->attempts[i].wrap;
			return trial->attempts[i].certificate;
		}
	return NULL;
}
