/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening stores in a session; see login_stores.h.
 */
#include "hygied/login_stores.h"

#include "hygied/login_step.h"
#include "hygied/policy.h"
#include "hygied/session.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <stdio.h>
#include <string.h>

#define OPENING_MS 8000

static bool find_session(const struct login *login, uid_t *ret_uid,
			 char ret_session[HYGIE_SESSION_MAX])
{
	gid_t gid;

	return policy_user_ids(login->user, ret_uid, &gid) &&
	       session_of_peer(peer_fd(login->peer), *ret_uid, ret_session);
}

enum hygie_outcome login_stores_admit(const struct login *login, const char **ret_text)
{
	char session[HYGIE_SESSION_MAX];
	uid_t uid;

	if (login->user[0] && find_session(login, &uid, session))
		return HYGIE_OK;
	*ret_text = N_("A store is opened for a session, and there is none of that user. "
		       "Log in, and open it there.");
	return HYGIE_NOT_FOUND;
}

static void finish(struct login *login, enum hygie_outcome outcome, const char *text)
{
	login->stage = LOGIN_FINISHED;
	login->timer = sd_event_source_disable_unref(login->timer);
	log_audit("store-open-request", outcome,
		  (const struct log_field[]){
			  { "HYGIE_USER", login->user },
			  { "HYGIE_STORE", login->store[0] ? login->store : NULL },
		  },
		  2);
	peer_finish(login->peer, outcome, text);
}

void login_stores_look(struct login *login)
{
	const struct store *store;
	struct store_view view;
	size_t open = 0, closing = 0, apart = 0, wanted = 0;

	for (size_t i = 0; (store = store_plan_store(login->plan, i)); i++, wanted++) {
		bool known = stores_look(login->hygied->stores, store->name, &view);

		if (known && strcmp(view.state, KEEPER_STATE_OPENING) == 0)
			return;
		open += known && strcmp(view.state, KEEPER_STATE_OPEN) == 0;
		closing += known && strcmp(view.state, KEEPER_STATE_CLOSING) == 0;
		apart += known && strcmp(view.state, STORE_STATE_REENCRYPTING) == 0;
	}
	if (wanted == 0)
		finish(login, HYGIE_NOT_FOUND, N_("This card opens no store."));
	else if (open == wanted)
		finish(login, HYGIE_OK, N_("Open."));
	else if (apart > 0)
		finish(login, HYGIE_UNAVAILABLE,
		       N_("The store is being reencrypted by an administrator, and opens "
			  "when that is done. \"hygie store status\" tells."));
	else if (closing > 0)
		finish(login, HYGIE_TIMED_OUT,
		       N_("The store is still being closed: programs have it. Open it "
			  "when \"hygie store status\" says that it is shut."));
	else
		finish(login, HYGIE_FAULT,
		       N_("The store does not open. The journal says why (journalctl -t "
			  "hygied -t hygie-store); nothing in it was changed."));
}

static int on_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, HYGIE_TIMED_OUT,
	       N_("The store is not open yet. \"hygie store status\" tells when it is."));
	return 0;
}

void login_stores_open(struct login *login)
{
	struct binding binding = { .user = "" };

	if (!find_session(login, &binding.uid, binding.session)) {
		finish(login, HYGIE_NOT_FOUND,
		       N_("The session has ended. Log in again, and open it there."));
		return;
	}
	memcpy(binding.key_id, login->key_id, sizeof(binding.key_id));
	stores_open(login->hygied->stores, login->plan, &binding, NULL);
	login->stage = LOGIN_OPENING;
	login_set_timer(login, deadline_after(OPENING_MS), on_slow);
	login_stores_look(login);
}
