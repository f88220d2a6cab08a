/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a certificate says its holder is, read by walking its ASN.1 in the way of one
 * national scheme. Which scheme applies is decided by the CA that issued it (trust.h),
 * never guessed here. What is read is only worth something after trust_verify said
 * TRUST_OK.
 *
 * Another scheme (HBA, UZI, ...) is one file identity_XX.c with one read function, and
 * one row in the table of identity.c.
 */
#pragma once

#include "hygied/certificate.h"

#include <stdbool.h>

enum {
	IDENTITY_ID_SIZE = 128,     /* bytes with NUL, as all of these */
	IDENTITY_ID_TYPE_SIZE = 16, /* "rpps", "adeli", "staff", "upn", "cn" */
	IDENTITY_NAME_SIZE = 256,
	IDENTITY_DISPLAY_SIZE = 128,
	IDENTITY_CARD_ID_SIZE = 64,
	IDENTITY_PROFESSION_UNKNOWN = -1,
};

/* What stands behind the key. Only a person may log in; zero does not. */
enum identity_holder {
	IDENTITY_HOLDER_UNKNOWN = 0,
	IDENTITY_HOLDER_PERSON,
	IDENTITY_HOLDER_ORGANISATION, /* a practice, a hospital, an application of theirs
				       */
	IDENTITY_HOLDER_SHARED,       /* a card handed round, under a pseudonym (CPE) */
	IDENTITY_HOLDER_PATIENT,
	IDENTITY_HOLDER_DEVICE, /* the card itself (contactless, no PIN), a machine, a
				   software key */
};

struct identity_scheme;

/* All text is valid UTF-8 without control characters, and ends in NUL; absent is "". */
struct identity {
	const struct identity_scheme *scheme;
	enum identity_holder holder;
	bool is_person; /* holder is IDENTITY_HOLDER_PERSON */
	bool is_test;   /* made for tests: never for production */

	/*
	 * The professional identifier. With scheme and id_type it names one person;
	 * compare all three, byte by byte. fr-igc-sante: the whole IdNat, "8" + RPPS.
	 * us-piv: UPN or CN.
	 */
	char person_id[IDENTITY_ID_SIZE];
	char id_type[IDENTITY_ID_TYPE_SIZE];

	char surname[IDENTITY_NAME_SIZE];
	char given[IDENTITY_NAME_SIZE];
	char display_name[IDENTITY_DISPLAY_SIZE]; /* for prompts: already through
						     printable_copy */
	char title[IDENTITY_NAME_SIZE]; /* the profession in words, for people only */

	char card_id[IDENTITY_CARD_ID_SIZE]; /* names the physical card, where the scheme
						has it */
	int card_type;  /* fr-igc-sante: 0 CPS, 1 CPF, 2 CPE, 3 CPA; -1 unknown */
	int profession; /* the scheme's own code, kept even if unknown to us; -1 if absent
			 */
};

struct identity_scheme {
	const char *name; /* also the folder of its CAs: /etc/hygie/ca/NAME */
	/*
	 * Fills what it finds in *identity, which comes in zeroed but for scheme,
	 * card_type and profession. 0 with holder set (the rest may be empty unless it is
	 * a person); -EBADMSG with a reason in reason; -ENOMEM.
	 */
	int (*read)(const struct certificate *c, struct identity *identity, char *reason,
		    size_t reason_size);
};

/* The row of that name, or NULL. Static, never freed. */
const struct identity_scheme *identity_scheme_by_name(const char *name);

/* The i-th row, or NULL after the last: for walking the table. */
const struct identity_scheme *identity_scheme_at(size_t i);

/*
 * Reads the person whom c names. 0: *ret_identity is a person (is_person). -EBADMSG: it
 * is not (organisation, shared card, patient, the card's own key), or its fields break
 * the scheme's rules: embedded NUL, malformed UTF-8, control characters, duplicate
 * attributes, over-long values, a wrong check digit; reason (reason_size bytes,
 * printable) says what and what to do. A test card is read as a person with is_test:
 * trust_verify decides on it. *ret_identity is written only on success. -ENOMEM for lack
 * of memory.
 */
int identity_read(const struct identity_scheme *scheme, const struct certificate *c,
		  struct identity *ret_identity, char *reason,
		  size_t reason_size) must_check;

/*
 * As identity_read, but a holder that is no person is also a success: for trust_verify,
 * and to tell an administrator what he holds in his hand. Look at holder before anything
 * else.
 */
int identity_inspect(const struct identity_scheme *scheme, const struct certificate *c,
		     struct identity *ret_identity, char *reason,
		     size_t reason_size) must_check;
