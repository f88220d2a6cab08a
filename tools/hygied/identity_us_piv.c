/* SPDX-License-Identifier: Apache-2.0 */
/*
 * United States PIV, PIV-I and CAC authentication certificates (FIPS 201, SP 800-73, the
 * Federal PKI's certificate profiles): a person, not a profession. The person is the UPN
 * of the subjectAltName, or the common name where there is none. The FASC-N names the
 * card and is not used to link anybody: it changes with the card.
 */
#include "hygied/identity_schemes.h"
#include "hygied/identity_text.h"
#include "libhygie/printable.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define OID_FASCN "2.16.840.1.101.3.6.6"
#define OID_CARD_AUTH_USAGE "2.16.840.1.101.3.6.8"
#define OID_CARD_AUTH_POLICY "2.16.840.1.101.3.2.1.3.17"
/* The arc of NIST's test policies: its test cards and the PKI test suite carry them. */
#define OID_TEST_POLICIES "2.16.840.1.101.3.2.1.48"

static void general_names_free_function(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

static void usages_free_function(EXTENDED_KEY_USAGE **usages)
{
	EXTENDED_KEY_USAGE_free(*usages);
}

static void policies_free_function(CERTIFICATEPOLICIES **policies)
{
	CERTIFICATEPOLICIES_free(*policies);
}

/* An extension OpenSSL decodes: *critical is -1 if absent, below if broken or twice
 * there. */
static int decoded(const void *value, int critical, const char *what,
		   const struct refusal *refusal)
{
	if (value != NULL || critical == -1)
		return 0;
	return refuse(refusal, "The certificate's %s cannot be decoded.", what);
}

static int usage_is_card_auth(const X509 *x509, bool *ret_is,
			      const struct refusal *refusal)
{
	int critical = 0;
	cleanup_with(usages_free_function) EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(x509, NID_ext_key_usage, &critical, NULL);
	int r = decoded(usages, critical, "extended key usage", refusal);

	if (r < 0)
		return r;
	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
		if (oid_equals(sk_ASN1_OBJECT_value(usages, i), OID_CARD_AUTH_USAGE))
			*ret_is = true;
	return 0;
}

static int policies_look(const X509 *x509, bool *ret_card_auth, bool *ret_test,
			 const struct refusal *refusal)
{
	int critical = 0;
	cleanup_with(policies_free_function) CERTIFICATEPOLICIES *policies =
		X509_get_ext_d2i(x509, NID_certificate_policies, &critical, NULL);
	int r = decoded(policies, critical, "policies", refusal);

	if (r < 0)
		return r;
	for (int i = 0; i < sk_POLICYINFO_num(policies); i++) {
		const ASN1_OBJECT *policy = sk_POLICYINFO_value(policies, i)->policyid;

		if (oid_equals(policy, OID_CARD_AUTH_POLICY))
			*ret_card_auth = true;
		if (oid_below(policy, OID_TEST_POLICIES))
			*ret_test = true;
	}
	return 0;
}

/* The FASC-N's 25 bytes in hexadecimal: for people and logs, never to link a person. */
static int card_id_take(const ASN1_TYPE *value, struct identity *identity,
			const struct refusal *refusal)
{
	const ASN1_OCTET_STRING *bytes;

	if (value->type != V_ASN1_OCTET_STRING)
		return refuse(refusal,
			      "The FASC-N in the certificate is not an octet string.");
	bytes = value->value.octet_string;
	if (ASN1_STRING_length(bytes) != 25)
		return refuse(refusal,
			      "The FASC-N in the certificate is not 25 bytes long.");
	for (int i = 0; i < 25; i++)
		(void)snprintf(identity->card_id + 2 * (size_t)i, 3, "%02X",
			       ASN1_STRING_get0_data(bytes)[i]);
	return 0;
}

static int upn_take(const ASN1_TYPE *value, struct identity *identity,
		    const struct refusal *refusal)
{
	int r;

	if (value->type != V_ASN1_UTF8STRING)
		return refuse(refusal, "The UPN in the certificate is not UTF-8 text.");
	if (identity->person_id[0] != '\0')
		return refuse(refusal, "The certificate has two UPNs.");
	r = text_read(value->value.utf8string, "UPN", identity->person_id,
		      sizeof(identity->person_id), refusal);
	if (r < 0)
		return r;
	if (strchr(identity->person_id, '@') == NULL)
		return refuse(refusal, "The UPN in the certificate has no '@'.");
	(void)snprintf(identity->id_type, sizeof(identity->id_type), "upn");
	return 0;
}

static int alternative_name_take(const GENERAL_NAME *name, struct identity *identity,
				 const struct refusal *refusal)
{
	/* The same CAs certify domain controllers and servers, which have clientAuth as
	 * well. */
	if (name->type == GEN_DNS || name->type == GEN_IPADD)
		identity->holder = IDENTITY_HOLDER_DEVICE;
	if (name->type != GEN_OTHERNAME)
		return 0;
	if (OBJ_obj2nid(name->d.otherName->type_id) == NID_ms_upn)
		return upn_take(name->d.otherName->value, identity, refusal);
	if (oid_equals(name->d.otherName->type_id, OID_FASCN))
		return card_id_take(name->d.otherName->value, identity, refusal);
	return 0;
}

static int alternative_names_read(const X509 *x509, struct identity *identity,
				  const struct refusal *refusal)
{
	int critical = 0;
	cleanup_with(general_names_free_function) GENERAL_NAMES *names =
		X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, NULL);
	int r = decoded(names, critical, "subject alternative name", refusal);

	for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(names); i++)
		r = alternative_name_take(sk_GENERAL_NAME_value(names, i), identity,
					  refusal);
	return r;
}

/* CN, SN and GN, each at most once; the CN is the identifier where there is no UPN. */
static int subject_read(const X509_NAME *subject, struct identity *identity,
			const struct refusal *refusal)
{
	char common_name[IDENTITY_ID_SIZE] = "";
	int r = attribute_read(subject, NID_commonName, "CN", common_name,
			       sizeof(common_name), refusal);

	if (r < 0)
		return r;
	r = attribute_read(subject, NID_surname, "SN", identity->surname,
			   sizeof(identity->surname), refusal);
	if (r < 0)
		return r;
	r = attribute_read(subject, NID_givenName, "GN", identity->given,
			   sizeof(identity->given), refusal);
	if (r < 0)
		return r;
	if (identity->person_id[0] == '\0') {
		/* Otherwise a CN could be taken for somebody else's UPN. */
		if (strchr(common_name, '@') != NULL)
			return refuse(
				refusal,
				"The CN looks like a UPN, but the certificate has none.");
		memcpy(identity->person_id, common_name, sizeof(common_name));
		(void)snprintf(identity->id_type, sizeof(identity->id_type), "cn");
	}
	(void)printable_copy(identity->display_name, sizeof(identity->display_name),
			     common_name, strlen(common_name));
	return 0;
}

int identity_read_us_piv(
	const struct certificate *c, struct identity *identity,
	/* NOLINTNEXTLINE(readability-non-const-parameter): written by refusals */
	char *reason, size_t reason_size)
{
	const struct refusal refusal = { reason, reason_size };
	X509 *x509 = certificate_x509(c);
	bool card_auth = false;
	int r;

	identity->holder = IDENTITY_HOLDER_PERSON;
	r = usage_is_card_auth(x509, &card_auth, &refusal);
	if (r < 0)
		return r;
	r = policies_look(x509, &card_auth, &identity->is_test, &refusal);
	if (r < 0)
		return r;
	if (card_auth)
		identity->holder = IDENTITY_HOLDER_DEVICE;
	r = alternative_names_read(x509, identity, &refusal);
	if (r < 0)
		return r;
	return subject_read(X509_get_subject_name(x509), identity, &refusal);
}
