/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open stores; see stores.h.
 */
#include "hygied/stores.h"

#include "hygied/hygied.h"
#include "hygied/open_store.h"
#include "hygied/policy.h"
#include "hygied/store_stage.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TICKET_MS 60000ull /* as ticket.c has it */

static void drop(struct open_store *store)
{
	struct open_store **link = &store->stores->first;

	while (*link != store)
		link = &(*link)->next;
	*link = store->next;
	open_store_free(store);
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
	if (store->reserved) { /* since the PIN was typed */
		secret_free(secret);
		log_warning("store %s: it is being reencrypted, and not opened",
			    from->name);
		return;
	}
	store->backend = from->backend;
	(void)snprintf(store->cipher, sizeof(store->cipher), "%s", from->cipher);
	(void)snprintf(store->mount, sizeof(store->mount), "%s", from->mount);
	store->idle = from->idle;
	store->proved = monotonic_now();
	act = store_state_prove(&store->state, reference);
	/* Otherwise it is open, or another login's secret is on its way. */
	if (act == STORE_MOUNT) {
		open_store_take_secret(store, secret);
	} else {
		secret_free(secret);
	}
	open_store_settle(store, act);
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
			open_store_settle(store, STORE_NOTHING);
		} else {
			open_store_settle(store, store_state_end(&store->state, key));
		}
	}
}

void stores_session_ended(struct stores *stores, const char *session)
{
	struct open_store *next;

	for (struct open_store *store = stores ? stores->first : NULL; store;
	     store = next) {
		next = store->next;
		open_store_settle(store, store_state_end(&store->state, session));
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
	open_store_settle(store, store_state_due(&store->state, boottime_now()));
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

static void view_write(const struct open_store *store, struct store_view *ret_view)
{
	static const char *const words[] = {
		[STORE_SHUT] = KEEPER_STATE_SHUT,
		[STORE_OPENING] = KEEPER_STATE_OPENING,
		[STORE_OPEN] = KEEPER_STATE_OPEN,
		[STORE_CLOSING] = KEEPER_STATE_CLOSING,
	};

	*ret_view = (struct store_view){
		.state = store->reserved ? STORE_STATE_REENCRYPTING
					 : words[store->state.phase],
		.since = store->state.phase == STORE_OPEN ||
					 store->state.phase == STORE_CLOSING
				 ? store->since
				 : 0,
		.references = store->state.count,
		.holders = store->holders,
		.holder_count = store->holder_count,
	};
}

bool stores_look(const struct stores *stores, const char *name,
		 struct store_view *ret_view)
{
	const struct open_store *store = stores ? find(stores, name) : NULL;

	if (store)
		view_write(store, ret_view);
	return store;
}

bool stores_at(const struct stores *stores, size_t index, const char **ret_name,
	       struct store_view *ret_view)
{
	const struct open_store *store = stores ? stores->first : NULL;

	while (store && index-- > 0)
		store = store->next;
	if (!store)
		return false;
	*ret_name = store->name;
	view_write(store, ret_view);
	return true;
}

int stores_reserve(struct stores *stores, const char *name)
{
	struct open_store *store = stores ? find(stores, name) : NULL;

	if (store && store->reserved)
		return -EALREADY;
	/* A keeper that has not said yet what it has open may have it open. */
	if (store && (store->state.phase != STORE_SHUT ||
		      ((store->keeper || store->retry_timer) && !store->known)))
		return -EBUSY;
	if (stores && !store)
		store = add(stores, name);
	if (!store)
		return -ENOMEM;
	store->reserved = true;
	return 0;
}

void stores_release(struct stores *stores, const char *name)
{
	struct open_store *store = stores ? find(stores, name) : NULL;

	if (store)
		store->reserved = false;
}

bool stores_is_reserved(const struct stores *stores, const char *name)
{
	const struct open_store *store = stores ? find(stores, name) : NULL;

	return store && store->reserved;
}

void stores_users(const struct stores *stores, const char *name, char *ret_users,
		  size_t size)
{
	const struct open_store *store = stores ? find(stores, name) : NULL;
	char user[HYGIE_USER_MAX];
	size_t used = 0;

	(void)snprintf(ret_users, size, "-");
	for (size_t i = 0; store && i < store->state.count; i++) {
		const struct store_reference *one = &store->state.references[i];
		bool told = false;

		for (size_t j = 0; j < i; j++)
			told = told || store->state.references[j].uid == one->uid;
		if (told || !policy_user_name(one->uid, user, sizeof(user)) ||
		    used + strlen(user) + 3 > size)
			continue;
		used += (size_t)snprintf(ret_users + used, size - used, "%s%s",
					 used ? ", " : "", user);
	}
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
		held += store->state.count < before || act == STORE_CLOSE;
		open_store_settle(store, act);
	}
	return held;
}

/* ---- beginning and end ---- */

static void attach(void *context, const char *name)
{
	struct stores *stores = context;
	struct open_store *store = add(stores, name);
	cleanup_store struct store *from = NULL;
	int r = store ? open_store_attach(store) : -ENOMEM;

	if (r < 0 && (!store || keeper_is_gone(r) ||
		      !open_store_attach_again(store, error_text(-r)))) {
		if (!keeper_is_gone(r))
			log_warning("store %s: its keeper: %s", name, error_text(-r));
		if (store)
			drop(store);
		return;
	}
	if (store_load(STORE_FOLDER, name, &from, NULL) == 0) {
		store->backend = from->backend;
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
	store_stages_settle();
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
