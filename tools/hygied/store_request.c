/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests about open stores; see store_request.h.
 */
#include "hygied/store_request.h"

#include "hygied/policy.h"
#include "hygied/requests.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <stdio.h>
#include <string.h>

#define SESSION_MS 3000 /* PAM's client waits five seconds */
#define CLOSE_MS 3000

/* ---- status ---- */

/* An ITEM for each program that keeps it busy; with `own`, of the peer's own alone. */
static void send_holders(struct peer *peer, const char *store,
			 const struct store_view *view, bool own)
{
	for (size_t i = 0; i < view->holder_count; i++) {
		const struct keeper_holder *holder = &view->holders[i];
		cleanup_message struct wire_message *item = NULL;
		char user[HYGIE_USER_MAX];

		if (own && holder->uid != peer_uid(peer))
			continue;
		item = request_new_item("store_program");
		if (!item)
			return;
		wire_add_string(item, TAG_STORE, store);
		wire_add_u32(item, TAG_PROCESS, (uint32_t)holder->pid);
		if (policy_user_name(holder->uid, user, sizeof(user)))
			wire_add_string(item, TAG_USER, user);
		wire_add_string(item, TAG_VALUE, holder->program);
		wire_add_string(item, TAG_FILE, holder->file);
		peer_send(peer, item);
	}
}

void store_programs_send(const struct hygied *hygied, struct peer *peer)
{
	struct store_view view;
	const char *name;

	for (size_t i = 0; stores_at(hygied->stores, i, &name, &view); i++)
		send_holders(peer, name, &view, true);
}

/* Who may see which files keep it busy: its members, and root. */
static bool may_see(const struct peer *peer, const struct store *store)
{
	char user[HYGIE_USER_MAX];

	return policy_may_administer(peer_uid(peer)) ||
	       (policy_user_name(peer_uid(peer), user, sizeof(user)) &&
		policy_is_member(user, store->group));
}

struct listing {
	const struct hygied *hygied;
	struct peer *peer;
};

static int send_item(void *context, const char *name, const struct store *store,
		     const struct file_error *error)
{
	const struct listing *listing = context;
	struct store_view view = { .state = KEEPER_STATE_SHUT };
	cleanup_message struct wire_message *item = NULL;

	if (!store) {
		log_warning("%s", error->text);
		return 0;
	}
	item = may_see(listing->peer, store) ? request_new_item("store") : NULL;
	if (!item)
		return 0;
	(void)stores_look(listing->hygied->stores, name, &view);
	wire_add_string(item, TAG_STORE, name);
	wire_add_string(item, TAG_STATE, view.state);
	wire_add_string(item, TAG_MOUNT, store->mount);
	wire_add_u32(item, TAG_COUNT, (uint32_t)view.references);
	if (view.since)
		wire_add_u64(item, TAG_SINCE, view.since);
	peer_send(listing->peer, item);
	send_holders(listing->peer, name, &view, false);
	return 0;
}

void request_store_status(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request)
{
	struct listing listing = { hygied, peer };

	(void)request;
	if (stores_each(STORE_FOLDER, send_item, &listing) < 0)
		log_warning("%s cannot be read", STORE_FOLDER);
	peer_finish(peer, HYGIE_OK, NULL);
}

/* ---- waiting ---- */

struct wait {
	struct hygied *hygied;
	struct peer *peer;
	char session[HYGIE_SESSION_MAX]; /* whose stores open; or */
	char store[STORE_NAME_MAX + 1];  /* which one closes */
	sd_event_source *timer;
};

static void finish_opening(struct wait *wait)
{
	if (!stores_are_opening(wait->hygied->stores, wait->session))
		peer_finish(wait->peer, HYGIE_OK, NULL);
}

static void finish_closing(struct wait *wait)
{
	struct store_view view;

	if (!stores_look(wait->hygied->stores, wait->store, &view) ||
	    strcmp(view.state, KEEPER_STATE_SHUT) == 0)
		peer_finish(wait->peer, HYGIE_OK, N_("Closed."));
	else if (view.references > 0)
		peer_finish(wait->peer, HYGIE_OK,
			    N_("Others hold it open; you no longer do."));
	else if (view.holder_count > 0)
		peer_finish(
			wait->peer, HYGIE_OK,
			N_("Programs still have files of it open. It closes by itself "
			   "when they end; \"hygie store status\" names them."));
}

static void on_change(void *self)
{
	struct wait *wait = self;

	if (peer_is_finished(wait->peer))
		return;
	if (wait->session[0])
		finish_opening(wait);
	else
		finish_closing(wait);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct wait *wait = userdata;

	(void)source;
	(void)usec;
	if (wait->session[0])
		log_warning("session %s begins before its stores are open",
			    wait->session);
	if (!peer_is_finished(wait->peer))
		peer_finish(wait->peer, HYGIE_OK,
			    N_("It goes on. \"hygie store status\" tells what came of "
			       "it."));
	return 0;
}

static void wait_free(void *self)
{
	struct wait *wait = self;

	(void)sd_event_source_disable_unref(wait->timer);
	free(wait);
}

static const struct dialogue wait_dialogue = {
	.sessions_changed = on_change,
	.free = wait_free,
};

static struct wait *wait_begin(struct hygied *hygied, struct peer *peer, unsigned for_ms)
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (!wait) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return NULL;
	}
	wait->hygied = hygied;
	wait->peer = peer;
	peer_set_dialogue(peer, &wait_dialogue, wait);
	if (sd_event_add_time(hygied->loop, &wait->timer, CLOCK_MONOTONIC,
			      deadline_after(for_ms), 1000, on_late, wait) >= 0)
		return wait;
	peer_finish(peer, HYGIE_FAULT, NULL);
	return NULL;
}

void store_wait(struct hygied *hygied, struct peer *peer, const char *session)
{
	struct wait *wait;

	if (!session[0] || !stores_are_opening(hygied->stores, session)) {
		peer_finish(peer, HYGIE_OK, NULL);
		return;
	}
	wait = wait_begin(hygied, peer, SESSION_MS);
	if (wait)
		(void)snprintf(wait->session, sizeof(wait->session), "%s", session);
}

/* ---- closing ---- */

void request_store_close(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request)
{
	char name[STORE_NAME_MAX + 1] = "", uid[16];
	bool root = policy_may_administer(peer_uid(peer));
	struct wait *wait;
	size_t held;

	if (wire_optional(wire_get_string(request, TAG_STORE, name, sizeof(name))) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	held = stores_close(hygied->stores, name[0] ? name : NULL, root, peer_uid(peer));
	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	log_audit("store-close-request", held ? HYGIE_OK : HYGIE_NOT_FOUND,
		  (const struct log_field[]){
			  { "HYGIE_STORE", name[0] ? name : NULL },
			  { "HYGIE_PEER_UID", uid },
		  },
		  2);
	if (held == 0) {
		peer_finish(peer, HYGIE_NOT_FOUND,
			    N_("No session of yours holds a store open."));
		return;
	}
	if (!name[0]) {
		peer_finish(
			peer, HYGIE_OK,
			N_("Let go. \"hygie store status\" tells what is open still."));
		return;
	}
	wait = wait_begin(hygied, peer, CLOSE_MS);
	if (!wait)
		return;
	(void)snprintf(wait->store, sizeof(wait->store), "%s", name);
	on_change(wait);
}
