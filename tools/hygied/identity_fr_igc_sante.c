/* SPDX-License-Identifier: Apache-2.0 */
/*
 * French professional cards (CPS, CPF, CPE, CPA) of the IGC-Santé and of its predecessor:
 * the subject's CN is the national identifier (IdNat), beside the surname and the given
 * name in one multi-valued RDN whose order is the encoding's; private extensions
 * under 1.2.250.1.71 say which product it is and which profession its holder has. The
 * professions' labels are not here: a code says what somebody is, never what he may open.
 */
#include "hygied/identity_schemes.h"
#include "hygied/identity_text.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define OID_CARD_TYPE "1.2.250.1.71.1.2.2"
#define OID_CARD_ID "1.2.250.1.71.1.2.3"
#define OID_CATEGORY "1.2.250.1.71.1.2.5"
#define OID_PROFESSION "1.2.250.1.71.1.2.7"
#define OID_FUTURE_PROFESSION "1.2.250.1.71.1.2.8"

enum {
	CATEGORY_CARD = 0x00, /* table G01; 0x02 security module, 0x03 software key */
	CATEGORY_TEST = 0x80, /* the bit that makes each of them a test product */
};

/* The forms of an IdNat, by its first digit (table G08). */
static const struct {
	const char *id_type;
	const char *pattern;
} identifier_forms[] = {
	{ "rpps", "^8[0-9]{11}$" },
	{ "adeli", "^0[0-9A-Z]{9}$" },
	{ "staff", "^1[^/]{1,14}/[^/]{1,40}$" },
	{ "staff", "^3[0-9A-Z]{9}/[^/]{1,40}$" },
	{ "staff", "^4[0-9]{9}/[^/]{1,40}$" },
	{ "staff", "^5[0-9]{14}/[^/]{1,40}$" },
	{ "staff", "^6[^/]{1,20}/[^/]{1,40}$" },
};

/* 1 it matches, 0 it does not, -ENOMEM. */
static int matches(const char *text, const char *pattern)
{
	regex_t regex;
	int r;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return -ENOMEM;
	r = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return r == 0;
}

/* The check digit of an RPPS number: Luhn over its 11 digits, without the leading 8. */
static bool luhn_holds(const char *digits)
{
	size_t length = strlen(digits);
	int sum = 0;

	for (size_t i = 0; i < length; i++) {
		int digit = digits[length - 1 - i] - '0';

		if (i % 2 == 1) {
			digit *= 2;
			if (digit > 9)
				digit -= 9;
		}
		sum += digit;
	}
	return sum % 10 == 0;
}

static int identifier_check(struct identity *identity, const struct refusal *refusal)
{
	for (size_t i = 0; i < array_size(identifier_forms); i++) {
		int r = matches(identity->person_id, identifier_forms[i].pattern);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		(void)snprintf(identity->id_type, sizeof(identity->id_type), "%s",
			       identifier_forms[i].id_type);
		if (i == 0 && !luhn_holds(identity->person_id + 1))
			return refuse(
				refusal,
				"The RPPS number in the certificate has a wrong check digit.");
		return 0;
	}
	return refuse(refusal,
		      "The CN is no national identifier (IdNat) of a known form.");
}

/* An extension that holds one small INTEGER in DER and nothing else: 1, 0 absent,
 * -EBADMSG. */
static int extension_integer(const X509 *x509, const char *oid, const char *what,
			     int *ret_value, const struct refusal *refusal)
{
	const ASN1_OCTET_STRING *bytes;
	const uint8_t *at;
	ASN1_INTEGER *integer;
	int64_t value = -1;
	uint8_t again[8], *end = again;
	int size, r;

	r = extension_read(x509, oid, what, &bytes, refusal);
	if (r <= 0)
		return r;
	at = ASN1_STRING_get0_data(bytes);
	size = ASN1_STRING_length(bytes);
	integer = d2i_ASN1_INTEGER(NULL, &at, size);
	/* 0..255 takes at most 4 bytes again; encoding it again finds what is not DER. */
	if (integer == NULL || ASN1_INTEGER_get_int64(&value, integer) != 1 ||
	    value < 0 || value > 255 || i2d_ASN1_INTEGER(integer, &end) != size ||
	    memcmp(again, ASN1_STRING_get0_data(bytes), (size_t)size) != 0)
		r = refuse(refusal,
			   "The %s in the certificate is not a number from 0 to 255.",
			   what);
	ASN1_INTEGER_free(integer);
	if (r < 0)
		return r;
	*ret_value = (int)value;
	return 1;
}

static int category_read(const X509 *x509, unsigned *ret_category,
			 const struct refusal *refusal)
{
	const ASN1_OCTET_STRING *bytes;
	const uint8_t *at;
	int r = extension_read(x509, OID_CATEGORY, "product category", &bytes, refusal);

	if (r < 0)
		return r;
	if (r == 0)
		return refuse(refusal,
			      "The certificate has no product category: it is not from a "
			      "health professional's card.");
	at = ASN1_STRING_get0_data(bytes);
	if (ASN1_STRING_length(bytes) != 3 || at[0] != V_ASN1_OCTET_STRING || at[1] != 1)
		return refuse(refusal,
			      "The product category in the certificate is not one byte.");
	*ret_category = at[2];
	return 0;
}

static int card_id_read(const X509 *x509, struct identity *identity,
			const struct refusal *refusal)
{
	const ASN1_OCTET_STRING *bytes;
	const uint8_t *at, *end;
	ASN1_PRINTABLESTRING *text;
	int r = extension_read(x509, OID_CARD_ID, "card number", &bytes, refusal);

	if (r <= 0)
		return r;
	at = ASN1_STRING_get0_data(bytes);
	end = at + ASN1_STRING_length(bytes);
	text = d2i_ASN1_PRINTABLESTRING(NULL, &at, ASN1_STRING_length(bytes));
	if (text == NULL || at != end)
		r = refuse(refusal,
			   "The card number in the certificate is not one text.");
	else
		r = text_read(text, "card number", identity->card_id,
			      sizeof(identity->card_id), refusal);
	ASN1_PRINTABLESTRING_free(text);
	if (r < 0)
		return r;
	r = matches(identity->card_id, "^[0-9]{10}/[0-9]{1,20}$");
	if (r == 0)
		return refuse(refusal,
			      "The card number in the certificate is malformed.");
	return r < 0 ? r : 0;
}

static int extensions_read(const X509 *x509, struct identity *identity,
			   const struct refusal *refusal)
{
	int r = extension_integer(x509, OID_CARD_TYPE, "card type", &identity->card_type,
				  refusal);

	if (r < 0)
		return r;
	r = extension_integer(x509, OID_PROFESSION, "profession", &identity->profession,
			      refusal);
	if (r == 0) /* a card for somebody in training has this one instead */
		r = extension_integer(x509, OID_FUTURE_PROFESSION, "future profession",
				      &identity->profession, refusal);
	if (r < 0)
		return r;
	return card_id_read(x509, identity, refusal);
}

/* The twin hierarchy for tests says so in its names; so did its predecessor's. */
static bool issuer_is_test(const X509_NAME *issuer)
{
	return attribute_starts(issuer, NID_commonName, "TEST ") ||
	       attribute_contains(issuer, NID_organizationalUnitName, "IGC-SANTE TEST") ||
	       attribute_starts(issuer, NID_organizationName, "TEST");
}

/* Who is behind it, from what needs no identifier yet. A doubtful one is no person. */
static enum identity_holder holder_decide(const X509 *x509, unsigned category)
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	const X509_NAME *issuer = X509_get_issuer_name(x509);
	bool named = attribute_exists(subject, NID_surname) ||
		     attribute_exists(subject, NID_givenName);

	if (attribute_exists(subject, NID_pseudonym))
		return IDENTITY_HOLDER_SHARED;
	if (attribute_contains(issuer, NID_commonName, "ORGANISATIONS"))
		return IDENTITY_HOLDER_ORGANISATION;
	/* The elementary level holds software and technical (contactless) keys. */
	if (attribute_contains(issuer, NID_commonName, "ELEMENTAIRE"))
		return IDENTITY_HOLDER_DEVICE;
	if ((category & ~(unsigned)CATEGORY_TEST) != CATEGORY_CARD)
		return named ? IDENTITY_HOLDER_DEVICE : IDENTITY_HOLDER_ORGANISATION;
	if (!named)
		return IDENTITY_HOLDER_ORGANISATION;
	return IDENTITY_HOLDER_PERSON;
}

/* By type, wherever they stand: the order inside a SET changes with the length of a name.
 */
static int subject_read(const X509_NAME *subject, struct identity *identity,
			const struct refusal *refusal)
{
	int r = attribute_read(subject, NID_commonName, "CN", identity->person_id,
			       sizeof(identity->person_id), refusal);

	if (r == 0)
		r = refuse(refusal, "The certificate has no CN.");
	if (r < 0)
		return r;
	r = attribute_read(subject, NID_surname, "SN", identity->surname,
			   sizeof(identity->surname), refusal);
	if (r == 0)
		r = refuse(refusal, "The certificate has no surname.");
	if (r < 0)
		return r;
	r = attribute_read(subject, NID_givenName, "GN", identity->given,
			   sizeof(identity->given), refusal);
	if (r == 0)
		r = refuse(refusal, "The certificate has no given name.");
	if (r < 0)
		return r;
	r = attribute_read(subject, NID_title, "title", identity->title,
			   sizeof(identity->title), refusal);
	return r < 0 ? r : 0;
}

int identity_read_fr_igc_sante(
	const struct certificate *c, struct identity *identity,
	/* NOLINTNEXTLINE(readability-non-const-parameter): written by refusals */
	char *reason, size_t reason_size)
{
	const struct refusal refusal = { reason, reason_size };
	const X509 *x509 = certificate_x509(c);
	unsigned category = UINT8_MAX; /* no card */
	int r;

	r = category_read(x509, &category, &refusal);
	if (r < 0)
		return r;
	identity->is_test = (category & CATEGORY_TEST) != 0 ||
			    issuer_is_test(X509_get_issuer_name(x509));
	identity->holder = holder_decide(x509, category);
	if (identity->holder != IDENTITY_HOLDER_PERSON)
		return 0;
	r = extensions_read(x509, identity, &refusal);
	if (r < 0)
		return r;
	r = subject_read(X509_get_subject_name(x509), identity, &refusal);
	if (r < 0)
		return r;
	return identifier_check(identity, &refusal);
}
