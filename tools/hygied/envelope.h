/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope of a record store: the secret that opens the store, encrypted to the key
 * of each holder's card and to the recovery key. The same for the login secret of a user,
 * encrypted to each of his cards. A standard CMS AuthEnvelopedData, so that the openssl
 * command opens it too; docs/store.md has the format to the byte,
 * docs/decisions/0015-envelope.md the reasons. No I/O and no logging here: a fuzz target
 * as it stands.
 *
 * An envelope says that its content was not changed, not who made it: whoever knows the
 * holders' public keys can make one with a secret of his own. Who may write the file is
 * for the file system to say.
 */
#pragma once

#include "hygied/certificate.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h" /* enum token_operation */
#include "libhygie/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envelope;
struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

enum {
	ENVELOPE_SIZE_MAX = 256 * 1024, /* bytes of DER */
	ENVELOPE_RECIPIENTS_MAX = 256,
	ENVELOPE_SECRET_SIZE = 44, /* base64 of 32 bytes */
	ENVELOPE_KEY_ID_SIZE = 20,
	STORE_NAME_MAX = 64, /* bytes, without terminator */
};

/* How the content key is encrypted to a recipient. The zero is: not at all. */
enum envelope_wrap {
	ENVELOPE_WRAP_NONE = 0,
	ENVELOPE_WRAP_RSA_OAEP_SHA256, /* also for MGF1, no label */
	ENVELOPE_WRAP_RSA_OAEP_SHA1,
	ENVELOPE_WRAP_RSA_PKCS1, /* for cards that have nothing else */
	ENVELOPE_WRAP_EC, /* ephemeral-static ECDH, X9.63 KDF with SHA-256, AES-256 wrap */
};

/* What the secret in an envelope opens. One kind never opens as the other. */
enum envelope_kind {
	ENVELOPE_OF_STORE = 0,
	ENVELOPE_OF_USER, /* a login secret; the name is the user's */
};

/* The store that an envelope is for, and its how-manieth envelope: from 1 up. */
struct envelope_store {
	const char *name; /* letters, digits, "-", "_" and ".", not first; 1 to 64 */
	uint64_t generation;
	enum envelope_kind kind;
};

struct envelope_recipient {
	struct evp_pkey_st *key; /* borrowed; the public half is enough */
	enum envelope_wrap wrap;
};

/* A new secret: 32 random bytes as base64, ENVELOPE_SECRET_SIZE characters. */
int envelope_secret_new(struct secret **ret_secret) must_check;

/* Whether a store may be called so, and a user who has a login secret. */
bool envelope_name_is_valid(const char *name);

/* What may be done for that key: for RSA OAEP with SHA-256; NONE for a key of no use (RSA
 * other than 2048 to 4096 bits, curves other than P-256 and P-384). */
enum envelope_wrap envelope_wrap_for(const struct evp_pkey_st *key);

/*
 * The name of a key in an envelope: SHA-1 of its BIT STRING (RFC 5280, 4.2.1.2, method
 * 1), whatever certificates say of it. 0 or -ENOMEM.
 */
int envelope_key_id(const struct evp_pkey_st *key,
		    uint8_t ret_id[ENVELOPE_KEY_ID_SIZE]) must_check;

/*
 * Encrypts `secret` (as envelope_secret_new makes them) to all recipients, under a new
 * content key. 0 with the DER, which the caller gives to OPENSSL_free; -EINVAL for a
 * secret, a name, a generation (0), a number of recipients, a key or a wrap that cannot
 * be; -EEXIST when two recipients have one key; -ENOMEM; -EIO when libcrypto fails.
 */
int envelope_seal(const struct secret *secret, const struct envelope_store *store,
		  const struct envelope_recipient *recipients, size_t count,
		  uint8_t **ret_der, size_t *ret_size) must_check;

/*
 * Parses an envelope: DER alone, nothing after its end, only what is described in
 * docs/store.md. 0, and the caller frees it; -EBADMSG for anything else; -ENOMEM.
 */
int envelope_parse(const void *der, size_t size,
		   struct envelope **ret_envelope) must_check;

/* Takes NULL. */
void envelope_free(struct envelope *envelope);
define_cleanup(cleanup_envelope_function, struct envelope, envelope_free)
#define cleanup_envelope cleanup_with(cleanup_envelope_function)

	size_t envelope_recipient_count(const struct envelope *envelope);

/* What recipient `index` (below the count) is encrypted by. */
enum envelope_wrap envelope_recipient_wrap(const struct envelope *envelope, size_t index);

/* What a token has to do for one recipient: the fields of an operation of ORDER_LOGIN. */
struct envelope_task {
	size_t index; /* the recipient */
	enum envelope_wrap wrap;
	enum token_operation operation; /* TOKEN_DECRYPT or TOKEN_DERIVE */
	uint32_t oaep_hash;             /* 0: PKCS#1 v1.5; 1; 256 */
	const uint8_t *data;            /* ciphertext, or point; borrowed */
	size_t size;
};

/*
 * Finds the recipient whose key is that of the certificate: by the key's own name, so
 * that a renewed certificate with the same key still opens, or as other programs write
 * it (issuer and serial, or the certificate's subjectKeyIdentifier). `recorded` is what
 * was written down at enrolment, or NONE where nothing was.
 * 0; -ENOENT: not a holder; -EKEYREJECTED: encrypted in another way than recorded, for a
 * key of another type or size, or with a point that is not on its curve; -ENOMEM.
 */
int envelope_find(const struct envelope *envelope, const struct certificate *certificate,
		  enum envelope_wrap recorded, struct envelope_task *ret_task) must_check;

/* The same by the key alone. */
int envelope_find_key(const struct envelope *envelope, const struct evp_pkey_st *key,
		      enum envelope_wrap recorded,
		      struct envelope_task *ret_task) must_check;

/* What an envelope came to. Zero: it did not open. */
enum envelope_verdict {
	ENVELOPE_SHUT = 0,
	ENVELOPE_OPEN,
	ENVELOPE_OTHER_STORE,     /* it opens another store, or is of another kind */
	ENVELOPE_OLDER,           /* an older generation, put back */
	ENVELOPE_OTHER_RECIPIENTS /* not those that it was sealed for */
};

struct envelope_opened {
	enum envelope_verdict verdict;
	struct secret *secret; /* NULL unless OPEN; the caller's */
	uint64_t generation;   /* when OPEN */
	bool names_recipients; /* when OPEN: sealed for these recipients alone */
};

/*
 * Opens with what the token gave for `task`: the content key, or the shared secret.
 * `expected` is the store, and the oldest generation that may be. Anything but the right
 * bytes of the right size is SHUT, found out in one way: a PKCS#1 v1.5 padding error is
 * not told from a wrong key, by answer or by time. Returns 0 with the verdict, or a fault
 * (-ENOMEM, -EPERM as secret_new, -EIO).
 */
int envelope_open(const struct envelope *envelope, const struct envelope_task *task,
		  const struct secret *given, const struct envelope_store *expected,
		  struct envelope_opened *ret_opened) must_check;

/* Finds and opens with a private key in memory: for the recovery key. Errors of both. */
int envelope_open_with_key(const struct envelope *envelope, struct evp_pkey_st *key,
			   const struct envelope_store *expected,
			   struct envelope_opened *ret_opened) must_check;
