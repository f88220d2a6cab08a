/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out what is pending by the recovery key; see store_recover.h.
 */
#include "hygied/store_recover.h"

#include "hygied/store_admin.h"
#include "hygied/store_passphrase.h"
#include "libhygie/deadline.h"

#include <stdio.h>
#include <string.h>

#define TYPE_MS (5 * 60 * 1000) /* 28 characters from a page */
#define EVENT "store-recover"

struct recovery {
	struct store_passphrase asking;
	sd_event_source *timer;
};

static void recovery_free(void *self)
{
	struct recovery *recovery = self;

	if (!peer_is_finished(recovery->asking.peer))
		store_admin_audit(recovery->asking.peer, EVENT, HYGIE_GAVE_UP,
				  recovery->asking.name, NULL);
	(void)sd_event_source_disable_unref(recovery->timer);
	free(recovery);
}

static void finish(struct recovery *recovery, enum hygie_outcome outcome)
{
	store_admin_audit(recovery->asking.peer, EVENT, outcome, recovery->asking.name,
			  NULL);
	peer_finish(recovery->asking.peer, outcome, NULL);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_TIMED_OUT);
	return 0;
}

static void tell_done(const struct recovery *recovery,
		      const struct store_changes *changes)
{
	char granted[16], removed[16];
	const char *arguments[] = { granted, removed };

	(void)snprintf(granted, sizeof(granted), "%zu", changes->granted);
	(void)snprintf(removed, sizeof(removed), "%zu", changes->removed);
	store_admin_audit(recovery->asking.peer, EVENT, HYGIE_OK, recovery->asking.name,
			  NULL);
	peer_finish_text(recovery->asking.peer, HYGIE_OK, TEXT_STORE_RECOVERED, arguments,
			 2);
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	cleanup_unlocked struct store_unlocked unlocked = { .store = NULL };
	struct recovery *recovery = self;

	if (store_passphrase_take(&recovery->asking, owned, &unlocked))
		tell_done(recovery, &unlocked.changes);
}

static const struct dialogue recovery_dialogue = {
	.answer = on_answer,
	.free = recovery_free,
};

void store_recover_serve(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, EVENT);
	struct recovery *recovery;

	if (!store)
		return;
	recovery = calloc(1, sizeof(*recovery));
	if (!recovery) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	recovery->asking = (struct store_passphrase){ .hygied = hygied,
						      .peer = peer,
						      .event = EVENT };
	memcpy(recovery->asking.name, store->name, sizeof(store->name));
	peer_set_dialogue(peer, &recovery_dialogue, recovery);
	if (sd_event_add_time(hygied->loop, &recovery->timer, CLOCK_MONOTONIC,
			      deadline_after(TYPE_MS), 1000, on_late, recovery) < 0)
		finish(recovery, HYGIE_FAULT);
	else
		store_passphrase_ask(&recovery->asking);
}
