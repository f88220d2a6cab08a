/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing a helper's messages; see token_report.h.
 */
#include "hygied/token_report.h"

#include <errno.h>
#include <string.h>

/* Whatever is wrong with a helper's field, the helper is talking nonsense. */
static int as_nonsense(int r)
{
	return r == -ENOENT || r == -E2BIG ? -EBADMSG : r;
}

void token_report_clear(struct token_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		certificate_free(report->certificates[i].certificate);
	*report = (struct token_report){ .count = 0 };
}

int token_report_take_token(struct token_report *report,
			    const struct wire_message *message)
{
	int r;

	r = wire_get_u32(message, TAG_TOKEN_FLAGS, &report->flags);
	if (r >= 0)
		r = wire_optional(wire_get_string(message, TAG_LABEL, report->label,
						  sizeof(report->label)));
	if (r >= 0)
		r = wire_optional(wire_get_string(message, TAG_TOKEN_SERIAL,
						  report->serial,
						  sizeof(report->serial)));
	if (r >= 0)
		r = wire_get_u32(message, TAG_PIN_MIN, &report->pin_min);
	if (r >= 0)
		r = wire_get_u32(message, TAG_PIN_MAX, &report->pin_max);
	return as_nonsense(r);
}

int token_report_take_certificate(struct token_report *report,
				  const struct wire_message *message)
{
	struct token_certificate *entry;
	const uint8_t *id, *der;
	size_t id_size, der_size;
	int r;

	if (report->count >= HYGIE_CERTIFICATES_MAX)
		return -E2BIG;
	r = wire_get_bytes(message, TAG_OBJECT_ID, &id, &id_size);
	if (r < 0)
		return as_nonsense(r);
	r = wire_get_bytes(message, TAG_CERTIFICATE, &der, &der_size);
	if (r < 0)
		return as_nonsense(r);
	if (id_size > TOKEN_OBJECT_ID_MAX)
		return -EBADMSG;
	entry = &report->certificates[report->count];
	*entry = (struct token_certificate){ .object_id_size = id_size };
	r = certificate_parse(der, der_size, &entry->certificate);
	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return r;
	memcpy(entry->object_id, id, id_size);
	report->count++;
	return 0;
}

/*
 * What a token can know. Nothing else is taken from a helper: its "user unknown" would
 * let a PAM stack go on without the card.
 */
static enum hygie_outcome token_outcome(uint32_t value)
{
	enum hygie_outcome outcome = outcome_from_wire(value);

	switch (outcome) {
	case HYGIE_REFUSED:
	case HYGIE_OK:
	case HYGIE_CARD_UNREADABLE:
	case HYGIE_CARD_REMOVED:
	case HYGIE_CARD_SILENT:
	case HYGIE_CARD_BUSY:
	case HYGIE_CARD_BROKEN:
	case HYGIE_PIN_WRONG:
	case HYGIE_PIN_BLOCKED:
	case HYGIE_PIN_MALFORMED:
	case HYGIE_PIN_NOT_SET:
	case HYGIE_PIN_MUST_CHANGE:
	case HYGIE_GAVE_UP:
	case HYGIE_BROKEN_SETUP:
	case HYGIE_FAULT:
	case HYGIE_BAD_REQUEST:
	case HYGIE_PUK_WRONG:
	case HYGIE_PUK_BLOCKED:
	case HYGIE_PUK_MALFORMED:
	case HYGIE_PIN_NEW_UNFIT:
	case HYGIE_PIN_NEW_REFUSED:
	case HYGIE_PIN_FIXED:
		return outcome;
	default:
		return HYGIE_CARD_BROKEN;
	}
}

static int done_read_signature(const struct wire_message *message,
			       struct token_done *done)
{
	uint32_t scheme;
	int r;

	r = wire_get_u32(message, TAG_SIGNATURE_SCHEME, &scheme);
	if (r < 0)
		return r;
	done->scheme = (enum signature_scheme)scheme;
	return wire_get_bytes(message, TAG_DATA, &done->signature, &done->signature_size);
}

int token_done_read_unsigned(const struct wire_message *message,
			     struct token_done *ret_done)
{
	struct token_done done = { .outcome = HYGIE_REFUSED };
	uint32_t outcome;
	int r;

	r = wire_get_u32(message, TAG_OUTCOME, &outcome);
	if (r < 0)
		return as_nonsense(r);
	done.outcome = token_outcome(outcome);
	if (wire_message_type(message) == WIRE_REPORT_FAILED && done.outcome == HYGIE_OK)
		return -EBADMSG;
	done.has_flags = wire_get_u32(message, TAG_TOKEN_FLAGS, &done.flags) == 0;
	r = wire_optional(
		wire_get_string(message, TAG_TEXT, done.text, sizeof(done.text)));
	if (r < 0)
		return as_nonsense(r);
	*ret_done = done;
	return 0;
}

void token_done_forget(struct token_done *done)
{
	while (done->secret_count > 0) {
		secret_free(done->secrets[--done->secret_count]);
		done->secrets[done->secret_count] = NULL;
	}
}

static int done_read_secrets(const struct wire_message *message, struct token_done *done)
{
	struct wire_field field;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && wire_next_field(message, &cursor, &field)) {
		if (field.tag != TAG_SECRET)
			continue;
		if (done->secret_count == TOKEN_SECRETS_MAX)
			return -EBADMSG;
		r = secret_new_from(field.bytes, field.size,
				    &done->secrets[done->secret_count]);
		if (r == 0)
			done->secret_count++;
	}
	return r;
}

int token_done_read(const struct wire_message *message, struct token_done *ret_done)
{
	struct token_done done = { .outcome = HYGIE_REFUSED };
	int r;

	r = token_done_read_unsigned(message, &done);
	if (r >= 0 && done.outcome == HYGIE_OK)
		r = as_nonsense(done_read_signature(message, &done));
	if (r >= 0 && done.outcome == HYGIE_OK)
		r = done_read_secrets(message, &done);
	if (r >= 0 && done.outcome == HYGIE_OK)
		r = as_nonsense(wire_optional(
			wire_get_u32(message, TAG_LEFT_OUT, &done.left_out)));
	if (r < 0) {
		token_done_forget(&done);
		return r;
	}
	*ret_done = done;
	return 0;
}
