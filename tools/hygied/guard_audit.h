/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit lines of what became of a session whose card is gone.
 */
#pragma once

#include "hygied/binding.h"
#include "hygied/removal.h"

/*
 * Writes a line for what was done about the session, with the milliseconds since its card
 * was lost; none for REMOVAL_NOTHING. `now`: as removal.since.
 */
void guard_audit(const struct binding *binding, const struct removal *removal,
		 enum removal_act act, uint64_t now);
