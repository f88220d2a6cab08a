/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates that the token shows, sent as they are: nothing here looks inside
 * them, X.509 is hygied's.
 */
#pragma once

#include "hygie-token/token.h"

/*
 * Sends a REPORT_CERTIFICATE for each X.509 certificate that has a value and an id, at
 * most HYGIE_CERTIFICATES_MAX. One that is too large or lacks them is left out. HYGIE_OK,
 * or the failure: HYGIE_CARD_UNREADABLE when none is left.
 */
enum hygie_outcome certificates_report(const struct token *token,
				       struct failure *failure);
