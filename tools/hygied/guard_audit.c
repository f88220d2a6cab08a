/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See guard_audit.h. Events are named for those who search the journal.
 */
#include "hygied/guard_audit.h"

#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *event;
	enum hygie_outcome outcome;
} lines[] = {
	[REMOVAL_WARN] = { "card-gone", HYGIE_OK },
	[REMOVAL_RELENT] = { "card-back", HYGIE_OK },
	[REMOVAL_LOCK] = { "lock", HYGIE_OK },
	[REMOVAL_NOTE] = { "locked", HYGIE_OK },
	[REMOVAL_ESCALATE] = { "not-locked", HYGIE_TIMED_OUT },
	[REMOVAL_END] = { "end-session", HYGIE_OK },
	[REMOVAL_KILL] = { "kill-session", HYGIE_TIMED_OUT },
	[REMOVAL_RELEASE] = { "opened-without-card", HYGIE_OK },
};

void guard_audit(const struct binding *binding, const struct removal *removal,
		 enum removal_act act, uint64_t now)
{
	char card[17], milliseconds[24];

	if (act == REMOVAL_NOTHING)
		return;
	hex_write(binding->key_id, 8, card);
	(void)snprintf(milliseconds, sizeof(milliseconds), "%" PRIu64,
		       removal->since && now > removal->since
			       ? (now - removal->since) / 1000
			       : 0);
	log_audit(lines[act].event, lines[act].outcome,
		  (const struct log_field[]){
			  { "HYGIE_USER", binding->user[0] ? binding->user : NULL },
			  { "HYGIE_SESSION", binding->session },
			  { "HYGIE_CARD", binding->user[0] ? card : NULL },
			  { "HYGIE_READER", binding->reader[0] ? binding->reader : NULL },
			  { "HYGIE_MILLISECONDS", milliseconds },
		  },
		  5);
}
