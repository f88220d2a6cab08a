/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See stores_audit.h. Events are named for those who search the journal.
 */
#include "hygied/stores_audit.h"

#include "libhygie/log.h"

#include <stdio.h>

void stores_audit(const char *store, const char *event, enum hygie_outcome outcome,
		  const char *detail)
{
	log_audit(event, outcome,
		  (const struct log_field[]){
			  { "HYGIE_STORE", store },
			  { "HYGIE_DETAIL", detail },
		  },
		  2);
}

const char *stores_failure_word(enum keeper_failure failure)
{
	static const char *const words[] = {
		[KEEPER_FAULT] = "a fault; the keeper's log says more",
		[KEEPER_WRONG_SECRET] = "the secret does not open it",
		[KEEPER_BAD_CIPHER] = "its encrypted folder is missing or unfit",
		[KEEPER_BAD_MOUNT] = "its mount point is unfit or not empty",
		[KEEPER_SLOW] = "its backend did not answer in time",
		[KEEPER_WRONG_TIME] = "it is being closed",
		[KEEPER_DIED] = "its backend ended, and nobody had asked for it",
		[KEEPER_MISSING] = "its backend is not installed",
		[KEEPER_LIMIT] = "it was busy beyond the limit; its backend was ended",
		[KEEPER_LIMIT_HELD] =
			"it was busy beyond the limit; its key is gone, open files are not",
		[KEEPER_NO_ENCRYPTION] = "its file system has no encryption switched on",
	};

	return (size_t)failure < array_size(words) ? words[failure] : words[0];
}

enum hygie_outcome stores_closed_outcome(enum keeper_failure failure)
{
	switch (failure) {
	case KEEPER_FAULT: /* as CLOSED has it: none */
		return HYGIE_OK;
	case KEEPER_LIMIT:
	case KEEPER_LIMIT_HELD:
		return HYGIE_TIMED_OUT;
	default:
		return HYGIE_FAULT;
	}
}

void stores_audit_holders(const char *store, const char *event,
			  const struct keeper_holder *holders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct keeper_holder *holder = &holders[i];
		char pid[16], uid[16];

		(void)snprintf(pid, sizeof(pid), "%d", (int)holder->pid);
		(void)snprintf(uid, sizeof(uid), "%u", holder->uid);
		log_audit(event, HYGIE_TIMED_OUT,
			  (const struct log_field[]){
				  { "HYGIE_STORE", store },
				  { "HYGIE_HOLDER_PID", pid },
				  { "HYGIE_HOLDER_UID", uid },
				  { "HYGIE_HOLDER_PROGRAM", holder->program },
				  { "HYGIE_HOLDER_FILE", holder->file },
			  },
			  5);
	}
}
