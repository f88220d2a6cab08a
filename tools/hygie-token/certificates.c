/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and sending certificates; see certificates.h.
 */
#include "hygie-token/certificates.h"

#include "hygie-token/login_order.h"
#include "hygie-token/object.h"
#include "hygie-token/report.h"
#include "libhygie/printable.h"

#include <stdio.h>

#define CERTIFICATE_MAX                                                                  \
	(60 *                                                                            \
	 1024) /* bytes, so that a message holds it and its label                   \
		     */
#define LABEL_MAX 128
#define OBJECTS_MAX 64 /* looked at, of which HYGIE_CERTIFICATES_MAX may be sent */

struct certificate {
	uint8_t id[OBJECT_ID_MAX];
	size_t id_size;
	char label[LABEL_MAX];
	size_t label_size;
	uint8_t value[CERTIFICATE_MAX];
	size_t value_size;
};

static bool certificate_read(const struct token *token, CK_OBJECT_HANDLE object,
			     struct certificate *certificate)
{
	if (!object_attribute(token, object, CKA_LABEL, certificate->label,
			      sizeof(certificate->label), &certificate->label_size))
		certificate->label_size = 0;
	return object_attribute(token, object, CKA_ID, certificate->id,
				sizeof(certificate->id), &certificate->id_size) &&
	       certificate->id_size > 0 &&
	       object_attribute(token, object, CKA_VALUE, certificate->value,
				sizeof(certificate->value), &certificate->value_size) &&
	       certificate->value_size > 0;
}

static int certificate_send(const struct certificate *certificate)
{
	char label[PRINTABLE_SIZE(LABEL_MAX)];
	cleanup_message struct wire_message *message = NULL;
	int r;

	r = wire_message_new(WIRE_REPORT_CERTIFICATE, &message);
	if (r < 0)
		return r;
	(void)printable_copy(label, sizeof(label), certificate->label,
			     certificate->label_size);
	wire_add_bytes(message, TAG_OBJECT_ID, certificate->id, certificate->id_size);
	wire_add_string(message, TAG_LABEL, label);
	wire_add_bytes(message, TAG_CERTIFICATE, certificate->value,
		       certificate->value_size);
	return report_send(message);
}

static enum hygie_outcome certificates_send(const struct token *token,
					    const CK_OBJECT_HANDLE *objects, size_t count,
					    struct failure *failure)
{
	cleanup_free struct certificate *certificate = calloc(1, sizeof(*certificate));
	size_t sent = 0;
	int r;

	if (!certificate)
		return failure_set(failure, HYGIE_FAULT, "certificates: no memory");
	for (size_t i = 0; i < count && sent < HYGIE_CERTIFICATES_MAX; i++) {
		if (!certificate_read(token, objects[i], certificate)) {
			(void)fprintf(stderr, "hygie-token: left out a certificate\n");
			continue;
		}
		r = certificate_send(certificate);
		if (r < 0)
			return failure_errno(failure, "report certificate", r);
		sent++;
	}
	if (sent == 0)
		return failure_set(failure, HYGIE_CARD_UNREADABLE,
				   "no usable certificate among %zu", count);
	return HYGIE_OK;
}

enum hygie_outcome certificates_report(const struct token *token, struct failure *failure)
{
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	CK_ATTRIBUTE wanted[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_CERTIFICATE_TYPE, &type, sizeof(type) },
	};
	CK_OBJECT_HANDLE objects[OBJECTS_MAX];
	enum hygie_outcome outcome;
	size_t count;

	outcome = objects_find(token, wanted, array_size(wanted), objects, OBJECTS_MAX,
			       &count, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	return certificates_send(token, objects, count, failure);
}
