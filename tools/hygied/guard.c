/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions that are watched; see guard.h.
 */
#include "hygied/guard.h"

#include "hygied/guard_audit.h"
#include "hygied/hygied.h"
#include "hygied/logind.h"
#include "hygied/policy.h"
#include "hygied/session.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOCKERS_MAX 256

/* A card opened it, or (bound false) somebody asked for its lock only. */
struct guarded {
	struct guard *guard;
	struct guarded *next;
	struct binding binding;
	bool bound;
	struct removal removal;
	struct session_facts facts;
	enum removal_action wanted; /* the site's for this user */
	struct card_mark mark;      /* of the card that left, when marked */
	bool marked;
	sd_event_source *timer;
};

struct guard {
	struct hygied *hygied;
	struct logind *logind;
	struct guarded *first;
	bool sleeping; /* the machine wants to, and waits for us */
	char lockers[LOCKERS_MAX][HYGIE_SESSION_MAX]; /* the sessions that have one */
	size_t locker_count;
	void (*changed)(void *context);
	void *context;
};

static void step(struct guarded *guarded, enum removal_event event);

static struct guarded *find(const struct guard *guard, const char *session)
{
	struct guarded *guarded = guard->first;

	while (guarded && strcmp(guarded->binding.session, session) != 0)
		guarded = guarded->next;
	return guarded;
}

static bool is_lockable(const struct guarded *guarded)
{
	const struct guard *guard = guarded->guard;

	for (size_t i = 0; i < guard->locker_count; i++)
		if (strcmp(guard->lockers[i], guarded->binding.session) == 0)
			return true;
	return guarded->facts.graphical ||
	       guard->hygied->settings.removal.text_action == REMOVAL_BY_LOCK;
}

/* What no locker covers cannot be locked: there the site's other word holds. */
static struct removal_rule rule_of(const struct guarded *guarded)
{
	const struct settings_removal *settings =
		&guarded->guard->hygied->settings.removal;
	struct removal_rule rule = {
		.action = guarded->wanted,
		.grace = settings->grace,
		.lock_timeout = settings->lock_timeout,
		.card_return = settings->card_return,
		.escalate_by_logout = settings->escalation == ESCALATE_BY_LOGOUT,
		.lock_without_card = settings->relock,
	};

	if (rule.action == REMOVAL_BY_LOCK && !is_lockable(guarded))
		rule.action = (enum removal_action)settings->text_action;
	return rule;
}

static void drop(struct guarded *guarded)
{
	struct guarded **link = &guarded->guard->first;

	while (*link != guarded)
		link = &(*link)->next;
	*link = guarded->next;
	(void)sd_event_source_disable_unref(guarded->timer);
	free(guarded);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct guarded *guarded = userdata;

	(void)source;
	(void)usec;
	guarded->timer = sd_event_source_disable_unref(guarded->timer);
	step(guarded, REMOVAL_DUE);
	return 0;
}

/* Without memory for a timer nothing may be waited for: it is due now. */
static void set_timer(struct guarded *guarded)
{
	guarded->timer = sd_event_source_disable_unref(guarded->timer);
	if (guarded->removal.due == 0)
		return;
	if (sd_event_add_time(guarded->guard->hygied->loop, &guarded->timer,
			      CLOCK_BOOTTIME, guarded->removal.due, 1000, on_due,
			      guarded) < 0)
		log_error("session %s: no memory for a timer", guarded->binding.session);
}

static void let_sleep(struct guard *guard)
{
	const struct guarded *guarded = guard->first;

	while (guarded && guarded->removal.phase != REMOVAL_LOCKING)
		guarded = guarded->next;
	if (!guard->sleeping || guarded)
		return;
	guard->sleeping = false;
	logind_let_sleep(guard->logind);
}

static void escalate(struct guarded *guarded)
{
	log_error("session %s of %s was not seen to lock", guarded->binding.session,
		  guarded->binding.user);
	if (guarded->facts.seat[0])
		logind_show_greeter(guarded->guard->logind, guarded->facts.seat);
}

static void act(struct guarded *guarded, enum removal_act what)
{
	struct logind *logind = guarded->guard->logind;
	const char *session = guarded->binding.session;

	switch (what) {
	case REMOVAL_LOCK:
		logind_lock(logind, session);
		break;
	case REMOVAL_ESCALATE:
		escalate(guarded);
		break;
	case REMOVAL_END:
		logind_terminate(logind, session);
		break;
	case REMOVAL_KILL:
		logind_kill(logind, session);
		break;
	default:
		break;
	}
}

/* One that was only locked by request needs no more watching once it is seen. */
static bool is_over(const struct guarded *guarded, enum removal_act what)
{
	return what == REMOVAL_RELEASE ||
	       (!guarded->bound && (guarded->removal.phase == REMOVAL_SETTLED ||
				    guarded->removal.phase == REMOVAL_ESCALATED));
}

static void step(struct guarded *guarded, enum removal_event event)
{
	struct guard *guard = guarded->guard;
	struct removal_rule rule = rule_of(guarded);
	uint64_t moment = boottime_now();
	enum removal_act what;

	what = removal_step(&guarded->removal, &rule, event, moment);
	act(guarded, what); /* first of all */
	set_timer(guarded);
	guard_audit(&guarded->binding, &guarded->removal, what, moment);
	if (what == REMOVAL_RELEASE)
		(void)binding_remove(BINDINGS_FOLDER, guarded->binding.session);
	if (is_over(guarded, what))
		drop(guarded);
	let_sleep(guard);
	guard->changed(guard->context);
}

static int guard_add(struct guard *guard, const struct binding *binding,
		     struct guarded **ret_guarded)
{
	struct guarded *guarded = calloc(1, sizeof(*guarded));

	if (!guarded)
		return -ENOMEM;
	guarded->guard = guard;
	guarded->binding = *binding;
	removal_begin(&guarded->removal);
	guarded->next = guard->first;
	guard->first = guarded;
	*ret_guarded = guarded;
	return 0;
}

/* What may have changed since: the user's groups, the session's type and seat. */
static void learn(struct guarded *guarded)
{
	if (session_facts(guarded->binding.session, &guarded->facts) < 0)
		log_info("session %s: logind tells nothing of it",
			 guarded->binding.session);
	guarded->wanted =
		settings_removal_action(&guarded->guard->hygied->settings,
					guarded->binding.user, policy_is_member);
	logind_ask_locked(guarded->guard->logind, guarded->binding.session);
}

/* A card may be pulled between its proof and the session that it opens. */
static bool is_in(const struct cards *cards, const struct binding *binding)
{
	struct card_mark mark;
	const struct card *card;

	for (size_t i = 0; (card = cards_at(cards, i)); i++)
		if (card_has_key(card, binding->key_id, &mark))
			return true;
	return false;
}

void guard_bind(struct guard *guard, const struct binding *binding)
{
	struct guarded *guarded = find(guard, binding->session);

	if (!guarded && guard_add(guard, binding, &guarded) < 0) {
		log_error("session %s: no memory to watch it: it is locked",
			  binding->session);
		logind_lock(guard->logind, binding->session);
		return;
	}
	guarded->binding = *binding;
	guarded->bound = true;
	guarded->marked = false;
	learn(guarded);
	step(guarded, REMOVAL_PROVEN);
	if (!is_in(guard->hygied->cards, binding))
		step(guarded, REMOVAL_CARD_OUT);
}

void guard_release(struct guard *guard, const char *session)
{
	struct guarded *guarded = find(guard, session);

	(void)binding_remove(BINDINGS_FOLDER, session);
	stores_session_ended(guard->hygied->stores, session);
	if (!guarded)
		return;
	drop(guarded);
	let_sleep(guard);
	guard->changed(guard->context);
}

bool guard_lock(struct guard *guard, const char *session)
{
	struct guarded *guarded = find(guard, session);
	struct binding binding = { .uid = 0 };

	if (!guarded) {
		memcpy(binding.session, session, strlen(session) + 1);
		if (guard_add(guard, &binding, &guarded) < 0) {
			logind_lock(guard->logind, session);
			return true;
		}
		learn(guarded);
	}
	if (!is_lockable(guarded)) {
		if (!guarded->bound)
			drop(guarded);
		return false;
	}
	step(guarded, REMOVAL_ASKED);
	return true;
}

bool guard_look(const struct guard *guard, const char *session,
		struct guard_view *ret_view)
{
	const struct guarded *guarded = find(guard, session);
	uint64_t moment = boottime_now();

	if (!guarded)
		return false;
	*ret_view = (struct guard_view){
		.phase = guarded->removal.phase,
		.action = rule_of(guarded).action,
		.card_in = guarded->removal.card_in,
		.locked = guarded->removal.locked,
	};
	if (guarded->removal.phase == REMOVAL_GRACE && guarded->removal.due > moment)
		ret_view->left = (unsigned)((guarded->removal.due - moment) / 1000);
	return true;
}

void guard_locker_came(struct guard *guard, const char *session)
{
	if (guard->locker_count == LOCKERS_MAX)
		return;
	(void)snprintf(guard->lockers[guard->locker_count++], HYGIE_SESSION_MAX, "%s",
		       session);
	guard->changed(guard->context);
}

void guard_locker_left(struct guard *guard, const char *session)
{
	size_t i = 0;

	while (i < guard->locker_count && strcmp(guard->lockers[i], session) != 0)
		i++;
	if (i == guard->locker_count)
		return;
	memmove(guard->lockers[i], guard->lockers[--guard->locker_count],
		HYGIE_SESSION_MAX);
	guard->changed(guard->context);
}

/* The card that is out is told from a copy of its certificate with another serial. */
static void on_leaving(struct guarded *guarded, const struct card *card)
{
	struct card_mark mark;

	if (!card_has_key(card, guarded->binding.key_id, &mark))
		return;
	guarded->mark = mark;
	guarded->marked = true;
	step(guarded, cards_service_is_up(guarded->guard->hygied->cards)
			      ? REMOVAL_CARD_OUT
			      : REMOVAL_CARD_DOUBTED);
}

static void on_ready(struct guarded *guarded, const struct card *card)
{
	struct card_mark mark;

	if (guarded->removal.card_in ||
	    !card_has_key(card, guarded->binding.key_id, &mark))
		return;
	if (guarded->marked && memcmp(&mark, &guarded->mark, sizeof(mark)) != 0) {
		log_warning("%s: the key of session %s, but another card",
			    card_reader(card), guarded->binding.session);
		return;
	}
	step(guarded, REMOVAL_CARD_IN);
}

void guard_card_changed(struct guard *guard, enum cards_change change,
			const struct card *card)
{
	struct guarded *next;

	for (struct guarded *guarded = guard->first; guarded; guarded = next) {
		next = guarded->next;
		if (!guarded->bound)
			continue;
		if (change == CARDS_LEAVING)
			on_leaving(guarded, card);
		else if (card_state(card) == CARD_READY)
			on_ready(guarded, card);
	}
}

static void on_locked(void *context, const char *session, bool locked, bool changed)
{
	struct guarded *guarded = find(context, session);

	/* A logind that began anew has forgotten the hints: only a change opens. */
	if (!guarded || (!locked && !changed))
		return;
	step(guarded, locked ? REMOVAL_SEEN_LOCKED : REMOVAL_SEEN_UNLOCKED);
}

static void on_active(void *context, const char *session)
{
	struct guarded *guarded = find(context, session);

	if (guarded)
		step(guarded, REMOVAL_SEEN_ACTIVE);
}

static void on_ended(void *context, const char *session)
{
	struct guard *guard = context;

	stores_session_ended(guard->hygied->stores, session);
	if (!find(guard, session))
		return;
	log_info("session %s has ended", session);
	guard_release(guard, session);
}

static void on_sleep(void *context, bool begins)
{
	struct guard *guard = context;
	struct guarded *next;

	guard->sleeping = begins;
	if (!begins)
		return;
	for (struct guarded *guarded = guard->first; guarded; guarded = next) {
		next = guarded->next;
		if (guard->hygied->settings.removal.before_sleep && is_lockable(guarded))
			step(guarded, REMOVAL_ASKED);
	}
	let_sleep(guard);
}

/* What was told to a logind that is gone has to be told again. */
static void on_there(void *context)
{
	struct guard *guard = context;

	for (struct guarded *guarded = guard->first; guarded; guarded = guarded->next) {
		logind_ask_locked(guard->logind, guarded->binding.session);
		if (guarded->removal.phase == REMOVAL_LOCKING ||
		    guarded->removal.phase == REMOVAL_ESCALATED)
			logind_lock(guard->logind, guarded->binding.session);
	}
}

static const struct logind_listener listener = {
	.locked = on_locked,
	.active = on_active,
	.ended = on_ended,
	.sleep = on_sleep,
	.there = on_there,
};

/* From before a restart: nobody knows whether its card was in all the time. */
static void take_over(void *context, const struct binding *binding)
{
	struct guard *guard = context;
	struct guarded *guarded;

	if (guard_add(guard, binding, &guarded) < 0) {
		logind_lock(guard->logind, binding->session);
		return;
	}
	guarded->bound = true;
	learn(guarded);
	step(guarded, REMOVAL_CARD_DOUBTED);
}

int guard_start(struct hygied *hygied, void (*changed)(void *context), void *context,
		struct guard **ret_guard)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard)
		return -ENOMEM;
	guard->hygied = hygied;
	guard->changed = changed;
	guard->context = context;
	r = logind_start(hygied->loop, &listener, guard, &guard->logind);
	if (r < 0) {
		free(guard);
		return r;
	}
	r = bindings_each(BINDINGS_FOLDER, take_over, guard);
	if (r < 0)
		log_error("%s: %s", BINDINGS_FOLDER, error_text(-r));
	*ret_guard = guard;
	return 0;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	while (guard->first)
		drop(guard->first);
	logind_free(guard->logind);
	free(guard);
}
