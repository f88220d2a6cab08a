/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one login of a helper's life: PIN, operations, report. After it the process ends,
 * whatever came of it; that is the caller's (helper_exit).
 */
#pragma once

#include "hygie-token/login_order.h"
#include "hygie-token/token.h"

/*
 * Exactly one C_Login with the order's PIN, never a second try, and none at all when the
 * PIN cannot be this token's. Then the operations in order, then REPORT_DONE. The PIN is
 * wiped as soon as no key needs it again. HYGIE_OK, or the failure.
 */
enum hygie_outcome login_run(const struct token *token, struct login_order *order,
			     struct failure *failure);
