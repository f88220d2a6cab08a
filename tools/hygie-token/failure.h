/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the helper stops: an outcome for hygied and an English sentence for the log. The
 * one place that knows the names of PKCS#11 return values and what each means to a
 * person.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/outcome.h"

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdint.h>

#define FAILURE_TEXT_MAX 256

struct failure {
	enum hygie_outcome outcome;
	char text[FAILURE_TEXT_MAX];
	bool has_flags; /* the token was asked again after a refused PIN */
	uint32_t flags; /* enum token_flag */
};

/* Keeps outcome and text (cut to fit), and returns the outcome, for `return failure_set`.
 */
enum hygie_outcome failure_set(struct failure *failure, enum hygie_outcome outcome,
			       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same from what `function` of the module answered; the outcome is outcome_of_rv. */
enum hygie_outcome failure_pkcs11(struct failure *failure, const char *function,
				  CK_RV rv);

/* The same from a negative errno of ours: HYGIE_FAULT. */
enum hygie_outcome failure_errno(struct failure *failure, const char *what, int error);

/* "CKR_PIN_INCORRECT"; "CKR_?" for what is not in PKCS#11 v3.1. */
const char *rv_name(CK_RV rv);

/*
 * What a return value means. CKR_OK is HYGIE_OK; whatever is not known, CARD_BROKEN.
 * CKR_USER_ALREADY_LOGGED_IN is no success: somebody else's login is not ours.
 */
enum hygie_outcome outcome_of_rv(CK_RV rv);
