/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a helper says of its token: labels, PIN flags, certificates. Parsed from messages
 * of an untrusted process into bounded fields; no judgement but that the bytes have the
 * right form.
 */
#pragma once

#include "hygied/certificate.h"
#include "hygied/identity.h"
#include "hygied/trust.h"
#include "libhygie/attributes.h"
#include "libhygie/outcome.h"
#include "libhygie/protocol.h"
#include "libhygie/secret.h"
#include "libhygie/wire.h"

#include <stdbool.h>

#define TOKEN_TEXT_SIZE 128
#define TOKEN_OBJECT_ID_MAX 64
#define TOKEN_SECRETS_MAX 7 /* what hygie-token does in one login, less the signature */

struct token_certificate {
	struct certificate *certificate; /* owned */
	uint8_t object_id[TOKEN_OBJECT_ID_MAX];
	size_t object_id_size;
	/* Filled by card.c: */
	struct trust_verdict verdict;
	struct identity identity; /* when has_identity */
	bool has_identity;
};

struct token_report {
	char label[TOKEN_TEXT_SIZE];
	char serial[TOKEN_TEXT_SIZE];
	uint32_t flags;            /* enum token_flag */
	uint32_t pin_min, pin_max; /* bytes */
	struct token_certificate certificates[HYGIE_CERTIFICATES_MAX];
	size_t count;
};

/* Forgets everything that was reported; frees the certificates. */
void token_report_clear(struct token_report *report);

/* Takes in WIRE_REPORT_TOKEN. -EBADMSG on nonsense. */
int token_report_take_token(struct token_report *report,
			    const struct wire_message *message) must_check;

/*
 * Takes in one WIRE_REPORT_CERTIFICATE. -EBADMSG when the message makes no sense, -E2BIG
 * for the seventeenth. A certificate that cannot be parsed is passed over: 0.
 */
int token_report_take_certificate(struct token_report *report,
				  const struct wire_message *message) must_check;

/* The answer to WIRE_ORDER_LOGIN: to its one TOKEN_SIGN, and to what came before it. */
struct token_done {
	enum hygie_outcome outcome;
	enum signature_scheme scheme;
	const uint8_t *signature; /* borrowed from the message */
	size_t signature_size;
	bool has_flags;
	uint32_t flags;            /* enum token_flag, after a wrong PIN */
	char text[HYGIE_TEXT_MAX]; /* detail for the log */
	/* What was decrypted or derived, in order; an empty one where that failed. */
	struct secret *secrets[TOKEN_SECRETS_MAX];
	size_t secret_count;
	uint32_t left_out; /* of them: not tried, so that the signature came in time */
};

/*
 * Reads WIRE_REPORT_DONE or WIRE_REPORT_FAILED. -EBADMSG on nonsense. The caller gives
 * what was read to token_done_forget.
 */
int token_done_read(const struct wire_message *message,
		    struct token_done *ret_done) must_check;

/* Wipes the secrets that are still in it. */
void token_done_forget(struct token_done *done);

/* The same after WIRE_ORDER_PIN, to which no signature belongs. */
int token_done_read_unsigned(const struct wire_message *message,
			     struct token_done *ret_done) must_check;
