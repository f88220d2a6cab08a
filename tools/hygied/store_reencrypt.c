/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialogue that reencrypts a store; see store_reencrypt.h.
 */
#include "hygied/store_reencrypt.h"

#include "hygied/login.h"
#include "hygied/requests.h"
#include "hygied/store_admin.h"
#include "hygied/store_clear.h"
#include "hygied/store_passphrase.h"
#include "hygied/store_side.h"
#include "hygied/store_successor.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TYPE_MS (5 * 60 * 1000) /* 28 characters from a page */
#define MAKE_MS 60000
#define CLOSE_MS 60000
#define EVENT STORE_REENCRYPT_EVENT

struct reencryption {
	struct store_passphrase asking;
	struct hygied *hygied;
	struct peer *peer;
	const char *name;
	char user[HYGIE_USER_MAX]; /* whose card opened it; "": the passphrase did */
	bool reserved;             /* the store is: it is opened for nobody */
	bool copying;              /* the client does */
	struct store_stage stage;
	struct store_successor successor;
	struct store_side old, new;
	char copied[128]; /* for the audit */
	sd_event_source *timer;
};

static void audit(const struct reencryption *re, const char *event,
		  enum hygie_outcome outcome, const char *detail)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(re->peer));
	log_audit(event, outcome,
		  (const struct log_field[]){
			  { "HYGIE_STORE", re->name },
			  { "HYGIE_PEER_UID", uid },
			  { "HYGIE_USER", re->user[0] ? re->user : NULL },
			  { "HYGIE_DETAIL", detail } },
		  4);
}

/* Nothing of it goes on; what was copied stays for the next run. */
static void stop(struct reencryption *re)
{
	re->timer = sd_event_source_disable_unref(re->timer);
	store_side_end(&re->old);
	store_side_end(&re->new);
	store_successor_end(&re->successor);
	store_stage_leave(&re->stage);
	if (re->reserved)
		stores_release(re->hygied->stores, re->name);
	re->reserved = false;
}

static void reencryption_free(void *self)
{
	struct reencryption *re = self;

	if (!peer_is_finished(re->peer))
		audit(re, EVENT, HYGIE_GAVE_UP, NULL);
	stop(re);
	free(re);
}

static void give_up(struct reencryption *re, enum hygie_outcome outcome, const char *text)
{
	stop(re);
	audit(re, EVENT, outcome, NULL);
	peer_finish(re->peer, outcome, text);
}

static void fail(struct reencryption *re, int fault, const char *detail)
{
	struct file_error error = { "" };

	(void)snprintf(error.text, sizeof(error.text), "%s", detail);
	stop(re);
	store_admin_fail(re->peer, EVENT, re->name, fault == -ENOENT ? -EIO : fault,
			 &error);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	give_up(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

static int timer_set(struct reencryption *re, unsigned milliseconds)
{
	re->timer = sd_event_source_disable_unref(re->timer);
	return sd_event_add_time(re->hygied->loop, &re->timer, CLOCK_MONOTONIC,
				 deadline_after(milliseconds), 1000, on_late, re);
}

/* ---- the end ---- */

static void conclude(struct reencryption *re)
{
	const char *arguments[] = { re->name };
	struct file_error error = { "" };
	int r = store_successor_follow(&re->stage, &re->successor, &error);

	if (r == 0)
		r = store_stage_swap(&re->stage);
	if (r < 0) {
		fail(re, r, error.text);
		return;
	}
	stop(re);
	audit(re, EVENT, HYGIE_OK, re->copied);
	peer_finish_text(re->peer, HYGIE_OK, TEXT_STORE_REENCRYPTED, arguments, 1);
}

/* The client has copied and compared: "FILES BYTES". */
static void copy_take(struct reencryption *re, const struct secret *answer)
{
	char text[HYGIE_PIN_MAX + 1];
	uint64_t files, bytes;
	size_t size = secret_size(answer);
	int r;

	if (size > HYGIE_PIN_MAX)
		size = HYGIE_PIN_MAX;
	memcpy(text, secret_bytes_const(answer), size);
	text[size] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): root's own command, and for the audit alone */
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &files, &bytes) != 2) {
		give_up(re, HYGIE_GAVE_UP, NULL);
		return;
	}
	re->copying = false;
	(void)snprintf(re->copied, sizeof(re->copied),
		       "%" PRIu64 " files, %" PRIu64 " bytes, generation %" PRIu64, files,
		       bytes, re->successor.store->generation);
	r = timer_set(re, CLOSE_MS);
	if (r >= 0)
		r = store_side_close(&re->old);
	if (r >= 0)
		r = store_side_close(&re->new);
	if (r < 0)
		fail(re, r, "");
}

/* ---- the beginning ---- */

static void copy_begin(struct reencryption *re)
{
	cleanup_message struct wire_message *item = request_new_item("copy");
	const char *arguments[] = { re->name };

	if (!item) {
		fail(re, -ENOMEM, "");
		return;
	}
	re->timer = sd_event_source_disable_unref(re->timer);
	wire_add_string(item, TAG_STORE, re->name);
	wire_add_string(item, TAG_FILE, re->old.mount);
	wire_add_string(item, TAG_MOUNT, re->new.mount);
	wire_add_string(item, TAG_CIPHER, re->new.cipher);
	peer_send(re->peer, item);
	re->copying = true;
	peer_ask(re->peer, 0, TEXT_STORE_COPY, arguments, 1);
}

static void on_side(void *context, enum store_side_state state, const char *why)
{
	struct reencryption *re = context;

	if (state == SIDE_NONE)
		fail(re, -EIO, why);
	else if (state == SIDE_OPEN && re->old.state == SIDE_OPEN &&
		 re->new.state == SIDE_OPEN)
		copy_begin(re);
	else if (state == SIDE_CLOSED && re->old.state == SIDE_CLOSED &&
		 re->new.state == SIDE_CLOSED)
		conclude(re);
}

static int sides_open(struct reencryption *re, const struct store_unlocked *unlocked)
{
	const struct group *group;
	int r;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
	group = getgrnam(unlocked->store->group);
	if (!group)
		return -ENXIO;
	re->old = (struct store_side){ .read_only = true,
				       .callback = on_side,
				       .context = re };
	re->new = (struct store_side){ .make = !re->successor.begun,
				       .group = group->gr_gid,
				       .callback = on_side,
				       .context = re };
	memcpy(re->old.name, re->stage.old_name, sizeof(re->old.name));
	memcpy(re->new.name, re->stage.name, sizeof(re->new.name));
	memcpy(re->old.cipher, unlocked->store->cipher, sizeof(re->old.cipher));
	memcpy(re->new.cipher, re->successor.cipher, sizeof(re->new.cipher));
	r = timer_set(re, MAKE_MS);
	if (r >= 0)
		r = store_side_open(&re->old, re->hygied->loop, unlocked->secret);
	if (r >= 0)
		r = store_side_open(&re->new, re->hygied->loop, re->successor.secret);
	secret_free(re->successor.secret);
	re->successor.secret = NULL;
	return r < 0 ? r : 0;
}

static const char *text_of(int fault)
{
	switch (-fault) {
	case EBUSY:
		return N_("Another run has this store's new copy in its hands. Wait for "
			  "its end.");
	case ESTALE:
		return N_("The new copy that an earlier run began does not fit the store "
			  "any more. Remove it (\"hygie store reencrypt\" with "
			  "--abandon), then begin anew.");
	case EOPNOTSUPP:
		return N_(
			"The folders of the store cannot be exchanged in one step: a "
			"disk is mounted at one of them, or their file system is unable "
			"to. Make a new store and move the records.");
	case ENXIO:
		return N_("The system knows no group of that name. Make it (addgroup), "
			  "with the users who work with the records.");
	case EAGAIN:
		return N_("The store was changed while the PIN was typed. Try again.");
	case EEXIST:
		return N_("The old copy of the last time is still there. Remove it "
			  "first: \"hygie store reencrypt\" with --discard-old.");
	default:
		return NULL;
	}
}

/* What the unlocking carried out, whatever becomes of the copy. */
static void rights_tell(const struct reencryption *re,
			const struct store_changes *changes)
{
	char text[STORE_CHANGES_SIZE];

	if (store_changes_write(changes, text))
		audit(re, "store-rights", HYGIE_OK, text);
}

/* The store is unlocked: from here on it is opened for nobody else. */
static void make(struct reencryption *re, const struct store_unlocked *unlocked)
{
	struct file_error error = { "" };
	char detail[64];
	int r = access(re->stage.old, F_OK) == 0
			? -EEXIST /* of a run that was quicker than whoever typed */
			: stores_reserve(re->hygied->stores, re->name);

	rights_tell(re, &unlocked->changes);
	if (r == -EBUSY) {
		give_up(re, HYGIE_REFUSED,
			N_("The store was opened meanwhile. Close it (\"hygie store "
			   "close\"), then try again."));
		return;
	}
	re->reserved = r == 0;
	if (r == 0)
		r = store_successor_make(&re->stage, re->hygied->gone, unlocked,
					 &re->successor, &error);
	if (r == 0)
		r = sides_open(re, unlocked);
	if (r < 0 && error.text[0])
		log_warning("store %s: %s", re->name, error.text);
	if (r < 0 && text_of(r)) {
		give_up(re, HYGIE_REFUSED, text_of(r));
		return;
	}
	if (r < 0) {
		fail(re, r, error.text);
		return;
	}
	(void)snprintf(detail, sizeof(detail), "generation %" PRIu64 "%s",
		       re->successor.store->generation,
		       re->successor.begun ? ", goes on" : "");
	audit(re, EVENT "-begun", HYGIE_OK, detail);
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	cleanup_unlocked struct store_unlocked unlocked = { .store = NULL };
	struct reencryption *re = self;

	if (re->copying)
		copy_take(re, owned);
	else if (store_passphrase_take(&re->asking, owned, &unlocked))
		make(re, &unlocked);
}

static const struct dialogue reencryption_dialogue = {
	.answer = on_answer,
	.free = reencryption_free,
};

/* Whether it may be done, as far as can be seen before anybody types. */
static bool admit(const struct hygied *hygied, struct peer *peer,
		  const struct store_stage *stage)
{
	struct store_view view = { .state = KEEPER_STATE_SHUT };
	char users[TEXT_ARGUMENT_SIZE];
	const char *arguments[] = { users };

	if (access(stage->old, F_OK) == 0) {
		store_admin_audit(peer, EVENT, HYGIE_REFUSED, stage->store, NULL);
		peer_finish(peer, HYGIE_REFUSED, text_of(-EEXIST));
		return false;
	}
	(void)stores_look(hygied->stores, stage->store, &view);
	if (strcmp(view.state, KEEPER_STATE_SHUT) == 0)
		return true;
	stores_users(hygied->stores, stage->store, users, sizeof(users));
	store_admin_audit(peer, EVENT, HYGIE_REFUSED, stage->store, NULL);
	peer_finish_text(peer, HYGIE_REFUSED, TEXT_STORE_IS_OPEN, arguments, 1);
	return false;
}

/* The peer owns it. NULL: no memory, and the peer is finished. */
static struct reencryption *reencryption_new(struct hygied *hygied, struct peer *peer,
					     const struct store_stage *stage)
{
	struct reencryption *re = calloc(1, sizeof(*re));

	if (!re) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return NULL;
	}
	re->hygied = hygied;
	re->peer = peer;
	re->stage = *stage;
	re->name = re->stage.store;
	re->asking = (struct store_passphrase){ .hygied = hygied,
						.peer = peer,
						.event = EVENT };
	memcpy(re->asking.name, stage->store, sizeof(stage->store));
	peer_set_dialogue(peer, &reencryption_dialogue, re);
	return re;
}

void store_reencrypt_unlocked(struct hygied *hygied, struct peer *peer, const char *user,
			      const struct store_unlocked *unlocked)
{
	struct reencryption *re;
	struct store_stage stage;

	if (store_stage_init(&stage, unlocked->store->name) < 0) {
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	re = reencryption_new(hygied, peer, &stage);
	if (!re)
		return;
	(void)snprintf(re->user, sizeof(re->user), "%s", user);
	make(re, unlocked);
}

static void begin(struct hygied *hygied, struct peer *peer,
		  const struct store_stage *stage)
{
	struct reencryption *re = reencryption_new(hygied, peer, stage);

	if (!re)
		return;
	if (timer_set(re, TYPE_MS) < 0)
		give_up(re, HYGIE_FAULT, NULL);
	else
		store_passphrase_ask(&re->asking);
}

void store_reencrypt_serve(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, EVENT);
	struct store_stage stage;
	uint32_t flags = 0;

	if (!store)
		return;
	if (wire_optional(wire_get_u32(request, TAG_FLAGS, &flags)) < 0 ||
	    store_stage_init(&stage, store->name) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	if (store->backend != BACKEND_GOCRYPTFS) {
		store_admin_audit(peer, EVENT, HYGIE_REFUSED, store->name, NULL);
		peer_finish(
			peer, HYGIE_REFUSED,
			N_("A store with the backend fscrypt is not reencrypted: make a "
			   "new store, copy the records while both are open, and "
			   "remove the old one."));
		return;
	}
	store_stage_settle(store->name);
	if (flags & (REQUEST_ABANDON | REQUEST_DISCARD))
		store_clear_begin(peer, &stage, flags & REQUEST_DISCARD);
	else if (!admit(hygied, peer, &stage))
		return;
	else if (flags & REQUEST_CARD)
		login_serve(hygied, peer, request);
	else
		begin(hygied, peer, &stage);
}
