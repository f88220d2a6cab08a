/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ASN.1 of an envelope, as OpenSSL templates: CMS AuthEnvelopedData (RFC 5083) with
 * the kinds of RecipientInfo that are written here (RFC 5652, 6.2.1 and 6.2.2; RFC 5753)
 * and nothing else, so that whatever else a file holds does not parse. For the envelope's
 * own files only.
 */
#pragma once

#include <openssl/asn1t.h>
#include <openssl/x509.h>
#include <stdbool.h>

/* The macros of asn1t.h want names of types, so these have some. */

typedef struct {
	X509_NAME *issuer;
	ASN1_INTEGER *serial;
} ENVELOPE_ISSUER_SERIAL;

enum { ENVELOPE_BY_SERIAL = 0, ENVELOPE_BY_KEY = 1 };

/* RecipientIdentifier, of KeyTransRecipientInfo. */
typedef struct {
	int type;
	union {
		ENVELOPE_ISSUER_SERIAL *serial;
		ASN1_OCTET_STRING *key_id;
	} d;
} ENVELOPE_RID;

typedef struct {
	ASN1_OCTET_STRING *key_id;
} ENVELOPE_RKEY;

/* KeyAgreeRecipientIdentifier. */
typedef struct {
	int type;
	union {
		ENVELOPE_ISSUER_SERIAL *serial;
		ENVELOPE_RKEY *key;
	} d;
} ENVELOPE_KARI_RID;

typedef struct {
	int32_t version;
	ENVELOPE_RID *rid;
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *encrypted_key;
} ENVELOPE_KTRI;

typedef struct {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *point;
} ENVELOPE_ORIGINATOR_KEY;

typedef struct {
	int type;
	union {
		ENVELOPE_ORIGINATOR_KEY *key;
	} d;
} ENVELOPE_ORIGINATOR;

typedef struct {
	ENVELOPE_KARI_RID *rid;
	ASN1_OCTET_STRING *encrypted_key;
} ENVELOPE_REK;

DEFINE_STACK_OF(ENVELOPE_REK);

typedef struct {
	int32_t version;
	ENVELOPE_ORIGINATOR *originator;
	X509_ALGOR *algorithm;
	STACK_OF(ENVELOPE_REK) * keys;
} ENVELOPE_KARI;

enum { ENVELOPE_KTRI_TYPE = 0, ENVELOPE_KARI_TYPE = 1 };

typedef struct {
	int type;
	union {
		ENVELOPE_KTRI *ktri;
		ENVELOPE_KARI *kari;
	} d;
} ENVELOPE_RI;

DEFINE_STACK_OF(ENVELOPE_RI);

typedef struct {
	ASN1_OBJECT *type;
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *encrypted;
} ENVELOPE_CONTENT;

typedef struct {
	int32_t version;
	STACK_OF(ENVELOPE_RI) * recipients;
	ENVELOPE_CONTENT *content;
	ASN1_OCTET_STRING *mac;
} ENVELOPE_DATA;

typedef struct {
	ASN1_OBJECT *type;
	ENVELOPE_DATA *data;
} ENVELOPE_FILE;

typedef struct {
	ASN1_OCTET_STRING *nonce;
	int32_t mac_size;
} ENVELOPE_GCM;

/* ECC-CMS-SharedInfo, RFC 5753, 7.2. */
typedef struct {
	X509_ALGOR *key_info;
	ASN1_OCTET_STRING *bits;
} ENVELOPE_SHARED_INFO;

DECLARE_ASN1_FUNCTIONS(ENVELOPE_FILE);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_RI);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_REK);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_GCM);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_SHARED_INFO);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_KTRI);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_KARI);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_RKEY);
DECLARE_ASN1_FUNCTIONS(ENVELOPE_ORIGINATOR_KEY);
DECLARE_ASN1_ITEM(ENVELOPE_RECIPIENTS);

/* The algorithms that have one encoding only. */
enum envelope_algorithm {
	ALGORITHM_RSA_PKCS1,
	ALGORITHM_RSA_OAEP_SHA1,
	ALGORITHM_RSA_OAEP_SHA256,
	ALGORITHM_ECDH_SHA256_AES256_WRAP,
	ALGORITHM_AES256_WRAP,
	ALGORITHM_EC_PUBLIC_KEY,
	ALGORITHM_COUNT,
};

/* A new AlgorithmIdentifier; NULL without memory. */
X509_ALGOR *envelope_algorithm_new(enum envelope_algorithm which);

/* Whether that is what it says, byte for byte in DER. */
bool envelope_algorithm_is(const X509_ALGOR *algorithm, enum envelope_algorithm which);
