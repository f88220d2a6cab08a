/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store's keeper: what it is told, and what is heard from it; see open_store.h.
 */
#include "hygied/open_store.h"

#include "hygied/hygied.h"
#include "hygied/session.h"
#include "hygied/stores.h"
#include "hygied/stores_audit.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECRET_MS 5000ull /* no longer than that is a secret kept */
#define RETRY_US 1000000ull

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
	store->retry_timer = sd_event_source_disable_unref(store->retry_timer);
}

/* ---- doing ---- */

/* The keeper cannot be used: what was to be done is given up. */
/* NOLINTNEXTLINE(misc-no-recursion): comes back to open_store_settle() once, shut */
static void lose_keeper(struct open_store *store, enum keeper_event_kind how,
			const char *why)
{
	bool was_open = store->state.phase != STORE_SHUT;

	forget_secret(store);
	forget_keeper(store);
	store->known = store->lives = false;
	store->attempts = 0;
	store->holder_count = 0;
	if (was_open)
		stores_audit(store->name,
			     how == KEEPER_ABSENT ? "store-open" : "store-lost",
			     HYGIE_UNAVAILABLE, why);
	open_store_settle(store, store_state_said(&store->state, how));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/*
 * The connection is lost, and a keeper that lives is not: what it has open stays open, and
 * whoever holds it holds it. The link is made anew: at once, then not as fast as it can be
 * cut, for as long as a keeper may be there. False: no memory for it.
 */
bool open_store_attach_again(struct open_store *store, const char *why)
{
	uint64_t wait = store->attempts++ == 0 ? 0 : RETRY_US;

	forget_keeper(store);
	if (store->attempts <= 2) /* then it is known */
		log_warning("store %s: no connection to its keeper (%s)", store->name,
			    why);
	return sd_event_add_time_relative(store->stores->hygied->loop,
					  &store->retry_timer, CLOCK_MONOTONIC, wait,
					  1000, on_retry, store) >= 0;
}

static void hang_up(struct open_store *store, const char *why)
{
	if (store->state.phase == STORE_SHUT || !open_store_attach_again(store, why))
		lose_keeper(store, KEEPER_GONE, why);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct open_store *store = userdata;
	int r;

	(void)source;
	(void)usec;
	forget_keeper(store);
	r = open_store_attach(store);
	if (r < 0 &&
	    (keeper_is_gone(r) || !open_store_attach_again(store, error_text(-r))))
		lose_keeper(store, KEEPER_GONE, "it is gone");
	return 0;
}

static int on_secret_old(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct open_store *store = userdata;

	(void)source;
	(void)usec;
	lose_keeper(store, KEEPER_ABSENT, "the keeper did not start in time");
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): comes back to open_store_settle() once, shut */
static void give_secret(struct open_store *store)
{
	struct keeper_place place = { .backend = store->backend,
				      .cipher = store->cipher,
				      .mount = store->mount };
	char note[HYGIE_NOTE_MAX];
	size_t size = store_state_write(&store->state, note);
	int r = keeper_open(store->keeper, &place, store->idle, store->secret, note,
			    size);

	forget_secret(store);
	if (r < 0 && !open_store_attach_again(store, error_text(-r)))
		lose_keeper(store, KEEPER_GONE, error_text(-r));
}

/* NOLINTNEXTLINE(misc-no-recursion): comes back to open_store_settle() once, shut */
static void mount(struct open_store *store)
{
	sd_event *loop = store->stores->hygied->loop;
	int r = 0;

	if (!store->secret) {
		stores_audit(store->name, "store-open", HYGIE_TIMED_OUT,
			     "its secret is no longer at hand");
		open_store_settle(store, store_state_failed(&store->state, false));
		return;
	}
	if (store->connected) {
		give_secret(store);
		return;
	}
	store->retry_timer = sd_event_source_disable_unref(store->retry_timer);
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
	open_store_settle(store, store_state_due(&store->state, boottime_now()));
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

/* What is not connected is told when it is: store_state_told() and _said(). */
/* NOLINTNEXTLINE(misc-no-recursion): comes back to open_store_settle() once, shut */
static void order_close(struct open_store *store)
{
	int r;

	stores_audit(store->name, "store-close", HYGIE_OK, "nobody holds it any more");
	if (!store->connected)
		return;
	r = keeper_close(store->keeper, store->stores->hygied->settings.store.hard_limit);
	if (r < 0 && !open_store_attach_again(store, error_text(-r)))
		log_error("store %s: its keeper takes no order", store->name);
}

/* After each step: does what it came to. */
/* NOLINTNEXTLINE(misc-no-recursion): comes back to open_store_settle() once, shut */
void open_store_settle(struct open_store *store, enum store_act act)
{
	struct stores *stores = store->stores;

	if (act == STORE_CLOSE)
		order_close(store);
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
static enum store_act begin_with(struct open_store *store,
				 const struct keeper_event *event)
{
	struct store_state mine = store->state;
	enum store_act act;

	store->state = (struct store_state){ .count = 0 };
	act = take_over(store, event);
	for (size_t i = 0; i < mine.count; i++)
		if (store_state_prove(&store->state, &mine.references[i]) == STORE_MOUNT)
			act = STORE_MOUNT;
	return act;
}

/*
 * A closing came to its end. That is told whatever is wanted by now: a proof may have crossed
 * it, and have the store opened anew.
 */
static void tell_closed(struct open_store *store, enum keeper_failure failure)
{
	if (!store->lives)
		return;
	store->lives = false;
	stores_audit(store->name, "store-closed", stores_closed_outcome(failure),
		     failure ? stores_failure_word(failure) : NULL);
}

/* What it has become while we did not hear, or did not understand each other. */
static enum store_act go_on_with(struct open_store *store,
				 const struct keeper_event *event)
{
	enum store_phase before = store->state.phase, phase = phase_of(event->state);
	enum store_act act =
		store_state_told(&store->state, phase, store->secret != NULL);

	log_info("store %s is %s", store->name, event->state);
	if (phase == STORE_SHUT)
		tell_closed(store, 0);
	if (store->state.phase == STORE_SHUT && before == STORE_OPENING)
		stores_audit(store->name, "store-open", HYGIE_FAULT, "it did not open");
	return act;
}

static void take_state(struct open_store *store, const struct keeper_event *event)
{
	enum store_act act;

	store->connected = true;
	store->attempts = 0;
	store->since = event->since;
	take_holders(store, event);
	act = store->known ? go_on_with(store, event) : begin_with(store, event);
	store->known = true;
	store->lives = phase_of(event->state) == STORE_OPEN ||
		       phase_of(event->state) == STORE_CLOSING;
	if (act != STORE_MOUNT)
		forget_secret(store);
	open_store_settle(store, act);
	find_cards(store->stores);
}

static void take_opened(struct open_store *store)
{
	bool opening = store->state.phase == STORE_OPENING;

	store->since = (uint64_t)time(NULL);
	store->holder_count = 0;
	store->lives = true;
	if (opening)
		stores_audit(store->name, "store-open", HYGIE_OK, store->mount);
	open_store_settle(store, store_state_said(&store->state, KEEPER_OPENED));
}

static void take_closed(struct open_store *store, enum keeper_failure failure)
{
	tell_closed(store, failure);
	store->holder_count = 0;
	open_store_settle(store, store_state_said(&store->state, KEEPER_CLOSED));
}

static void take_idle(struct open_store *store)
{
	enum store_act act = store_state_idle(
		&store->state, monotonic_now() - store->proved, store->idle * 1000000ull);

	if (act == STORE_NOTHING)
		return;
	stores_audit(store->name, "store-idle", HYGIE_OK, "nobody used it");
	open_store_settle(store, act);
}

static void ask(struct open_store *store)
{
	if (keeper_ask(store->keeper) < 0)
		hang_up(store, "it takes no order");
}

/*
 * An opening that came to nothing. KEEPER_WRONG_TIME: the store is still being closed, and
 * the key lives; what it is in is asked, rather than thought.
 */
static void take_failed(struct open_store *store, const struct keeper_event *event)
{
	log_warning("store %s: %s", store->name, event->text);
	if (store->state.phase != STORE_OPENING)
		return;
	stores_audit(store->name, "store-open", HYGIE_FAULT,
		     stores_failure_word(event->failure));
	open_store_settle(store, store_state_failed(&store->state,
						    event->failure == KEEPER_WRONG_TIME));
	if (event->failure == KEEPER_WRONG_TIME)
		ask(store);
}

static void on_keeper(void *context, const struct keeper_event *event)
{
	struct open_store *store = context;

	switch (event->kind) {
	case KEEPER_CONNECTED:
		ask(store);
		break;
	case KEEPER_ABSENT:
		lose_keeper(store, event->kind, event->text);
		break;
	case KEEPER_GONE:
		hang_up(store, event->text);
		break;
	case KEEPER_STATE:
		take_state(store, event);
		break;
	case KEEPER_OPENED:
		take_opened(store);
		break;
	case KEEPER_FAILED:
		take_failed(store, event);
		break;
	case KEEPER_BUSY:
		take_holders(store, event);
		stores_audit_holders(store->name, "store-busy", store->holders,
				     store->holder_count);
		open_store_settle(store, store_state_said(&store->state, KEEPER_BUSY));
		break;
	case KEEPER_IDLE:
		take_idle(store);
		break;
	case KEEPER_FORCED:
		stores_audit_holders(store->name, "store-forced", event->holders,
				     event->holder_count);
		break;
	case KEEPER_CLOSED:
		take_closed(store, event->failure);
		break;
	default:
		break;
	}
}

int open_store_attach(struct open_store *store)
{
	return keeper_attach(store->stores->hygied->loop, store->name, on_keeper, store,
			     &store->keeper);
}

void open_store_take_secret(struct open_store *store, struct secret *secret)
{
	forget_secret(store);
	store->secret = secret;
}

void open_store_free(struct open_store *store)
{
	forget_secret(store);
	forget_keeper(store);
	(void)sd_event_source_disable_unref(store->due_timer);
	free(store);
}
