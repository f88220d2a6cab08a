/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates may log in: those that chain to a CA that this site put under one
 * scheme, are in date, strong, and meant for a person's login. Revocation is not judged
 * here (the index of CRLs is), nor whether the card is enrolled. Loading reads the CA
 * folders and is the only I/O; verifying does none and never looks at the clock.
 */
#pragma once

#include "hygied/certificate.h"
#include "hygied/identity.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct trust; /* the CAs of all schemes; constant once loaded */

enum {
	TRUST_FILE_SIZE_MAX = 1024 * 1024, /* bytes of one CA file */
	TRUST_REASON_SIZE = 512,           /* enough for any reason of trust_load */
};

/* Only TRUST_OK lets anybody in. Zero is a refusal: cleared memory trusts nobody. */
enum trust_reason {
	TRUST_UNDECIDED = 0,
	TRUST_OK,
	TRUST_NO_ANCHOR,        /* no CA is configured at all */
	TRUST_UNKNOWN_ISSUER,   /* issued by a CA that is not configured, or a self-signed
				   one */
	TRUST_BAD_SIGNATURE,    /* names a configured CA, which did not sign it */
	TRUST_AMBIGUOUS_SCHEME, /* chains to CAs of two schemes */
	TRUST_EXPIRED,
	TRUST_NOT_YET_VALID,
	TRUST_CA_NOT_IN_DATE, /* a CA above it has expired or is not yet valid */
	TRUST_WEAK_KEY,       /* RSA below 2048 bits, a curve that is not on the list */
	TRUST_WEAK_SIGNATURE, /* MD5 or SHA-1 below the anchor */
	TRUST_KEY_USAGE,      /* no digitalSignature: a key for documents only */
	TRUST_EXTENDED_KEY_USAGE, /* neither clientAuth nor smart card logon */
	TRUST_CARD_AUTH_KEY, /* a key that works without the PIN; also a machine's key */
	TRUST_IS_CA,         /* a CA's certificate, not a person's */
	TRUST_BROKEN_CHAIN,  /* path length, basicConstraints, name or policy constraints
			      */
	TRUST_CRITICAL_EXTENSION, /* a critical extension that is not understood */
	TRUST_TEST_CARD,
	TRUST_ORGANISATION,
	TRUST_SHARED_CARD,
	TRUST_PATIENT,
	TRUST_UNREADABLE_IDENTITY, /* identity_inspect refuses its fields */
	TRUST_MALFORMED,           /* anything else OpenSSL finds wrong */
	TRUST_REASON_COUNT,
};

struct trust_options {
	bool allow_test; /* test cards are welcome: benches, schools; never production */
};

struct trust_verdict {
	enum trust_reason reason;
	/* Whose CA issued it; NULL if none or two. */
	const struct identity_scheme *scheme;
	/* SHA-256 of the issuing CA's SubjectPublicKeyInfo; zeros unless it chains. */
	uint8_t issuer_key_id[CERTIFICATE_HASH_SIZE];
};

/*
 * Reads ca_dir/SCHEME/ files named .pem, .crt, .cer or .der (PEM, several a file, or one
 * DER). SCHEME must be in identity.h's table. A self-signed certificate is an anchor; the
 * others are intermediates, believed only when they chain to an anchor of the same
 * scheme. ca_dir is an absolute path; folders and files are judged by trusted_file.h. A
 * file that is not named so is left alone; a folder may hold 256 things.
 * Empty folders load: then nobody is trusted.
 *
 * 0 and *ret_trust (trust_free), or: -EPERM wrong owner or mode, -ELOOP a symbolic link,
 * -EFBIG too large, -EBADMSG not a CA certificate or an unknown scheme, or the errno of
 * the system call; reason (reason_size bytes, TRUST_REASON_SIZE is enough) then names the
 * file and says what to do.
 */
int trust_load_owned(const char *ca_dir, uid_t owner, struct trust **ret_trust,
		     char *reason, size_t reason_size) must_check;

/* The same for a real system, where all of it must be root's. */
must_check static inline int trust_load(const char *ca_dir, struct trust **ret_trust,
					char *reason, size_t reason_size)
{
	return trust_load_owned(ca_dir, 0, ret_trust, reason, reason_size);
}

/* Takes NULL. */
void trust_free(struct trust *trust);

/* How many anchors there are, of one scheme or (NULL) of all. 0: nobody is trusted. */
size_t trust_anchor_count(const struct trust *trust,
			  const struct identity_scheme *scheme);

/*
 * Judges c at the time now (the later of clock and time floor: the caller's business).
 * options may be NULL: nothing is allowed. Returns 0 with the verdict, whatever it is:
 * look at verdict.reason == TRUST_OK. A negative errno is a fault (-ENOMEM), and nothing
 * is written.
 */
int trust_verify(const struct trust *trust, const struct certificate *c, time_t now,
		 const struct trust_options *options,
		 struct trust_verdict *ret_verdict) must_check;

/*
 * One English sentence for a person in a hurry: what is wrong and what to do next.
 * Static, never NULL, also for values that do not exist.
 */
const char *trust_reason_text(enum trust_reason reason);

define_cleanup(cleanup_trust_function, struct trust, trust_free)
#define cleanup_trust cleanup_with(cleanup_trust_function)
