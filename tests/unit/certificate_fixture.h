/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate with hardly anything in it, for what looks at keys alone.
 */
#pragma once

#include "hygied/certificate.h"
#include "unit/cmocka_includes.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* Of `key`, signed by `signer`; `usage` as in openssl's keyUsage, NULL for none. */
static inline struct certificate *certificate_made(EVP_PKEY *key, EVP_PKEY *signer,
						   const char *usage)
{
	X509 *x509 = X509_new();
	struct certificate *certificate = NULL;
	uint8_t *der = NULL;
	int size;

	assert_true(X509_set_version(x509, 2) && X509_set_pubkey(x509, key) &&
		    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) &&
		    X509_gmtime_adj(X509_getm_notBefore(x509), 0) &&
		    X509_gmtime_adj(X509_getm_notAfter(x509), 86400));
	if (usage) {
		X509_EXTENSION *extension =
			X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage);

		assert_true(extension && X509_add_ext(x509, extension, -1));
		X509_EXTENSION_free(extension);
	}
	assert_true(X509_sign(x509, signer, EVP_sha256()) > 0);
	size = i2d_X509(x509, &der);
	assert_true(size > 0);
	assert_int_equal(certificate_parse(der, (size_t)size, &certificate), 0);
	OPENSSL_free(der);
	X509_free(x509);
	return certificate;
}
