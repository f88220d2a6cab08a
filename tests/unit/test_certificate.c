/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing certificates, and checking signatures with their keys: each attack on a
 * signature beside the good one that it was made from.
 */
#include "hygied/certificate.h"

#include "libhygie/printable.h"
#include "pki/fixture.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <time.h>

#define US "us-piv"
#define FR "fr-igc-sante"

static const char message[] = "hygie-auth-v1 challenge of a test";

static EVP_PKEY *key_read(const char *name)
{
	char path[8192];
	EVP_PKEY *key;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/keys/%s.pem", pki_dir, name);
	file = fopen(path, "re");
	assert_non_null(file);
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	assert_non_null(key);
	(void)fclose(file);
	return key;
}

struct signature {
	uint8_t bytes[SIGNATURE_SIZE_MAX + 1];
	size_t size;
};

/* DER to the r || s that tokens give. */
static void signature_to_raw(struct signature *signature, size_t half)
{
	const uint8_t *at = signature->bytes;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)signature->size);

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature->bytes, (int)half),
			 (int)half);
	assert_int_equal(
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature->bytes + half, (int)half),
		(int)half);
	signature->size = 2 * half;
	ECDSA_SIG_free(sig);
}

/* Signs as a token would, with any hash, padding and salt: also wrong ones. */
static struct signature make(const char *key_name, const EVP_MD *hash, const EVP_MD *mgf1,
			     int padding, int salt, const char *text)
{
	struct signature signature = { .size = sizeof(signature.bytes) };
	EVP_PKEY *key = key_read(key_name);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_ctx;

	assert_int_equal(EVP_DigestSignInit(ctx, &key_ctx, hash, NULL, key), 1);
	if (padding != 0)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(key_ctx, padding), 1);
	if (padding == RSA_PKCS1_PSS_PADDING) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(key_ctx, mgf1), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, salt), 1);
	}
	assert_int_equal(EVP_DigestSign(ctx, signature.bytes, &signature.size,
					(const uint8_t *)text, strlen(text)),
			 1);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		signature_to_raw(&signature, (size_t)(EVP_PKEY_get_bits(key) + 7) / 8);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return signature;
}

static struct signature make_pkcs1(const char *key_name, const char *text)
{
	return make(key_name, EVP_sha256(), NULL, RSA_PKCS1_PADDING, 0, text);
}

static struct signature make_pss(const char *key_name, const char *text)
{
	return make(key_name, EVP_sha256(), EVP_sha256(), RSA_PKCS1_PSS_PADDING, 32,
		    text);
}

static struct signature make_ecdsa(const char *key_name, const EVP_MD *hash,
				   const char *text)
{
	return make(key_name, hash, NULL, 0, 0, text);
}

static int check(const struct certificate *c, enum signature_scheme scheme,
		 const struct signature *signature)
{
	return certificate_verify_signature(c, scheme, message, strlen(message),
					    signature->bytes, signature->size);
}

static void rsa_signatures_of_the_key_are_good(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	struct signature pkcs1 = make_pkcs1("rsa2048", message);
	struct signature pss = make_pss("rsa2048", message);

	(void)state;
	assert_int_equal(check(c, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1), 0);
	assert_int_equal(check(c, SIGNATURE_RSA_PSS_SHA256, &pss), 0);
}

static void ecdsa_signatures_of_every_curve_are_good(void **state)
{
	static const char *const names[] = { "p256", "p384", "p521", "bp256", "bp384" };

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		cleanup_certificate struct certificate *c = pki_leaf(US, names[i]);
		struct signature sha256 = make_ecdsa(names[i], EVP_sha256(), message);
		struct signature sha384 = make_ecdsa(names[i], EVP_sha384(), message);

		assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &sha256), 0);
		assert_int_equal(check(c, SIGNATURE_ECDSA_SHA384, &sha384), 0);
		assert_int_equal(check(c, SIGNATURE_ECDSA_SHA384, &sha256),
				 -EKEYREJECTED);
	}
}

static void public_certificate_with_another_private_key_is_rejected(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	struct signature pkcs1 = make_pkcs1("ca-fr-root", message);
	struct signature pss = make_pss("ca-fr-root", message);
	struct signature ecdsa = make_ecdsa("ca-us-root", EVP_sha256(), message);

	(void)state;
	assert_int_equal(check(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1), -EKEYREJECTED);
	assert_int_equal(check(rsa, SIGNATURE_RSA_PSS_SHA256, &pss), -EKEYREJECTED);
	assert_int_equal(check(ec, SIGNATURE_ECDSA_SHA256, &ecdsa), -EKEYREJECTED);
}

static void recorded_signature_over_another_challenge_is_rejected(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	struct signature pkcs1 = make_pkcs1("rsa2048", "an earlier challenge");
	struct signature ecdsa = make_ecdsa("p256", EVP_sha256(), "an earlier challenge");

	(void)state;
	assert_int_equal(check(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1), -EKEYREJECTED);
	assert_int_equal(check(ec, SIGNATURE_ECDSA_SHA256, &ecdsa), -EKEYREJECTED);
}

/* Empty, one byte, one byte too few or too many, all zeros, all ones. */
static void assert_deformed_rejected(const struct certificate *c,
				     enum signature_scheme scheme,
				     const struct signature *good)
{
	struct signature bad = *good;
	const size_t sizes[] = { 0,
				 1,
				 good->size / 2,
				 good->size - 1,
				 good->size + 1,
				 SIGNATURE_SIZE_MAX,
				 SIGNATURE_SIZE_MAX + 1 };

	assert_int_equal(check(c, scheme, good), 0);
	for (size_t i = 0; i < array_size(sizes); i++) {
		bad.size = sizes[i];
		assert_int_equal(check(c, scheme, &bad), -EKEYREJECTED);
	}
	assert_int_equal(certificate_verify_signature(c, scheme, message, strlen(message),
						      NULL, good->size),
			 -EKEYREJECTED);
	bad = *good;
	memset(bad.bytes, 0, bad.size);
	assert_int_equal(check(c, scheme, &bad), -EKEYREJECTED);
	memset(bad.bytes, 0xFF, bad.size);
	assert_int_equal(check(c, scheme, &bad), -EKEYREJECTED);
}

static void deformed_signatures_are_rejected(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	struct signature pkcs1 = make_pkcs1("rsa2048", message);
	struct signature pss = make_pss("rsa2048", message);
	struct signature ecdsa = make_ecdsa("p256", EVP_sha256(), message);

	(void)state;
	assert_deformed_rejected(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1);
	assert_deformed_rejected(rsa, SIGNATURE_RSA_PSS_SHA256, &pss);
	assert_deformed_rejected(ec, SIGNATURE_ECDSA_SHA256, &ecdsa);
}

static void ecdsa_with_r_or_s_of_zero_or_the_order_is_rejected(void **state)
{
	/* The order of P-256: s = order is 0 to a careless verifier. */
	static const uint8_t order[32] = {
		0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17,
		0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
	};
	cleanup_certificate struct certificate *c = pki_leaf(US, "p256");
	const struct signature good = make_ecdsa("p256", EVP_sha256(), message);

	(void)state;
	assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &good), 0);
	for (size_t half = 0; half < 2; half++) {
		struct signature bad = good;

		memset(bad.bytes + 32 * half, 0, 32);
		assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &bad), -EKEYREJECTED);
		memcpy(bad.bytes + 32 * half, order, 32);
		assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &bad), -EKEYREJECTED);
	}
}

static void every_flipped_byte_of_a_signature_is_rejected(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	struct signature pkcs1 = make_pkcs1("rsa2048", message);
	struct signature ecdsa = make_ecdsa("p256", EVP_sha256(), message);

	(void)state;
	for (size_t i = 0; i < pkcs1.size; i++) {
		pkcs1.bytes[i] ^= 1;
		assert_int_equal(check(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1),
				 -EKEYREJECTED);
		pkcs1.bytes[i] ^= 1;
	}
	assert_int_equal(check(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pkcs1), 0);
	for (size_t i = 0; i < ecdsa.size; i++) {
		ecdsa.bytes[i] ^= 1;
		assert_int_equal(check(ec, SIGNATURE_ECDSA_SHA256, &ecdsa),
				 -EKEYREJECTED);
		ecdsa.bytes[i] ^= 1;
	}
	assert_int_equal(check(ec, SIGNATURE_ECDSA_SHA256, &ecdsa), 0);
}

static void der_instead_of_raw_ecdsa_is_rejected(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "p256");
	struct signature raw = make_ecdsa("p256", EVP_sha256(), message);
	struct signature der = raw;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	uint8_t *end = der.bytes;

	(void)state;
	ECDSA_SIG_set0(sig, BN_bin2bn(raw.bytes, 32, NULL),
		       BN_bin2bn(raw.bytes + 32, 32, NULL));
	der.size = (size_t)i2d_ECDSA_SIG(sig, &end);
	ECDSA_SIG_free(sig);
	assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &raw), 0);
	assert_int_equal(check(c, SIGNATURE_ECDSA_SHA256, &der), -EKEYREJECTED);
}

static void scheme_of_another_key_type_is_rejected(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	cleanup_certificate struct certificate *other = pki_leaf(US, "ed25519");
	struct signature pkcs1 = make_pkcs1("rsa2048", message);
	struct signature pss = make_pss("rsa2048", message);
	struct signature ecdsa = make_ecdsa("p256", EVP_sha256(), message);

	(void)state;
	assert_int_equal(check(rsa, SIGNATURE_RSA_PSS_SHA256, &pkcs1), -EKEYREJECTED);
	assert_int_equal(check(rsa, SIGNATURE_RSA_PKCS1_SHA256, &pss), -EKEYREJECTED);
	assert_int_equal(check(rsa, SIGNATURE_ECDSA_SHA256, &pkcs1), -EKEYREJECTED);
	assert_int_equal(check(ec, SIGNATURE_RSA_PKCS1_SHA256, &ecdsa), -EKEYREJECTED);
	for (int scheme = -1; scheme <= SIGNATURE_ECDSA_SHA384 + 1; scheme++)
		assert_int_equal(check(other, (enum signature_scheme)scheme, &ecdsa),
				 -EKEYREJECTED);
	assert_int_equal(check(rsa, SIGNATURE_NONE, &pkcs1), -EKEYREJECTED);
}

static void pss_with_another_salt_or_mask_is_rejected(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	struct signature good = make_pss("rsa2048", message);
	struct signature salt20 = make("rsa2048", EVP_sha256(), EVP_sha256(),
				       RSA_PKCS1_PSS_PADDING, 20, message);
	struct signature mgf1_sha1 = make("rsa2048", EVP_sha256(), EVP_sha1(),
					  RSA_PKCS1_PSS_PADDING, 32, message);

	(void)state;
	assert_int_equal(check(c, SIGNATURE_RSA_PSS_SHA256, &good), 0);
	assert_int_equal(check(c, SIGNATURE_RSA_PSS_SHA256, &salt20), -EKEYREJECTED);
	assert_int_equal(check(c, SIGNATURE_RSA_PSS_SHA256, &mgf1_sha1), -EKEYREJECTED);
}

static void sha1_signature_is_rejected(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	struct signature sha1 =
		make("rsa2048", EVP_sha1(), NULL, RSA_PKCS1_PADDING, 0, message);

	(void)state;
	assert_int_equal(check(c, SIGNATURE_RSA_PKCS1_SHA256, &sha1), -EKEYREJECTED);
}

static void nothing_signed_is_a_fault(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	struct signature empty = make_pkcs1("rsa2048", "");

	(void)state;
	assert_int_equal(certificate_verify_signature(c, SIGNATURE_RSA_PKCS1_SHA256,
						      message, 0, empty.bytes,
						      empty.size),
			 -EINVAL);
	assert_int_equal(certificate_verify_signature(c, SIGNATURE_RSA_PKCS1_SHA256, NULL,
						      5, empty.bytes, empty.size),
			 -EINVAL);
}

static void fields_are_those_of_the_certificate(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(FR, "person");
	uint8_t hash[CERTIFICATE_HASH_SIZE];
	const time_t now = time(NULL);
	size_t size, kept;
	uint8_t *der = pki_leaf_bytes(FR, "person", &size);

	(void)state;
	assert_memory_equal(certificate_der(c, &kept), der, size);
	assert_int_equal(kept, size);
	(void)SHA256(der, size, hash);
	assert_memory_equal(certificate_fingerprint(c), hash, sizeof(hash));
	assert_true(certificate_not_before(c) < now);
	assert_true(certificate_not_after(c) > now);
	assert_int_equal(certificate_not_after(c) - certificate_not_before(c),
			 366 * 86400);
	assert_int_equal(certificate_key_type(c), KEY_TYPE_RSA);
	assert_int_equal(certificate_key_bits(c), 2048);
	assert_non_null(strstr(certificate_subject(c), "CN=810000000009"));
	assert_non_null(strstr(certificate_subject(c), "title=Médecin,"));
	assert_non_null(strstr(certificate_subject(c), "+"));
	assert_non_null(
		strstr(certificate_issuer(c), "CN=AC IGC-SPECIMEN FORT PERSONNES,"));
	assert_int_equal(strlen(certificate_serial(c)), 24);
	free(der);
}

static void key_id_is_the_hash_of_the_public_key_info(void **state)
{
	cleanup_certificate struct certificate *rsa = pki_leaf(FR, "person");
	cleanup_certificate struct certificate *again = pki_leaf(US, "person");
	cleanup_certificate struct certificate *ec = pki_leaf(US, "p256");
	EVP_PKEY *key = key_read("p256");
	uint8_t hash[CERTIFICATE_HASH_SIZE];
	uint8_t *spki = NULL;
	int size = i2d_PUBKEY(key, &spki);

	(void)state;
	(void)SHA256(spki, (size_t)size, hash);
	assert_memory_equal(certificate_key_id(ec), hash, sizeof(hash));
	assert_memory_equal(certificate_key_id(rsa), certificate_key_id(again),
			    sizeof(hash));
	assert_memory_not_equal(certificate_key_id(rsa), certificate_key_id(ec),
				sizeof(hash));
	assert_int_equal(certificate_key_type(ec), KEY_TYPE_EC);
	assert_int_equal(certificate_key_bits(ec), 256);
	OPENSSL_free(spki);
	EVP_PKEY_free(key);
}

static void names_for_people_are_clean_and_bounded(void **state)
{
	static const char *const names[] = { "cn-escape", "cn-bidi",     "cn-nul",
					     "cn-60k",    "subject-60k", "person" };

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		cleanup_certificate struct certificate *c = pki_leaf(US, names[i]);
		const char *subject = certificate_subject(c);

		assert_true(printable_is_clean(subject, strlen(subject)));
		assert_in_range(strlen(subject), 10, 1024);
	}
	cleanup_certificate struct certificate *escape = pki_leaf(US, "cn-escape");
	assert_non_null(strstr(certificate_subject(escape), "CN=ALEX\\x1B]0;root\\x07"));
	cleanup_certificate struct certificate *nul = pki_leaf(US, "cn-nul");
	assert_non_null(strstr(certificate_subject(nul), "CN=ALEX\\x00EVIL"));
	cleanup_certificate struct certificate *latin1 = pki_leaf(FR, "latin1-teletex");
	assert_non_null(strstr(certificate_subject(latin1), "OU=Médecin"));
}

static void assert_unparsable(const uint8_t *der, size_t size)
{
	struct certificate *const untouched = (struct certificate *)(uintptr_t)&message;
	struct certificate *c = untouched;

	assert_int_equal(certificate_parse(der, size, &c), -EBADMSG);
	assert_ptr_equal(c, untouched);
}

static void leftovers_and_cut_certificates_are_refused(void **state)
{
	cleanup_certificate struct certificate *c = NULL;
	size_t size;
	uint8_t *der = pki_leaf_bytes(US, "person", &size);

	(void)state;
	assert_int_equal(certificate_parse(der, size, &c), 0);
	der[size] = 0;
	assert_unparsable(der, size + 1);
	memcpy(der + size, der, size);
	assert_unparsable(der, 2 * size);
	for (size_t cut = 0; cut < size; cut++)
		assert_unparsable(der, cut);
	assert_unparsable(NULL, 0);
	free(der);
}

static void more_than_64_kib_is_refused(void **state)
{
	cleanup_certificate struct certificate *c = pki_leaf(US, "subject-60k");
	size_t size;
	uint8_t *der = pki_leaf_bytes(US, "subject-70k", &size);
	const uint8_t *at = der;
	X509 *x509 = d2i_X509(NULL, &at, (long)size);

	(void)state;
	assert_non_null(c);
	assert_true(size > CERTIFICATE_SIZE_MAX);
	assert_non_null(x509); /* well made: only its size is wrong */
	assert_unparsable(der, size);
	X509_free(x509);
	free(der);
}

static void names_that_are_not_well_formed_text_are_refused(void **state)
{
	static const struct {
		const char *scheme, *name;
	} cases[] = {
		{ FR, "sn-overlong-utf8" }, { FR, "sn-latin1-as-utf8" },
		{ FR, "sn-integer" },       { FR, "bmp-odd" },
		{ US, "cn-overlong-utf8" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		size_t size;
		uint8_t *der = pki_leaf_bytes(cases[i].scheme, cases[i].name, &size);

		assert_unparsable(der, size);
		free(der);
	}
}

static void what_is_not_der_is_refused(void **state)
{
	size_t size;
	uint8_t *der = pki_leaf_bytes(US, "person", &size);

	(void)state;
	/* BER: the outer length with a byte more than it needs. */
	assert_int_equal(der[1], 0x82);
	memmove(der + 5, der + 4, size - 4);
	der[4] = der[3];
	der[3] = der[2];
	der[2] = 0;
	der[1] = 0x83;
	assert_unparsable(der, size + 1);
	/* BER: an indefinite outer length. */
	memmove(der + 2, der + 5, size - 4);
	der[1] = 0x80;
	memset(der + size - 2, 0, 2);
	assert_unparsable(der, size);
	free(der);
}

/* Not that all are refused: a changed name is a name. But none may crash or leak. */
static void every_flipped_byte_parses_or_is_refused(void **state)
{
	size_t size, parsed = 0;
	uint8_t *der = pki_leaf_bytes(FR, "person", &size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			cleanup_certificate struct certificate *c = NULL;
			int r;

			der[i] ^= (uint8_t)(1U << bit);
			r = certificate_parse(der, size, &c);
			assert_true(r == 0 || r == -EBADMSG);
			assert_int_equal(r == 0, c != NULL);
			parsed += r == 0;
			der[i] ^= (uint8_t)(1U << bit);
		}
	}
	assert_in_range(parsed, 1, 3 * size - 1);
	free(der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa_signatures_of_the_key_are_good),
		cmocka_unit_test(ecdsa_signatures_of_every_curve_are_good),
		cmocka_unit_test(public_certificate_with_another_private_key_is_rejected),
		cmocka_unit_test(recorded_signature_over_another_challenge_is_rejected),
		cmocka_unit_test(deformed_signatures_are_rejected),
		cmocka_unit_test(ecdsa_with_r_or_s_of_zero_or_the_order_is_rejected),
		cmocka_unit_test(every_flipped_byte_of_a_signature_is_rejected),
		cmocka_unit_test(der_instead_of_raw_ecdsa_is_rejected),
		cmocka_unit_test(scheme_of_another_key_type_is_rejected),
		cmocka_unit_test(pss_with_another_salt_or_mask_is_rejected),
		cmocka_unit_test(sha1_signature_is_rejected),
		cmocka_unit_test(nothing_signed_is_a_fault),
		cmocka_unit_test(fields_are_those_of_the_certificate),
		cmocka_unit_test(key_id_is_the_hash_of_the_public_key_info),
		cmocka_unit_test(names_for_people_are_clean_and_bounded),
		cmocka_unit_test(leftovers_and_cut_certificates_are_refused),
		cmocka_unit_test(more_than_64_kib_is_refused),
		cmocka_unit_test(names_that_are_not_well_formed_text_are_refused),
		cmocka_unit_test(what_is_not_der_is_refused),
		cmocka_unit_test(every_flipped_byte_parses_or_is_refused),
	};

	return cmocka_run_group_tests(tests, pki_group_setup, pki_group_teardown);
}
