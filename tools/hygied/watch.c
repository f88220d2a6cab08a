/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One watcher; see watch.h. Changes that come together are told together.
 */
#include "hygied/watch.h"

#include "hygied/guard.h"
#include "hygied/requests.h"
#include "hygied/session.h"
#include "hygied/store_request.h"

struct watch {
	struct hygied *hygied;
	struct peer *peer;
	sd_event_source *later;          /* tells, once the events at hand are served */
	char session[HYGIE_SESSION_MAX]; /* whose locker it is; "" for none */
};

static int on_later(sd_event_source *source, void *userdata)
{
	cleanup_message struct wire_message *end = request_new_item("end");
	struct watch *watch = userdata;

	(void)source;
	if (!end) {
		peer_finish(watch->peer, HYGIE_FAULT, NULL);
		return 0;
	}
	request_send_status(watch->hygied, watch->peer);
	if (watch->session[0])
		store_programs_send(watch->hygied, watch->peer);
	peer_send(watch->peer, end);
	return 0;
}

static void on_sessions_changed(void *self)
{
	struct watch *watch = self;

	if (sd_event_source_set_enabled(watch->later, SD_EVENT_ONESHOT) < 0)
		peer_finish(watch->peer, HYGIE_FAULT, NULL);
}

static void on_card_changed(void *self, enum cards_change change, struct card *card)
{
	(void)change;
	(void)card;
	on_sessions_changed(self);
}

static void watch_free(void *self)
{
	struct watch *watch = self;

	if (watch->session[0])
		guard_locker_left(watch->hygied->guard, watch->session);
	(void)sd_event_source_disable_unref(watch->later);
	free(watch);
}

static const struct dialogue watch_dialogue = {
	.card_changed = on_card_changed,
	.sessions_changed = on_sessions_changed,
	.free = watch_free,
};

void watch_serve(struct hygied *hygied, struct peer *peer,
		 const struct wire_message *request)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	uint32_t flags = 0;

	if (!watch) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	watch->hygied = hygied;
	watch->peer = peer;
	peer_set_dialogue(peer, &watch_dialogue, watch);
	(void)!wire_get_u32(request, TAG_FLAGS, &flags);
	if (sd_event_add_defer(hygied->loop, &watch->later, on_later, watch) < 0) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	if (!(flags & REQUEST_LOCKER))
		return;
	if (session_of_peer(peer_fd(peer), peer_uid(peer), watch->session))
		guard_locker_came(hygied->guard, watch->session);
	else
		peer_finish(peer, HYGIE_REFUSED,
			    N_("This program runs in no session of yours that could be "
			       "locked."));
}
