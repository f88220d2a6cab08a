/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates; see envelope_asn1.h.
 */
#include "hygied/envelope_asn1.h"

#include <openssl/objects.h>
#include <string.h>

/* clang-format off: the macros of asn1t.h are tables, not calls */

ASN1_SEQUENCE(ENVELOPE_ISSUER_SERIAL) = { ASN1_SIMPLE(ENVELOPE_ISSUER_SERIAL, issuer,
						      X509_NAME),
					  ASN1_SIMPLE(
						  ENVELOPE_ISSUER_SERIAL, serial,
						  ASN1_INTEGER) } static_ASN1_SEQUENCE_END(ENVELOPE_ISSUER_SERIAL)

	ASN1_CHOICE(ENVELOPE_RID) = { ASN1_SIMPLE(ENVELOPE_RID, d.serial,
						  ENVELOPE_ISSUER_SERIAL),
				      ASN1_IMP(ENVELOPE_RID, d.key_id, ASN1_OCTET_STRING,
					       0) } static_ASN1_CHOICE_END(ENVELOPE_RID)

		ASN1_SEQUENCE(ENVELOPE_RKEY) = { ASN1_SIMPLE(
			ENVELOPE_RKEY, key_id,
			ASN1_OCTET_STRING) } ASN1_SEQUENCE_END(ENVELOPE_RKEY)

			ASN1_CHOICE(
				ENVELOPE_KARI_RID) = { ASN1_SIMPLE(ENVELOPE_KARI_RID,
								   d.serial,
								   ENVELOPE_ISSUER_SERIAL),
						       ASN1_IMP(
							       ENVELOPE_KARI_RID, d.key,
							       ENVELOPE_RKEY,
							       0) } static_ASN1_CHOICE_END(ENVELOPE_KARI_RID)

				ASN1_SEQUENCE(
					ENVELOPE_KTRI) = { ASN1_EMBED(ENVELOPE_KTRI,
								      version, INT32),
							   ASN1_SIMPLE(ENVELOPE_KTRI, rid,
								       ENVELOPE_RID),
							   ASN1_SIMPLE(ENVELOPE_KTRI,
								       algorithm,
								       X509_ALGOR),
							   ASN1_SIMPLE(
								   ENVELOPE_KTRI,
								   encrypted_key,
								   ASN1_OCTET_STRING) } ASN1_SEQUENCE_END(ENVELOPE_KTRI)

					ASN1_SEQUENCE(
						ENVELOPE_ORIGINATOR_KEY) = { ASN1_SIMPLE(ENVELOPE_ORIGINATOR_KEY,
											 algorithm,
											 X509_ALGOR),
									     ASN1_SIMPLE(
										     ENVELOPE_ORIGINATOR_KEY,
										     point,
										     ASN1_BIT_STRING) } ASN1_SEQUENCE_END(ENVELOPE_ORIGINATOR_KEY)

						ASN1_CHOICE(ENVELOPE_ORIGINATOR) = { ASN1_IMP(
							ENVELOPE_ORIGINATOR, d.key,
							ENVELOPE_ORIGINATOR_KEY,
							1) } static_ASN1_CHOICE_END(ENVELOPE_ORIGINATOR)

							ASN1_SEQUENCE(
								ENVELOPE_REK) = { ASN1_SIMPLE(ENVELOPE_REK,
											      rid,
											      ENVELOPE_KARI_RID),
										  ASN1_SIMPLE(
											  ENVELOPE_REK,
											  encrypted_key,
											  ASN1_OCTET_STRING) } ASN1_SEQUENCE_END(ENVELOPE_REK)

								ASN1_SEQUENCE(
									ENVELOPE_KARI) = { ASN1_EMBED(ENVELOPE_KARI,
												      version,
												      INT32),
											   ASN1_EXP(
												   ENVELOPE_KARI,
												   originator,
												   ENVELOPE_ORIGINATOR,
												   0),
											   ASN1_SIMPLE(
												   ENVELOPE_KARI,
												   algorithm,
												   X509_ALGOR),
											   ASN1_SEQUENCE_OF(
												   ENVELOPE_KARI,
												   keys,
												   ENVELOPE_REK) } ASN1_SEQUENCE_END(ENVELOPE_KARI)

									ASN1_CHOICE(
										ENVELOPE_RI) = { ASN1_SIMPLE(ENVELOPE_RI,
													     d.ktri,
													     ENVELOPE_KTRI),
												 ASN1_IMP(
													 ENVELOPE_RI,
													 d.kari,
													 ENVELOPE_KARI,
													 1) } ASN1_CHOICE_END(ENVELOPE_RI)

										ASN1_ITEM_TEMPLATE(
											ENVELOPE_RECIPIENTS) =
											ASN1_EX_TEMPLATE_TYPE(
												ASN1_TFLG_SET_OF,
												0,
												recipients,
												ENVELOPE_RI)
												ASN1_ITEM_TEMPLATE_END(
													ENVELOPE_RECIPIENTS)

													ASN1_SEQUENCE(ENVELOPE_CONTENT) = { ASN1_SIMPLE(ENVELOPE_CONTENT, type, ASN1_OBJECT), ASN1_SIMPLE(ENVELOPE_CONTENT, algorithm, X509_ALGOR),
																	    ASN1_IMP(
																		    ENVELOPE_CONTENT,
																		    encrypted,
																		    ASN1_OCTET_STRING,
																		    0) } static_ASN1_SEQUENCE_END(ENVELOPE_CONTENT)

	/* authAttrs and unauthAttrs are not read: the one would have to be believed, the other not */
	ASN1_SEQUENCE(
		ENVELOPE_DATA) = { ASN1_EMBED(ENVELOPE_DATA, version, INT32),
				   ASN1_SET_OF(ENVELOPE_DATA, recipients, ENVELOPE_RI),
				   ASN1_SIMPLE(ENVELOPE_DATA, content, ENVELOPE_CONTENT),
				   ASN1_SIMPLE(
					   ENVELOPE_DATA, mac,
					   ASN1_OCTET_STRING) } static_ASN1_SEQUENCE_END(ENVELOPE_DATA)

		ASN1_SEQUENCE(
			ENVELOPE_FILE) = { ASN1_SIMPLE(ENVELOPE_FILE, type, ASN1_OBJECT),
					   ASN1_EXP(ENVELOPE_FILE, data, ENVELOPE_DATA,
						    0) } ASN1_SEQUENCE_END(ENVELOPE_FILE)

			ASN1_SEQUENCE(
				ENVELOPE_GCM) = { ASN1_SIMPLE(ENVELOPE_GCM, nonce,
							      ASN1_OCTET_STRING),
						  ASN1_EMBED(
							  ENVELOPE_GCM, mac_size,
							  INT32) } ASN1_SEQUENCE_END(ENVELOPE_GCM)

				ASN1_SEQUENCE(
					ENVELOPE_SHARED_INFO) = { ASN1_SIMPLE(ENVELOPE_SHARED_INFO,
									      key_info,
									      X509_ALGOR),
								  ASN1_EXP(
									  ENVELOPE_SHARED_INFO,
									  bits,
									  ASN1_OCTET_STRING,
									  2) } ASN1_SEQUENCE_END(ENVELOPE_SHARED_INFO)

					IMPLEMENT_ASN1_FUNCTIONS(ENVELOPE_KTRI) IMPLEMENT_ASN1_FUNCTIONS(
						ENVELOPE_KARI) IMPLEMENT_ASN1_FUNCTIONS(ENVELOPE_RKEY)
						IMPLEMENT_ASN1_FUNCTIONS(
							ENVELOPE_ORIGINATOR_KEY)
							IMPLEMENT_ASN1_FUNCTIONS(ENVELOPE_FILE) IMPLEMENT_ASN1_FUNCTIONS(
								ENVELOPE_RI)
								IMPLEMENT_ASN1_FUNCTIONS(
									ENVELOPE_REK)
									IMPLEMENT_ASN1_FUNCTIONS(
										ENVELOPE_GCM)
										IMPLEMENT_ASN1_FUNCTIONS(
											ENVELOPE_SHARED_INFO)

	/* clang-format on */

	/* AlgorithmIdentifiers in DER: RFC 8017, A.2.1 and C; RFC 5753, 7.1.4; RFC 3565, 2.3.2 */
	static const uint8_t rsa_pkcs1[] = {
		0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
		0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
	};
static const uint8_t rsa_oaep_sha1[] = {
	0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
	0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x00,
};
static const uint8_t rsa_oaep_sha256[] = {
	0x30, 0x38, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
	0x07, 0x30, 0x2b, 0xa0, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
	0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0xa1, 0x1a, 0x30, 0x18, 0x06, 0x09,
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0b, 0x06,
	0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
};
static const uint8_t ecdh_sha256_aes256_wrap[] = {
	0x30, 0x15, 0x06, 0x06, 0x2b, 0x81, 0x04, 0x01, 0x0b, 0x01, 0x30, 0x0b,
	0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d,
};
static const uint8_t aes256_wrap[] = {
	0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d,
};
static const uint8_t ec_public_key[] = {
	0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
};

static const struct {
	const uint8_t *der;
	size_t size;
} algorithms[ALGORITHM_COUNT] = {
	[ALGORITHM_RSA_PKCS1] = { rsa_pkcs1, sizeof(rsa_pkcs1) },
	[ALGORITHM_RSA_OAEP_SHA1] = { rsa_oaep_sha1, sizeof(rsa_oaep_sha1) },
	[ALGORITHM_RSA_OAEP_SHA256] = { rsa_oaep_sha256, sizeof(rsa_oaep_sha256) },
	[ALGORITHM_ECDH_SHA256_AES256_WRAP] = { ecdh_sha256_aes256_wrap,
						sizeof(ecdh_sha256_aes256_wrap) },
	[ALGORITHM_AES256_WRAP] = { aes256_wrap, sizeof(aes256_wrap) },
	[ALGORITHM_EC_PUBLIC_KEY] = { ec_public_key, sizeof(ec_public_key) },
};

X509_ALGOR *envelope_algorithm_new(enum envelope_algorithm which)
{
	const uint8_t *at = algorithms[which].der;

	return d2i_X509_ALGOR(NULL, &at, (long)algorithms[which].size);
}

bool envelope_algorithm_is(const X509_ALGOR *algorithm, enum envelope_algorithm which)
{
	uint8_t *der = NULL;
	int size = i2d_X509_ALGOR(algorithm, &der);
	bool same = size > 0 && (size_t)size == algorithms[which].size &&
		    memcmp(der, algorithms[which].der, (size_t)size) == 0;

	OPENSSL_free(der);
	return same;
}
