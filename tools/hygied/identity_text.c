/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict text out of certificates; declared in identity_text.h. Knows ASN.1's string
 * types and no scheme.
 */
#include "hygied/identity_text.h"

#include "libhygie/printable.h"
#include "libhygie/wire.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int refuse(const struct refusal *refusal, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(refusal->reason, refusal->size, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

static bool all_ascii(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] >= 0x80)
			return false;
	return true;
}

/* Checks what is already UTF-8, and copies it. */
static int utf8_take(const uint8_t *bytes, size_t size, const char *what, char *dst,
		     size_t dst_size, const struct refusal *refusal)
{
	if (size == 0)
		return refuse(refusal, "The %s in the certificate is empty.", what);
	if (size >= dst_size)
		return refuse(refusal,
			      "The %s in the certificate is too long (%zu bytes).", what,
			      size);
	if (memchr(bytes, 0, size) != NULL)
		return refuse(refusal, "The %s in the certificate holds a NUL byte.",
			      what);
	if (!utf8_is_valid(bytes, size))
		return refuse(refusal, "The %s in the certificate is not valid UTF-8.",
			      what);
	if (!printable_is_clean(bytes, size))
		return refuse(
			refusal,
			"The %s in the certificate holds control or hidden characters.",
			what);
	memcpy(dst, bytes, size);
	dst[size] = '\0';
	return 0;
}

/* Latin-1 and UCS-2, by OpenSSL. */
static int converted_take(const ASN1_STRING *string, const char *what, char *dst,
			  size_t dst_size, const struct refusal *refusal)
{
	uint8_t *utf8 = NULL;
	int size = ASN1_STRING_to_UTF8(&utf8, string);
	int r;

	if (size < 0)
		return refuse(refusal, "The %s in the certificate cannot be decoded.",
			      what);
	r = utf8_take(utf8, (size_t)size, what, dst, dst_size, refusal);
	OPENSSL_free(utf8);
	return r;
}

int text_read(const ASN1_STRING *string, const char *what, char *dst, size_t size,
	      const struct refusal *refusal)
{
	const uint8_t *bytes = ASN1_STRING_get0_data(string);
	int length = ASN1_STRING_length(string);

	if (length <= 0)
		return refuse(refusal, "The %s in the certificate is empty.", what);
	switch (ASN1_STRING_type(string)) {
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_IA5STRING:
		if (!all_ascii(bytes, (size_t)length))
			return refuse(refusal, "The %s in the certificate is not ASCII.",
				      what);
		return utf8_take(bytes, (size_t)length, what, dst, size, refusal);
	case V_ASN1_UTF8STRING:
		return utf8_take(bytes, (size_t)length, what, dst, size, refusal);
	case V_ASN1_T61STRING:
	case V_ASN1_BMPSTRING:
		return converted_take(string, what, dst, size, refusal);
	default:
		return refuse(refusal, "The %s in the certificate is not text.", what);
	}
}

int attribute_read(const X509_NAME *name, int nid, const char *what, char *dst,
		   size_t size, const struct refusal *refusal)
{
	int first = X509_NAME_get_index_by_NID(name, nid, -1);
	int r;

	if (first < 0)
		return 0;
	if (X509_NAME_get_index_by_NID(name, nid, first) >= 0)
		return refuse(refusal, "The certificate has two of the field %s.", what);
	r = text_read(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, first)), what,
		      dst, size, refusal);
	return r < 0 ? r : 1;
}

bool attribute_starts(const X509_NAME *name, int nid, const char *text)
{
	size_t length = strlen(text);

	for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;) {
		const ASN1_STRING *value =
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));

		if (ASN1_STRING_length(value) >= (int)length &&
		    memcmp(ASN1_STRING_get0_data(value), text, length) == 0)
			return true;
	}
	return false;
}

bool attribute_contains(const X509_NAME *name, int nid, const char *text)
{
	for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;) {
		const ASN1_STRING *value =
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));

		if (memmem(ASN1_STRING_get0_data(value),
			   (size_t)ASN1_STRING_length(value), text, strlen(text)) != NULL)
			return true;
	}
	return false;
}

bool attribute_exists(const X509_NAME *name, int nid)
{
	return X509_NAME_get_index_by_NID(name, nid, -1) >= 0;
}

bool oid_equals(const ASN1_OBJECT *object, const char *dotted)
{
	char text[128];
	int length = OBJ_obj2txt(text, sizeof(text), object, 1);

	return length > 0 && (size_t)length < sizeof(text) && strcmp(text, dotted) == 0;
}

bool oid_below(const ASN1_OBJECT *object, const char *dotted)
{
	char text[128];
	size_t length = strlen(dotted);

	if (OBJ_obj2txt(text, sizeof(text), object, 1) <= 0)
		return false;
	return strncmp(text, dotted, length) == 0 && text[length] == '.';
}

int extension_read(const X509 *x509, const char *oid, const char *what,
		   const ASN1_OCTET_STRING **ret_bytes, const struct refusal *refusal)
{
	const ASN1_OCTET_STRING *found = NULL;

	for (int i = 0; i < X509_get_ext_count(x509); i++) {
		X509_EXTENSION *extension = X509_get_ext(x509, i);

		if (!oid_equals(X509_EXTENSION_get_object(extension), oid))
			continue;
		if (found != NULL)
			return refuse(refusal, "The certificate has two of the field %s.",
				      what);
		found = X509_EXTENSION_get_data(extension);
	}
	if (found == NULL)
		return 0;
	*ret_bytes = found;
	return 1;
}
