/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One X.509 certificate as a card showed it: its bytes, its key, and checks of signatures
 * with that key. Nothing here says whether the certificate is trusted (trust.h) or whose
 * it is (identity.h). No I/O and no logging: a fuzz target as it stands.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/protocol.h" /* enum signature_scheme */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct certificate;
struct x509_st; /* OpenSSL's X509 */

enum {
	CERTIFICATE_SIZE_MAX = 64 * 1024, /* bytes of DER */
	CERTIFICATE_HASH_SIZE = 32,       /* SHA-256: key ids and fingerprints */
	SIGNATURE_SIZE_MAX = 1024,        /* bytes: RSA-8192 */
};

enum key_type {
	KEY_TYPE_OTHER = 0, /* neither RSA nor EC: nothing can be verified with it */
	KEY_TYPE_RSA,
	KEY_TYPE_EC,
};

/*
 * Parses exactly one DER certificate of size bytes (the bytes are copied). Anything after
 * its end, an empty input, one over CERTIFICATE_SIZE_MAX, an encoding that is not DER and
 * a key that cannot be decoded are -EBADMSG; -ENOMEM for lack of memory. The caller frees
 * *ret_certificate with certificate_free.
 */
int certificate_parse(const void *der, size_t size,
		      struct certificate **ret_certificate) must_check;

/* Takes NULL. */
void certificate_free(struct certificate *c);

/* The bytes as parsed, borrowed; their number in *ret_size. */
const uint8_t *certificate_der(const struct certificate *c, size_t *ret_size);

/* SHA-256 of the SubjectPublicKeyInfo in DER: the name of a card's key. 32 bytes,
 * borrowed. */
const uint8_t *certificate_key_id(const struct certificate *c);

/* SHA-256 of the whole certificate in DER. 32 bytes, borrowed. */
const uint8_t *certificate_fingerprint(const struct certificate *c);

/* Validity, both ends included, seconds since the epoch. */
time_t certificate_not_before(const struct certificate *c);
time_t certificate_not_after(const struct certificate *c);

/* The key's type and its size in bits (of the modulus, or of the curve's field). */
enum key_type certificate_key_type(const struct certificate *c);
unsigned certificate_key_bits(const struct certificate *c);

/*
 * For people and logs only, made by printable_copy, cut at a few hundred bytes: names as
 * "CN=...+SN=...,C=FR" in the order of the bytes, the serial in hexadecimal. Borrowed,
 * never NULL. Never compare them and never parse them: use identity.h.
 */
const char *certificate_subject(const struct certificate *c);
const char *certificate_issuer(const struct certificate *c);
const char *certificate_serial(const struct certificate *c);

/* OpenSSL's own view, borrowed: for trust.c, identity*.c, envelope_find.c and
 * store_rights.c alone. */
struct x509_st *certificate_x509(const struct certificate *c);

/*
 * Does sig (as PKCS#11 gives it) over data (size bytes, hashed here) come from this
 * certificate's key? 0: yes. -EKEYREJECTED: no, which includes an empty, short, overlong
 * or all-zero signature and a scheme that is not for this type of key. Another negative
 * errno: a fault of ours (-ENOMEM). So only 0 may let anybody in.
 */
int certificate_verify_signature(const struct certificate *c,
				 enum signature_scheme scheme, const void *data,
				 size_t size, const void *sig,
				 size_t sig_size) must_check;

/* An owning local: freed on every way out; set to NULL when handed over. */
define_cleanup(cleanup_certificate_function, struct certificate, certificate_free)
#define cleanup_certificate cleanup_with(cleanup_certificate_function)
