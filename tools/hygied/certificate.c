/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One X.509 certificate over OpenSSL's decoder; declared in certificate.h. Whether to
 * believe it is decided elsewhere: this file knows encodings and one key.
 */
#include "hygied/certificate.h"

#include "libhygie/printable.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT_SIZE = 512,
	ATTRIBUTE_TEXT_SIZE = 256,
	SERIAL_BYTES_SHOWN = 32,
};

struct certificate {
	X509 *x509;
	EVP_PKEY *key; /* borrowed from x509 */
	enum key_type key_type;
	unsigned key_bits;
	time_t not_before, not_after;
	uint8_t key_id[CERTIFICATE_HASH_SIZE];
	uint8_t fingerprint[CERTIFICATE_HASH_SIZE];
	char subject[TEXT_SIZE];
	char issuer[TEXT_SIZE];
	char serial[2 * SERIAL_BYTES_SHOWN + 8];
	size_t size;
	uint8_t der[];
};

static void openssl_free_function(uint8_t **bytes)
{
	OPENSSL_free(*bytes);
}

#define cleanup_openssl cleanup_with(openssl_free_function)

/* One RDN attribute as TYPE=value, the value as UTF-8 where its type says how to read it.
 */
static void attribute_text(const X509_NAME_ENTRY *entry, char *text, size_t size)
{
	const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
	const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
	const char *name = OBJ_nid2sn(OBJ_obj2nid(type));
	const uint8_t *bytes = ASN1_STRING_get0_data(value);
	int length = ASN1_STRING_length(value);
	cleanup_openssl uint8_t *utf8 = NULL;
	char oid[64];
	size_t used;

	if (OBJ_obj2nid(type) == NID_undef) {
		(void)OBJ_obj2txt(oid, sizeof(oid), type, 1);
		name = oid;
	}
	if (ASN1_STRING_type(value) != V_ASN1_UTF8STRING) {
		int converted = ASN1_STRING_to_UTF8(&utf8, value);

		if (converted >= 0) {
			bytes = utf8;
			length = converted;
		}
	}
	used = printable_copy(text, size, name, strlen(name));
	used += printable_copy(text + used, size - used, "=", 1);
	(void)printable_copy(text + used, size - used, bytes,
			     length > 0 ? (size_t)length : 0);
}

/* "CN=a+SN=b,C=FR", for people: in the order of the bytes, cut where the room ends. */
static void name_text(const X509_NAME *name, char *text, size_t size)
{
	int count = X509_NAME_entry_count(name);
	size_t used = 0;
	int set = 0;

	text[0] = '\0';
	for (int i = 0; i < count && used + 8 < size; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		char attribute[ATTRIBUTE_TEXT_SIZE];
		int written;

		attribute_text(entry, attribute, sizeof(attribute));
		if (i > 0)
			text[used++] = X509_NAME_ENTRY_set(entry) == set ? '+' : ',';
		set = X509_NAME_ENTRY_set(entry);
		written = snprintf(text + used, size - used, "%s", attribute);
		if (written < 0 || (size_t)written >= size - used) {
			/* An attribute that does not fit is left out whole. */
			(void)snprintf(text + used, size - used, "...");
			return;
		}
		used += (size_t)written;
	}
	if (count > 0 && used + 8 >= size)
		(void)snprintf(text + used, size - used, "...");
}

static void serial_text(const ASN1_INTEGER *serial, char *text, size_t size)
{
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	int length = ASN1_STRING_length(serial);
	size_t used = 0;

	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		text[used++] = '-';
	for (int i = 0; i < length && i < SERIAL_BYTES_SHOWN; i++, used += 2)
		(void)snprintf(text + used, size - used, "%02X", bytes[i]);
	(void)snprintf(text + used, size - used, "%s",
		       length > SERIAL_BYTES_SHOWN ? "..." : "");
}

static int time_read(const ASN1_TIME *asn1, time_t *ret_time)
{
	struct tm tm;

	if (asn1 == NULL || ASN1_TIME_to_tm(asn1, &tm) != 1)
		return -EBADMSG;
	*ret_time = timegm(&tm);
	return 0;
}

static int hash_sha256(const void *bytes, size_t size,
		       uint8_t hash[CERTIFICATE_HASH_SIZE])
{
	return EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

static int certificate_read_key(struct certificate *c)
{
	cleanup_openssl uint8_t *spki = NULL;
	int size, bits;

	c->key = X509_get0_pubkey(c->x509);
	if (c->key == NULL)
		return -EBADMSG;
	bits = EVP_PKEY_get_bits(c->key);
	c->key_bits = bits > 0 ? (unsigned)bits : 0;
	if (EVP_PKEY_get_base_id(c->key) == EVP_PKEY_RSA)
		c->key_type = KEY_TYPE_RSA;
	else if (EVP_PKEY_get_base_id(c->key) == EVP_PKEY_EC)
		c->key_type = KEY_TYPE_EC;

	size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &spki);
	if (size <= 0)
		return -ENOMEM;
	return hash_sha256(spki, (size_t)size, c->key_id);
}

/* Whether OpenSSL, writing what it understood, gives back the very bytes it was given. */
static int certificate_check_encoding(const struct certificate *c)
{
	cleanup_openssl uint8_t *again = NULL;
	int size = i2d_X509(c->x509, &again);

	if (size < 0)
		return -ENOMEM;
	return (size_t)size == c->size && memcmp(again, c->der, c->size) == 0 ? 0
									      : -EBADMSG;
}

static int certificate_fill(struct certificate *c)
{
	const uint8_t *at = c->der;
	int r;

	c->x509 = d2i_X509(NULL, &at, (long)c->size);
	if (c->x509 == NULL || at != c->der + c->size)
		return -EBADMSG;
	r = certificate_check_encoding(c);
	if (r < 0)
		return r;
	r = certificate_read_key(c);
	if (r < 0)
		return r;
	r = time_read(X509_get0_notBefore(c->x509), &c->not_before);
	if (r < 0)
		return r;
	r = time_read(X509_get0_notAfter(c->x509), &c->not_after);
	if (r < 0)
		return r;
	name_text(X509_get_subject_name(c->x509), c->subject, sizeof(c->subject));
	name_text(X509_get_issuer_name(c->x509), c->issuer, sizeof(c->issuer));
	serial_text(X509_get0_serialNumber(c->x509), c->serial, sizeof(c->serial));
	return hash_sha256(c->der, c->size, c->fingerprint);
}

int certificate_parse(const void *der, size_t size, struct certificate **ret_certificate)
{
	cleanup_certificate struct certificate *c = NULL;
	int r;

	if (der == NULL || size == 0 || size > CERTIFICATE_SIZE_MAX)
		return -EBADMSG;
	c = calloc(1, sizeof(*c) + size);
	if (c == NULL)
		return -ENOMEM;
	memcpy(c->der, der, size);
	c->size = size;
	r = certificate_fill(c);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_certificate = c;
	c = NULL;
	return 0;
}

void certificate_free(struct certificate *c)
{
	if (c == NULL)
		return;
	X509_free(c->x509);
	free(c);
}

const uint8_t *certificate_der(const struct certificate *c, size_t *ret_size)
{
	*ret_size = c->size;
	return c->der;
}

const uint8_t *certificate_key_id(const struct certificate *c)
{
	return c->key_id;
}

const uint8_t *certificate_fingerprint(const struct certificate *c)
{
	return c->fingerprint;
}

time_t certificate_not_before(const struct certificate *c)
{
	return c->not_before;
}

time_t certificate_not_after(const struct certificate *c)
{
	return c->not_after;
}

enum key_type certificate_key_type(const struct certificate *c)
{
	return c->key_type;
}

unsigned certificate_key_bits(const struct certificate *c)
{
	return c->key_bits;
}

const char *certificate_subject(const struct certificate *c)
{
	return c->subject;
}

const char *certificate_issuer(const struct certificate *c)
{
	return c->issuer;
}

const char *certificate_serial(const struct certificate *c)
{
	return c->serial;
}

X509 *certificate_x509(const struct certificate *c)
{
	return c->x509;
}
