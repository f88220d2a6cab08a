/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, closing and telling of sessions; see session_request.h.
 */
#include "hygied/session_request.h"

#include "hygied/guard.h"
#include "hygied/policy.h"
#include "hygied/requests.h"
#include "hygied/session.h"
#include "hygied/store_request.h"
#include "hygied/stores.h"
#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void audit_opening(const struct binding *binding, enum hygie_outcome outcome,
			  bool bound)
{
	char card[17];

	hex_write(binding->key_id, 8, card);
	log_audit("open-session", outcome,
		  (const struct log_field[]){
			  { "HYGIE_USER", binding->user[0] ? binding->user : NULL },
			  { "HYGIE_SERVICE",
			    binding->service[0] ? binding->service : NULL },
			  { "HYGIE_SESSION",
			    binding->session[0] ? binding->session : NULL },
			  { "HYGIE_CARD", binding->user[0] ? card : NULL },
			  { "HYGIE_BOUND", bound ? "yes" : "no" },
		  },
		  5);
}

/* HYGIE_OK also where there is nothing to bind: su and sudo make no session of logind's. */
static enum hygie_outcome open_session(struct hygied *hygied, const char *name,
				       struct binding *binding, bool *ret_bound)
{
	char session[HYGIE_SESSION_MAX];
	int r;

	*ret_bound = false;
	memcpy(session, binding->session, sizeof(session));
	if (tickets_redeem(hygied->tickets, name, binding) < 0)
		return HYGIE_NOT_FOUND;
	memcpy(binding->session, session, sizeof(session));
	if (session[0] == '\0') {
		stores_redeem(hygied->stores, name, "");
		return HYGIE_OK;
	}
	r = session_bind_opened(binding);
	*ret_bound = r == 0;
	stores_redeem(hygied->stores, name, r == 0 ? session : "");
	if (r == 0)
		guard_bind(hygied->guard, binding);
	return r == 0 || r == -ENOENT ? HYGIE_OK : HYGIE_FAULT;
}

void request_open_session(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request)
{
	struct binding binding = { .session = "" };
	char name[HYGIE_TICKET_MAX];
	enum hygie_outcome outcome;
	bool bound;
	int r;

	if (!request_admit_root(peer, "open-session"))
		return;
	r = wire_get_string(request, TAG_SESSION, binding.session,
			    sizeof(binding.session));
	if ((r < 0 && r != -ENOENT) ||
	    wire_get_string(request, TAG_TICKET, name, sizeof(name)) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	outcome = open_session(hygied, name, &binding, &bound);
	audit_opening(&binding, outcome, bound);
	if (bound)
		store_wait(hygied, peer, binding.session);
	else
		peer_finish(peer, outcome, NULL);
}

void request_close_session(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request)
{
	char session[HYGIE_SESSION_MAX] = "";

	if (!request_admit_root(peer, "close-session"))
		return;
	(void)!wire_get_string(request, TAG_SESSION, session, sizeof(session));
	if (session[0])
		guard_release(hygied->guard, session);
	log_audit("close-session", HYGIE_OK,
		  (const struct log_field[]){
			  { "HYGIE_SESSION", session[0] ? session : NULL } },
		  1);
	peer_finish(peer, HYGIE_OK, NULL);
}

struct listing {
	const struct hygied *hygied;
	struct peer *peer;
};

static void add_view(struct wire_message *item, const struct guard_view *view)
{
	static const char *const words[] = { [REMOVAL_BY_LOCK] = "lock",
					     [REMOVAL_BY_LOGOUT] = "logout",
					     [REMOVAL_BY_NOTHING] = "none" };

	wire_add_string(item, TAG_PHASE, removal_word(view->phase, view->locked));
	wire_add_string(item, TAG_REMOVAL, words[view->action]);
	wire_add_u32(item, TAG_CARD_IN, view->card_in ? 1 : 0);
	wire_add_u32(item, TAG_LOCKED, view->locked ? 1 : 0);
	if (view->left > 0)
		wire_add_u32(item, TAG_LEFT, view->left);
}

static void send_session(void *context, const struct binding *binding)
{
	cleanup_message struct wire_message *item = NULL;
	const struct listing *listing = context;
	struct peer *peer = listing->peer;
	struct guard_view view;
	char card[17];

	if (!policy_may_administer(peer_uid(peer)) && peer_uid(peer) != binding->uid)
		return;
	item = request_new_item("session");
	if (!item)
		return;
	hex_write(binding->key_id, 8, card);
	wire_add_string(item, TAG_SESSION, binding->session);
	wire_add_string(item, TAG_USER, binding->user);
	wire_add_string(item, TAG_SERVICE, binding->service);
	wire_add_string(item, TAG_CARD_ID, card);
	wire_add_string(item, TAG_READER, binding->reader);
	wire_add_u64(item, TAG_BOUND_AT, binding->since);
	if (guard_look(listing->hygied->guard, binding->session, &view))
		add_view(item, &view);
	peer_send(peer, item);
}

void session_items_send(const struct hygied *hygied, struct peer *peer)
{
	struct listing listing = { hygied, peer };
	int r;

	sessions_prune();
	r = bindings_each(BINDINGS_FOLDER, send_session, &listing);
	if (r < 0)
		log_warning("%s: %s", BINDINGS_FOLDER, error_text(-r));
}
