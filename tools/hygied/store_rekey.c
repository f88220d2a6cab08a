/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing a store's recovery key; see store_rekey.h.
 */
#include "hygied/store_rekey.h"

#include "hygied/recovery_note.h"
#include "hygied/store_admin.h"
#include "hygied/store_rights.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <errno.h>
#include <string.h>

#define EVENT "store-recovery"

struct rekeying {
	const struct hygied *hygied;
	struct peer *peer;
	char name[STORE_NAME_MAX + 1];
	struct recovery_note note;
	sd_event_source *timer;
};

static void rekeying_free(void *self)
{
	struct rekeying *rekeying = self;

	if (!peer_is_finished(rekeying->peer))
		store_admin_audit(rekeying->peer, EVENT, HYGIE_GAVE_UP, rekeying->name,
				  NULL);
	(void)sd_event_source_disable_unref(rekeying->timer);
	recovery_note_forget(&rekeying->note);
	free(rekeying);
}

static void finish(struct rekeying *rekeying, enum hygie_outcome outcome,
		   const char *text)
{
	store_admin_audit(rekeying->peer, EVENT, outcome, rekeying->name, NULL);
	peer_finish(rekeying->peer, outcome, text);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

/* Read, judged and written in one go: the person has taken his time. */
static int queue(const struct rekeying *rekeying, struct file_error *error)
{
	cleanup_store struct store *store = NULL;
	int r = store_load(STORE_FOLDER, rekeying->name, &store, error);

	if (r < 0)
		return r;
	if (store_rekeying_is_cut_short(STORE_FOLDER, store))
		return -EINPROGRESS;
	r = store_recovery_save_next(STORE_FOLDER, store->name, rekeying->note.key,
				     rekeying->note.locked, rekeying->note.locked_size,
				     store->recovery_next);
	if (r == 0)
		r = store_save(STORE_FOLDER, store);
	/* What an earlier one left, which was never carried out. */
	if (r == 0 && store_recovery_tidy(STORE_FOLDER, store) < 0)
		log_warning("store %s: an older recovery key's files stay", store->name);
	return r;
}

static void take_note(struct rekeying *rekeying)
{
	struct file_error error = { "" };
	int r;

	if (!store_admin_is_free(rekeying->hygied, rekeying->peer, EVENT, rekeying->name))
		return;
	r = queue(rekeying, &error);
	if (r == -EINPROGRESS)
		finish(rekeying, HYGIE_REFUSED,
		       N_("The change before this one was cut short. Have a holder open "
			  "the store, then try again. Destroy this page, keep the one "
			  "before."));
	else if (r < 0)
		store_admin_fail(rekeying->peer, EVENT, rekeying->name, r, &error);
	else
		finish(rekeying, HYGIE_OK,
		       N_("The new recovery key is pending. It holds when a holder who "
			  "may grant opens the store next, or at once by \"hygie store "
			  "recover\" with the old passphrase. Keep both pages until "
			  "\"hygie store check\" says no more of it."));
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	struct rekeying *rekeying = self;

	switch (recovery_note_take(&rekeying->note, rekeying->peer, owned)) {
	case NOTE_TAKEN:
		take_note(rekeying);
		break;
	case NOTE_NOT_TAKEN:
		finish(rekeying, HYGIE_GAVE_UP,
		       N_("The passphrase was not noted, so the old one stays. Destroy "
			  "the new page."));
		break;
	default:
		break;
	}
}

static const struct dialogue rekeying_dialogue = {
	.answer = on_answer,
	.free = rekeying_free,
};

void store_rekey_serve(struct hygied *hygied, struct peer *peer,
		       const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, EVENT);
	struct rekeying *rekeying;

	if (!store)
		return;
	rekeying = calloc(1, sizeof(*rekeying));
	if (!rekeying) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	rekeying->hygied = hygied;
	rekeying->peer = peer;
	memcpy(rekeying->name, store->name, sizeof(rekeying->name));
	peer_set_dialogue(peer, &rekeying_dialogue, rekeying);
	if (sd_event_add_time(hygied->loop, &rekeying->timer, CLOCK_MONOTONIC,
			      deadline_after(RECOVERY_NOTE_MS), 1000, on_late,
			      rekeying) < 0 ||
	    recovery_note_send(&rekeying->note, peer, rekeying->name) < 0)
		finish(rekeying, HYGIE_FAULT, NULL);
}
