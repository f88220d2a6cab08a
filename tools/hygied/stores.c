/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open stores; see stores.h.
 */
#include "hygied/stores.h"

#include "hygied/hygied.h"
#include "hygied/session.h"
#include "hygied/store_state.h"
#include "hygied/stores_audit.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECRET_MS 5000ull  /* no longer than that is a secret kept */
#define TICKET_MS 60000ull /* as ticket.c has it */

struct open_store {
	struct stores *stores;
	struct open_store *next;
	char name[STORE_NAME_MAX + 1];
	char cipher[STORE_PATH_SIZE], mount[STORE_PATH_SIZE];
	struct store_state state;
	struct keeper *keeper;
	bool connected;        /* and it has said what it has open */
	struct secret *secret; /* until the keeper has it */
	sd_event_source *secret_timer, *due_timer;
	uint64_t since;
	struct keeper_holder holders[HYGIE_HOLDERS_TOLD];
	size_t holder_count;
};

struct stores {
	struct hygied *hygied;
	struct open_store *first;
	void (*changed)(void *context);
	void *context;
};

static void on_keeper(void *context, const struct keeper_event *event);

static void forget_secret(struct open_store *store)
{
	secret_free(store->secret);
	store->secret = NULL;
	store->secret_timer = sd_event_source_disable_unref(store->secret_timer);
}

static void forget_keeper(struct open_store *store)
{
	keeper_free(store->keeper);
	store->keeper = NULL;
	store->connected = false;
	store->holder_count = 0;
}

static void drop(struct open_store *store)
{
	struct open_store **link = &store->stores->first;

	while (*link != store)
		link = &(*link)->next;
	*link = store->next;
	forget_secret(store);
	forget_keeper(store);
	(void)sd_event_source_disable_unref(store->due_timer);
	free(store);
}

static struct open_store *find(const struct stores *stores, const char *name)
{
	struct open_store *store = stores->first;

	while (store && strcmp(store->name, name) != 0)
		store = store->next;
	return store;
}

static struct open_store *add(struct stores *stores, const char *name)
{
	struct open_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->stores = stores;
	(void)snprintf(store->name, sizeof(store->name), "%s", name);
	store->next = stores->first;
	stores->first = store;
	return store;
}

/* ---- doing ---- */

static void settle(struct open_store *store, enum store_act act);

/* The keeper cannot be used: what was to be done is given up. */
/* NOLINTNEXTLINE(misc-no-recursion): comes back to settle() once, shut */
static void lose_keeper(struct open_store *store, enum keeper_event_kind how,
			const char *why)
{
	bool was_open = store->state.phase != STORE_SHUT;

	forget_secret(store);
	forget_keeper(store);
	if (was_open)
		stores_audit(store->name,
			     how == KEEPER_ABSENT ? "store-open" : "store-lost",
			     HYGIE_UNAVAILABLE, why);
	settle(store, store_state_said(&store->state, how));
}

static int on_secret_old(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct open_store *store = userdata;

	(void)source;
	(void)usec;
	lose_keeper(store, KEEPER_ABSENT, "the keeper did not start in time");
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): comes back to settle() once, shut */
static void give_secret(struct open_store *store)
{
	struct keeper_place place = { .cipher = store->cipher, .mount = store->mount };
	char note[HYGIE_NOTE_MAX];
	size_t size = store_state_write(&store->state, note);
	int r = keeper_open(store->keeper, &place, store->secret, note, size);

	forget_secret(store);
	if (r < 0)
		lose_keeper(store, KEEPER_GONE, error_text(-r));
}

/* NOLINTNEXTLINE(misc-no-recursion): comes back to settle() once, shut */
static void mount(struct open_store *store)
{
	sd_event *loop = store->stores->hygied->loop;
	int r = 0;

	if (!store->secret)
		return;
	if (store->connected) {
		give_secret(store);
		return;
	}
	if (!store->keeper)
		r = keeper_start(loop, store->name, on_keeper, store, &store->keeper);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &store->secret_timer,
					       CLOCK_MONOTONIC, SECRET_MS * 1000, 1000,
					       on_secret_old, store);
	if (r < 0)
		lose_keeper(store, KEEPER_ABSENT, error_text(-r));
}

static void write_note(const struct open_store *store)
{
	char note[HYGIE_NOTE_MAX];
	size_t size = store_state_write(&store->state, note);

	if (store->connected && store->state.phase != STORE_SHUT &&
	    keeper_note(store->keeper, note, size) < 0)
		log_warning("store %s: its keeper takes no note", store->name);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct open_store *store = userdata;

	(void)source;
	(void)usec;
	store->due_timer = sd_event_source_disable_unref(store->due_timer);
	settle(store, store_state_due(&store->state, boottime_now()));
	return 0;
}

static void set_due_timer(struct open_store *store)
{
	uint64_t next = store_state_next(&store->state);

	store->due_timer = sd_event_source_disable_unref(store->due_timer);
	if (next && sd_event_add_time(store->stores->hygied->loop, &store->due_timer,
				      CLOCK_BOOTTIME, next, 1000, on_due, store) < 0)
		log_error("store %s: no memory for a timer", store->name);
}

/* After each step: does what it came to. */
/* NOLINTNEXTLINE(misc-no-recursion): comes back to settle() once, shut */
static void settle(struct open_store *store, enum store_act act)
{
	struct stores *stores = store->stores;

	if (act == STORE_CLOSE) {
		stores_audit(store->name, "store-close", HYGIE_OK,
			     "nobody holds it any more");
		if (!store->connected || keeper_close(store->keeper) < 0)
			log_error("store %s: its keeper takes no order", store->name);
	}
	set_due_timer(store);
	if (act == STORE_MOUNT)
		mount(store); /* may come back here, shut */
	else
		write_note(store);
	stores->changed(stores->context);
}

/* ---- hearing ---- */

static void take_holders(struct open_store *store, const struct keeper_event *event)
{
	store->holder_count = event->holder_count;
	memcpy(store->holders, event->holders, sizeof(store->holders));
}

/* Sessions that ended while nobody was here; cards have the grace to show themselves. */
static enum store_act catch_up(struct open_store *store)
{
	uint64_t due =
		boottime_now() + store->stores->hygied->settings.store.grace * 1000ull;

	for (size_t i = store->state.count; i-- > 0;) {
		struct store_reference one = store->state.references[i];

		store_state_card_out(&store->state, one.card, due);
		if (one.session[0] == STORE_TICKET || session_lasts(one.session, one.uid))
			continue;
		if (store_state_end(&store->state, one.session) == STORE_CLOSE)
			return STORE_CLOSE;
	}
	return store_state_due(&store->state, boottime_now());
}

static void find_cards(struct stores *stores)
{
	const struct card *card;

	for (size_t i = 0;
	     stores->hygied->cards && (card = cards_at(stores->hygied->cards, i)); i++)
		stores_card_changed(stores, CARDS_CHANGED, card);
}

static enum store_phase phase_of(const char *state)
{
	if (strcmp(state, KEEPER_STATE_SHUT) == 0)
		return STORE_SHUT;
	if (strcmp(state, KEEPER_STATE_CLOSING) == 0)
		return STORE_CLOSING;
	return strcmp(state, KEEPER_STATE_OPENING) == 0 ? STORE_OPENING : STORE_OPEN;
}

/* From before we began: what is open, and who holds it. */
static enum store_act take_over(struct open_store *store,
				const struct keeper_event *event)
{
	store->state.phase = phase_of(event->state);
	if (store->state.phase == STORE_SHUT)
		return STORE_NOTHING;
	log_info("store %s is %s already", store->name, event->state);
	if (store->state.phase == STORE_CLOSING)
		return STORE_NOTHING;
	if (store_state_read(&store->state, event->note, event->note_size) < 0)
		log_error("store %s: the note of its keeper makes no sense: it is closed",
			  store->name);
	return catch_up(store);
}

/* The first that a keeper says; a login may have come before it. */
static void take_state(struct open_store *store, const struct keeper_event *event)
{
	struct store_state mine = store->state;
	enum store_act act;

	store->connected = true;
	store->since = event->since;
	take_holders(store, event);
	store->state = (struct store_state){ .count = 0 };
	act = take_over(store, event);
	for (size_t i = 0; i < mine.count; i++)
		if (store_state_prove(&store->state, &mine.references[i]) == STORE_MOUNT)
			act = STORE_MOUNT;
	if (act != STORE_MOUNT)
		forget_secret(store);
	settle(store, act);
	find_cards(store->stores);
}

static void take_opened(struct open_store *store)
{
	bool opening = store->state.phase == STORE_OPENING;

	store->since = (uint64_t)time(NULL);
	store->holder_count = 0;
	if (opening)
		stores_audit(store->name, "store-open", HYGIE_OK, store->mount);
	settle(store, store_state_said(&store->state, KEEPER_OPENED));
}

static void take_closed(struct open_store *store, enum keeper_failure failure)
{
	/* While it opens anew: of the closing before. */
	if (store->state.phase != STORE_OPENING)
		stores_audit(store->name, "store-closed",
			     failure ? HYGIE_FAULT : HYGIE_OK,
			     failure ? stores_failure_word(failure) : NULL);
	store->holder_count = 0;
	settle(store, store_state_said(&store->state, KEEPER_CLOSED));
}

static void take_connected(struct open_store *store)
{
	if (keeper_ask(store->keeper) < 0)
		lose_keeper(store, KEEPER_GONE, "it takes no order");
}

static void on_keeper(void *context, const struct keeper_event *event)
{
	struct open_store *store = context;

	switch (event->kind) {
	case KEEPER_CONNECTED:
		take_connected(store);
		break;
	case KEEPER_ABSENT:
	case KEEPER_GONE:
		lose_keeper(store, event->kind, event->text);
		break;
	case KEEPER_STATE:
		take_state(store, event);
		break;
	case KEEPER_OPENED:
		take_opened(store);
		break;
	case KEEPER_FAILED:
		log_warning("store %s: %s", store->name, event->text);
		if (store->state.phase == STORE_OPENING)
			stores_audit(store->name, "store-open", HYGIE_FAULT,
				     stores_failure_word(event->failure));
		settle(store, store_state_said(&store->state, KEEPER_FAILED));
		break;
	case KEEPER_BUSY:
		take_holders(store, event);
		stores_audit_busy(store->name, store->holders, store->holder_count);
		settle(store, store_state_said(&store->state, KEEPER_BUSY));
		break;
	case KEEPER_CLOSED:
		take_closed(store, event->failure);
		break;
	default:
		break;
	}
}

/* ---- what happens ---- */

static void ticket_key(const char *ticket, char ret_key[HYGIE_SESSION_MAX])
{
	(void)snprintf(ret_key, HYGIE_SESSION_MAX, "%c%.40s", STORE_TICKET, ticket);
}

static void open_one(struct stores *stores, const struct store *from,
		     struct secret *secret, const struct store_reference *reference)
{
	struct open_store *store = find(stores, from->name);
	enum store_act act;

	if (!store)
		store = add(stores, from->name);
	if (!store) {
		secret_free(secret);
		log_error("store %s: no memory to open it", from->name);
		return;
	}
	(void)snprintf(store->cipher, sizeof(store->cipher), "%s", from->cipher);
	(void)snprintf(store->mount, sizeof(store->mount), "%s", from->mount);
	act = store_state_prove(&store->state, reference);
	/* Otherwise it is open, or another login's secret is on its way. */
	if (act == STORE_MOUNT) {
		forget_secret(store);
		store->secret = secret;
	} else {
		secret_free(secret);
	}
	settle(store, act);
}

void stores_open(struct stores *stores, struct store_plan *plan,
		 const struct binding *binding, const char *ticket)
{
	struct store_reference reference = { .uid = binding->uid };
	const struct store *from;

	if (!stores)
		return;
	memcpy(reference.card, binding->key_id, sizeof(reference.card));
	if (ticket) {
		ticket_key(ticket, reference.session);
		reference.due = boottime_now() + TICKET_MS * 1000;
	} else {
		memcpy(reference.session, binding->session, sizeof(reference.session));
	}
	for (size_t i = 0; (from = store_plan_store(plan, i)); i++) {
		struct secret *secret = store_plan_secret(plan, i);

		if (secret)
			open_one(stores, from, secret, &reference);
	}
}

void stores_redeem(struct stores *stores, const char *ticket, const char *session)
{
	char key[HYGIE_SESSION_MAX];
	struct open_store *next;

	ticket_key(ticket, key);
	for (struct open_store *store = stores ? stores->first : NULL; store;
	     store = next) {
		next = store->next;
		if (session[0]) {
			store_state_adopt(&store->state, key, session);
			settle(store, STORE_NOTHING);
		} else {
			settle(store, store_state_end(&store->state, key));
		}
	}
}

void stores_session_ended(struct stores *stores, const char *session)
{
	struct open_store *next;

	for (struct open_store *store = stores ? stores->first : NULL; store;
	     store = next) {
		next = store->next;
		settle(store, store_state_end(&store->state, session));
	}
}

static bool concerns(const struct open_store *store, const struct card *card)
{
	struct card_mark mark;

	for (size_t i = 0; i < store->state.count; i++)
		if (card_has_key(card, store->state.references[i].card, &mark))
			return true;
	return false;
}

static void card_moved(struct open_store *store, const struct card *card, bool out)
{
	uint64_t due =
		boottime_now() + store->stores->hygied->settings.store.grace * 1000ull;
	struct card_mark mark;

	for (size_t i = 0; i < store->state.count; i++) {
		const uint8_t *key = store->state.references[i].card;

		if (!card_has_key(card, key, &mark))
			continue;
		if (out)
			store_state_card_out(&store->state, key, due);
		else
			store_state_card_in(&store->state, key);
	}
	settle(store, store_state_due(&store->state, boottime_now()));
}

void stores_card_changed(struct stores *stores, enum cards_change change,
			 const struct card *card)
{
	bool out = change == CARDS_LEAVING;
	struct open_store *next;

	if (!out && card_state(card) != CARD_READY)
		return;
	for (struct open_store *store = stores ? stores->first : NULL; store;
	     store = next) {
		next = store->next;
		if (concerns(store, card))
			card_moved(store, card, out);
	}
}

bool stores_are_opening(const struct stores *stores, const char *session)
{
	for (const struct open_store *store = stores ? stores->first : NULL; store;
	     store = store->next)
		for (size_t i = 0; i < store->state.count; i++)
			if (store->state.phase == STORE_OPENING &&
			    strcmp(store->state.references[i].session, session) == 0)
				return true;
	return false;
}

bool stores_look(const struct stores *stores, const char *name,
		 struct store_view *ret_view)
{
	static const char *const words[] = {
		[STORE_SHUT] = KEEPER_STATE_SHUT,
		[STORE_OPENING] = KEEPER_STATE_OPENING,
		[STORE_OPEN] = KEEPER_STATE_OPEN,
		[STORE_CLOSING] = KEEPER_STATE_CLOSING,
	};
	const struct open_store *store = stores ? find(stores, name) : NULL;

	if (!store)
		return false;
	*ret_view = (struct store_view){
		.state = words[store->state.phase],
		.since = store->state.phase == STORE_OPEN ||
					 store->state.phase == STORE_CLOSING
				 ? store->since
				 : 0,
		.references = store->state.count,
		.holders = store->holders,
		.holder_count = store->holder_count,
	};
	return true;
}

size_t stores_close(struct stores *stores, const char *name, bool all, uid_t uid)
{
	struct open_store *next;
	size_t held = 0;

	for (struct open_store *store = stores ? stores->first : NULL; store;
	     store = next) {
		size_t before = store->state.count;
		enum store_act act;

		next = store->next;
		if (name && strcmp(name, store->name) != 0)
			continue;
		act = store_state_close(&store->state, all, uid);
		held += store->state.count < before;
		settle(store, act);
	}
	return held;
}

/* ---- beginning and end ---- */

static void attach(void *context, const char *name)
{
	struct stores *stores = context;
	struct open_store *store = add(stores, name);
	cleanup_store struct store *from = NULL;
	int r = store ? keeper_attach(stores->hygied->loop, name, on_keeper, store,
				      &store->keeper)
		      : -ENOMEM;

	if (r < 0) {
		if (r != -ECONNREFUSED)
			log_warning("store %s: its keeper: %s", name, error_text(-r));
		if (store)
			drop(store);
		return;
	}
	if (store_load(STORE_FOLDER, name, &from, NULL) == 0) {
		(void)snprintf(store->cipher, sizeof(store->cipher), "%s", from->cipher);
		(void)snprintf(store->mount, sizeof(store->mount), "%s", from->mount);
	}
}

int stores_start(struct hygied *hygied, void (*changed)(void *context), void *context,
		 struct stores **ret_stores)
{
	struct stores *stores = calloc(1, sizeof(*stores));
	int r;

	if (!stores)
		return -ENOMEM;
	stores->hygied = hygied;
	stores->changed = changed;
	stores->context = context;
	r = keepers_each(attach, stores);
	if (r < 0)
		log_warning("%s: %s", KEEPER_FOLDER, error_text(-r));
	*ret_stores = stores;
	return 0;
}

void stores_free(struct stores *stores)
{
	if (!stores)
		return;
	while (stores->first)
		drop(stores->first);
	free(stores);
}
