/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recovery key of a record store: a key pair whose private half lies in a file (PKCS
 * #8, encrypted, as `openssl pkcs8` reads it) under a passphrase that lies on paper. Who
 * has both opens the store without any card.
 *
 * The passphrase holds 128 random bits: seven groups of four characters with "-" between
 * them, from an alphabet (Crockford's base32) without I, L, O and U. The last two check
 * the others: one wrong character, or two that changed places, are always noticed.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stddef.h>
#include <stdint.h>

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

enum {
	RECOVERY_PASSPHRASE_SIZE = 34, /* 28 characters, 6 "-" */
	RECOVERY_FILE_MAX = 1024,      /* bytes of DER */
};

/* A new key pair on P-256; the caller frees it by EVP_PKEY_free. 0 or -ENOMEM. */
int recovery_key_new(struct evp_pkey_st **ret_key) must_check;

/* A new passphrase, RECOVERY_PASSPHRASE_SIZE characters. 0; -ENOMEM, -EPERM, -EIO. */
int recovery_passphrase_new(struct secret **ret_passphrase) must_check;

/*
 * What somebody typed, as the passphrase that it was when made: small letters are
 * capitals, O is 0, I and L are 1; blanks and "-" may stand anywhere. 0; -EINVAL: too
 * long, too short or a character that is none; -EBADMSG: mistyped, the check says;
 * -ENOMEM, -EPERM.
 */
int recovery_passphrase_read(const struct secret *typed,
			     struct secret **ret_passphrase) must_check;

/*
 * Encrypts the private key: PKCS #8 by PBES2, PBKDF2 with HMAC-SHA-256, AES-256-CBC. The
 * caller gives the DER to OPENSSL_free. 0; -ENOMEM, -EIO.
 */
int recovery_key_lock(struct evp_pkey_st *key, const struct secret *passphrase,
		      uint8_t **ret_der, size_t *ret_size) must_check;

/*
 * Decrypts it: 0; -EKEYREJECTED: another passphrase; -EBADMSG: no such file, or one whose
 * passphrase would take too long to try; -ENOMEM.
 */
int recovery_key_unlock(const void *der, size_t size, const struct secret *passphrase,
			struct evp_pkey_st **ret_key) must_check;
