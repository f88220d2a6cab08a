/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers of national schemes share: strict text out of certificates' names and
 * extensions. For identity.c and identity_*.c only. Whatever is doubtful is refused, with
 * a sentence that says so; nothing is repaired.
 */
#pragma once

#include "libhygie/attributes.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* Where a refusal's sentence goes. */
struct refusal {
	char *reason;
	size_t size;
};

/* Writes the sentence (printf) and returns -EBADMSG. Arguments from outside: printable
 * ones. */
int refuse(const struct refusal *refusal, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The string as UTF-8 in dst (size bytes with NUL). UTF8, Printable, IA5, BMP and Teletex
 * (as Latin-1) are understood. Empty text, an embedded NUL, malformed or misleading
 * characters (printable_is_clean), another type and text longer than dst are refused.
 * what names the field in the reason. 0 or -EBADMSG; dst is written only on success.
 */
int text_read(const ASN1_STRING *string, const char *what, char *dst, size_t size,
	      const struct refusal *refusal) must_check;

/*
 * The one attribute nid of name, wherever it stands in whichever RDN: 1 and dst; 0 and
 * dst untouched if there is none; -EBADMSG if there are two, or text_read refuses it.
 */
int attribute_read(const X509_NAME *name, int nid, const char *what, char *dst,
		   size_t size, const struct refusal *refusal) must_check;

/*
 * Whether some attribute nid of name begins with this ASCII text; holds it; is there at
 * all. By bytes, for names that CAs write in ASCII; never to accept, only to refuse.
 */
bool attribute_starts(const X509_NAME *name, int nid, const char *text);
bool attribute_contains(const X509_NAME *name, int nid, const char *text);
bool attribute_exists(const X509_NAME *name, int nid);

/*
 * The bytes inside the one extension of that dotted OID, borrowed from x509: 1; 0 if
 * there is none; -EBADMSG if it appears twice.
 */
int extension_read(const X509 *x509, const char *oid, const char *what,
		   const ASN1_OCTET_STRING **ret_bytes,
		   const struct refusal *refusal) must_check;

/* An object identifier's dotted text is exactly this one, or lies below it in the tree.
 */
bool oid_equals(const ASN1_OBJECT *object, const char *dotted);
bool oid_below(const ASN1_OBJECT *object, const char *dotted);
