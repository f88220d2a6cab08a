/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one change of a PIN in a helper's life, or the one unblocking. After it the process
 * ends, as after a login.
 */
#pragma once

#include "hygie-token/pin_order.h"
#include "hygie-token/token.h"

/*
 * Sends the PIN (or PUK) to the token once, never again, and not at all when one of the
 * two cannot be a PIN. Then REPORT_DONE, without a signature. Both are wiped as soon as
 * the token had them. HYGIE_OK, or the failure.
 */
enum hygie_outcome pin_change_run(const struct token *token, struct pin_order *order,
				  struct failure *failure);
