/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a store; see keep.h.
 */
#include "hygie-store/keep.h"

#include "hygie-store/cipher.h"
#include "hygie-store/holders.h"
#include "hygie-store/place.h"
#include "hygie-store/record.h"
#include "hygie-store/report.h"
#include "hygie-store/vigil.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define OPENING_US 10000000ull
#define ENDING_US 2000000ull

enum state { SHUT = 1, MAKING, OPENING, OPEN, CLOSING, ENDING };

/* As KEEPER_STATE tells them. */
static const char *const words[] = {
	[SHUT] = KEEPER_STATE_SHUT,       [MAKING] = KEEPER_STATE_SHUT,
	[OPENING] = KEEPER_STATE_OPENING, [OPEN] = KEEPER_STATE_OPEN,
	[CLOSING] = KEEPER_STATE_CLOSING, [ENDING] = KEEPER_STATE_CLOSING,
};

struct keep {
	sd_event *loop;
	const struct keep_listener *listener;
	void *context;
	char name[KEEP_NAME_MAX + 1];
	char source[KEEP_NAME_MAX + 16]; /* what the mount is called */
	char mount[HYGIE_PATH_MAX];
	enum state state;
	bool close_asked;             /* while it was opening */
	bool slow;                    /* gocryptfs was killed for it */
	unsigned asker;               /* of INIT or OPEN */
	struct wire_message *waiting; /* an OPEN that came while it was ending */
	unsigned waiting_peer;
	int record;
	struct cipher *cipher;
	struct vigil *vigil;
	struct holders holders; /* as told last */
	sd_event_source *timer;
	dev_t device;
	uint64_t since;
	uint8_t note[HYGIE_NOTE_MAX];
	size_t note_size;
};

/* ---- saying ---- */

static void say(const struct keep *keep, unsigned peer, struct wire_message *message)
{
	if (message)
		keep->listener->report(keep->context, peer, message);
	else
		log_error("no memory for a report");
	wire_message_free(message);
}

static void fail(const struct keep *keep, unsigned peer, enum keeper_failure failure,
		 const char *text)
{
	log_warning("%s: %s", keep->name, text);
	say(keep, peer, report_failed(failure, text));
}

static void set_state(struct keep *keep, enum state state)
{
	keep->state = state;
	(void)sd_notifyf(0, "STATUS=The store is %s.", words[state]);
}

static void become_shut(struct keep *keep)
{
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	cipher_free(keep->cipher);
	keep->cipher = NULL;
	keep->holders.count = 0;
	keep->note_size = 0;
	keep->since = 0;
	keep->close_asked = false;
	keep->slow = false;
	set_state(keep, SHUT);
}

/* ---- closing ---- */

static void try_close(void *context);

static void forget_waiting(struct keep *keep)
{
	wire_message_free(keep->waiting);
	keep->waiting = NULL;
}

static int on_ending_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keep *keep = userdata;

	(void)source;
	(void)usec;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	log_warning("%s: it is unmounted here, but gocryptfs goes on: another mount "
		    "namespace has it still",
		    keep->mount);
	if (holders_find(keep->device, cipher_pid(keep->cipher), &keep->holders) == 0)
		say(keep, 0, report_busy(&keep->holders));
	if (keep->waiting) {
		forget_waiting(keep);
		fail(keep, keep->waiting_peer, KEEPER_WRONG_TIME, words[keep->state]);
	}
	return 0;
}

/* The mount is gone; gocryptfs ends, and with it the key. */
static void begin_ending(struct keep *keep)
{
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	set_state(keep, ENDING);
	if (sd_event_add_time_relative(keep->loop, &keep->timer, CLOCK_MONOTONIC,
				       ENDING_US, 0, on_ending_slow, keep) < 0)
		log_error("no memory for a timer");
}

static bool are_same(const struct holders *a, const struct holders *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->holder[i].pid != b->holder[i].pid ||
		    strcmp(a->holder[i].file, b->holder[i].file) != 0)
			return false;
	return true;
}

/* Looks who it is, and tells what has changed. */
static void look_for_holders(struct keep *keep, bool first)
{
	static struct holders found; /* too large for a stack */

	if (holders_find(keep->device, cipher_pid(keep->cipher), &found) < 0)
		found.count = 0;
	if (first || !are_same(&found, &keep->holders)) {
		keep->holders = found;
		say(keep, 0, report_busy(&found));
	}
	vigil_go_on(keep->vigil, &found);
}

static bool is_unmounted(const struct keep *keep)
{
	/* EINVAL: somebody else unmounted it. */
	return umount2(keep->mount, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL;
}

static void give_up_closing(struct keep *keep, int error)
{
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	set_state(keep, OPEN);
	fail(keep, 0, KEEPER_FAULT, error_text(error));
}

static void try_close(void *context)
{
	struct keep *keep = context;
	bool first = !keep->vigil;

	if (is_unmounted(keep)) {
		begin_ending(keep);
		return;
	}
	/* Watched from now on, so what closes after the next try is not missed. */
	if (errno == EBUSY && first &&
	    vigil_new(keep->loop, keep->mount, try_close, keep, &keep->vigil) < 0)
		errno = ENOMEM;
	if (errno != EBUSY && !keep->vigil) {
		give_up_closing(keep, errno);
		return;
	}
	if (first && is_unmounted(keep)) {
		begin_ending(keep);
		return;
	}
	if (first || vigil_wants_holders(keep->vigil))
		look_for_holders(keep, first);
	else
		vigil_go_on(keep->vigil, NULL);
}

static void order_close(struct keep *keep, unsigned peer)
{
	switch (keep->state) {
	case OPENING:
		keep->close_asked = true;
		break;
	case OPEN:
		set_state(keep, CLOSING);
		try_close(keep);
		break;
	case CLOSING:
	case ENDING:
		say(keep, peer, report_busy(&keep->holders));
		break;
	default:
		say(keep, peer, report_closed(0));
		break;
	}
}

static void reprieve(struct keep *keep)
{
	vigil_free(keep->vigil);
	keep->vigil = NULL;
	keep->holders.count = 0;
	set_state(keep, OPEN);
}

/* ---- opening ---- */

static void on_mounted(void *context)
{
	struct keep *keep = context;

	if (keep->state != OPENING)
		return;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	if (place_find_mount(keep->mount, keep->source, &keep->device) <= 0) {
		cipher_kill(keep->cipher);
		return;
	}
	keep->since = (uint64_t)time(NULL);
	set_state(keep, OPEN);
	log_info("%s is open at %s", keep->name, keep->mount);
	say(keep, 0, report_plain(WIRE_KEEPER_OPENED));
	if (keep->close_asked)
		order_close(keep, 0);
}

/* What to say of a gocryptfs that ended before it served. */
static enum keeper_failure failure_of(const struct keep *keep, int status)
{
	if (keep->slow)
		return KEEPER_SLOW;
	switch (status) {
	case CIPHER_EXIT_PASSWORD:
		return KEEPER_WRONG_SECRET;
	case CIPHER_NOT_STARTED:
		return KEEPER_MISSING;
	case CIPHER_EXIT_CIPHER:
	case CIPHER_EXIT_CONFIG:
		return KEEPER_BAD_CIPHER;
	default:
		return KEEPER_FAULT;
	}
}

static void open_waiting(struct keep *keep)
{
	cleanup_message struct wire_message *order = keep->waiting;

	keep->waiting = NULL;
	if (order)
		keep_order(keep, keep->waiting_peer, order);
}

static void on_ended(void *context, int status)
{
	struct keep *keep = context;
	enum state before = keep->state;
	enum keeper_failure failure = failure_of(keep, status);
	char text[HYGIE_TEXT_MAX];
	bool asked = keep->close_asked;
	int r = record_clear(keep->record, keep->name);

	(void)snprintf(text, sizeof(text), "gocryptfs ended with status %d: %.300s",
		       status, cipher_said(keep->cipher));
	if (r < 0)
		log_error("%s: a dead mount stays: %s", keep->mount, error_text(-r));
	become_shut(keep);
	if (before == OPENING)
		fail(keep, keep->asker, failure, text);
	else
		log_info("%s is closed", keep->name);
	if (before == OPEN || before == CLOSING)
		log_warning("%s: %s", keep->name, text);
	if (before != OPENING || asked)
		say(keep, 0,
		    report_closed(before == OPEN || before == CLOSING ? KEEPER_DIED : 0));
	open_waiting(keep);
	keep->listener->shut(keep->context);
}

static int on_opening_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keep *keep = userdata;

	(void)source;
	(void)usec;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	keep->slow = true;
	cipher_kill(keep->cipher);
	return 0;
}

static const struct cipher_callbacks mount_callbacks = {
	.mounted = on_mounted,
	.ended = on_ended,
};

static int take_note(struct keep *keep, const struct wire_message *order)
{
	const uint8_t *note;
	size_t size;
	int r = wire_get_bytes(order, TAG_NOTE, &note, &size);

	if (r < 0)
		return r;
	if (size > sizeof(keep->note))
		return -E2BIG;
	memcpy(keep->note, note, size);
	keep->note_size = size;
	return 0;
}

static int take_place(struct keep *keep, const struct wire_message *order,
		      char ret_cipher[HYGIE_PATH_MAX], struct secret **ret_secret)
{
	int r = wire_get_string(order, TAG_CIPHER, ret_cipher, HYGIE_PATH_MAX);

	if (r == 0)
		r = wire_get_string(order, TAG_MOUNT, keep->mount, sizeof(keep->mount));
	return r == 0 ? wire_get_secret(order, TAG_SECRET, ret_secret) : r;
}

static int start_timer(struct keep *keep)
{
	return sd_event_add_time_relative(keep->loop, &keep->timer, CLOCK_MONOTONIC,
					  OPENING_US, 0, on_opening_slow, keep);
}

static int begin_opening(struct keep *keep, const struct wire_message *order,
			 enum keeper_failure *failure, char *text, size_t size)
{
	cleanup_secret struct secret *secret = NULL;
	char cipher[HYGIE_PATH_MAX];
	int r = take_place(keep, order, cipher, &secret);

	*failure = KEEPER_FAULT;
	if (r == 0)
		r = take_note(keep, order);
	(void)snprintf(text, size, "%s", error_text(-r));
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_CIPHER;
	r = place_judge_cipher(cipher, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_MOUNT;
	r = place_judge_mount(keep->mount, false, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_FAULT;
	r = record_write(keep->record, keep->mount);
	if (r == 0)
		r = cipher_mount(keep->loop, cipher, keep->mount, keep->source, secret,
				 &mount_callbacks, keep, &keep->cipher);
	if (r == 0)
		r = start_timer(keep);
	(void)snprintf(text, size, "%s", error_text(-r));
	return r < 0 ? r : 0;
}

/* It ends in a moment, and is opened then; the timer of the ending gives that up. */
static void let_wait(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	size_t size;
	const uint8_t *bytes = wire_message_bytes(order, &size);

	keep->waiting_peer = peer;
	if (wire_parse(bytes, size, &keep->waiting) < 0)
		fail(keep, peer, KEEPER_FAULT, "no memory");
}

/* 0: it is on its way; else a negative errno, and what to say. */
typedef int (*beginning)(struct keep *keep, const struct wire_message *order,
			 enum keeper_failure *failure, char *text, size_t size);

/* Has gocryptfs begin what can only begin while the store is shut. */
static void begin(struct keep *keep, unsigned peer, const struct wire_message *order,
		  beginning how, enum state state)
{
	enum keeper_failure failure;
	char text[HYGIE_TEXT_MAX];

	if (keep->state != SHUT) {
		fail(keep, peer, KEEPER_WRONG_TIME, words[keep->state]);
		return;
	}
	keep->asker = peer;
	if (how(keep, order, &failure, text, sizeof(text)) < 0) {
		become_shut(keep);
		fail(keep, peer, failure, text);
		keep->listener->shut(keep->context);
		return;
	}
	set_state(keep, state);
}

static void order_open(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	if (keep->state == OPEN || keep->state == CLOSING) {
		reprieve(keep);
		if (take_note(keep, order) < 0)
			fail(keep, peer, KEEPER_FAULT, "a note that is none");
		else
			say(keep, 0, report_plain(WIRE_KEEPER_OPENED));
		return;
	}
	if (keep->state == ENDING && !keep->waiting && keep->timer) {
		let_wait(keep, peer, order);
		return;
	}
	begin(keep, peer, order, begin_opening, OPENING);
}

/* ---- making ---- */

static void on_made(void *context, int status)
{
	struct keep *keep = context;
	char text[HYGIE_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "gocryptfs -init ended with status %d: %.300s",
		       status, cipher_said(keep->cipher));
	if (status == 0)
		say(keep, keep->asker, report_plain(WIRE_KEEPER_DONE));
	else
		fail(keep, keep->asker, failure_of(keep, status), text);
	become_shut(keep);
	keep->listener->shut(keep->context);
}

static const struct cipher_callbacks init_callbacks = { .ended = on_made };

static int begin_making(struct keep *keep, const struct wire_message *order,
			enum keeper_failure *failure, char *text, size_t size)
{
	cleanup_secret struct secret *secret = NULL;
	char cipher[HYGIE_PATH_MAX];
	uint32_t group = 0;
	int r = take_place(keep, order, cipher, &secret);

	*failure = KEEPER_FAULT;
	if (r == 0)
		r = wire_get_u32(order, TAG_GROUP_ID, &group);
	(void)snprintf(text, size, "%s", error_text(-r));
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_MOUNT;
	r = place_judge_mount(keep->mount, true, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_CIPHER;
	r = place_make_cipher(cipher, group, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_FAULT;
	r = cipher_init(keep->loop, cipher, secret, &init_callbacks, keep, &keep->cipher);
	if (r == 0)
		r = start_timer(keep);
	(void)snprintf(text, size, "%s", error_text(-r));
	return r < 0 ? r : 0;
}

static void order_init(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	begin(keep, peer, order, begin_making, MAKING);
}

/* ---- orders ---- */

void keep_order(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	switch (wire_message_type(order)) {
	case WIRE_KEEPER_INIT:
		order_init(keep, peer, order);
		break;
	case WIRE_KEEPER_OPEN:
		order_open(keep, peer, order);
		break;
	case WIRE_KEEPER_NOTE:
		if (take_note(keep, order) < 0)
			fail(keep, peer, KEEPER_FAULT, "a note that is none");
		else
			say(keep, peer, report_plain(WIRE_KEEPER_DONE));
		break;
	case WIRE_KEEPER_STATUS:
		say(keep, peer,
		    report_state(words[keep->state], keep->note, keep->note_size,
				 keep->since, &keep->holders));
		break;
	case WIRE_KEEPER_CLOSE:
		order_close(keep, peer);
		break;
	case WIRE_KEEPER_REPRIEVE:
		if (keep->state != OPEN && keep->state != CLOSING) {
			fail(keep, peer, KEEPER_WRONG_TIME, words[keep->state]);
			break;
		}
		reprieve(keep);
		say(keep, peer, report_plain(WIRE_KEEPER_DONE));
		break;
	default:
		break;
	}
}

bool keep_is_shut(const struct keep *keep)
{
	return keep->state == SHUT;
}

void keep_end(struct keep *keep)
{
	if (keep->state != SHUT)
		order_close(keep, 0);
}

int keep_new(sd_event *loop, const char *name, const struct keep_listener *listener,
	     void *context, struct keep **ret_keep)
{
	struct keep *keep = calloc(1, sizeof(*keep));
	int r;

	if (!keep)
		return -ENOMEM;
	keep->loop = loop;
	keep->listener = listener;
	keep->context = context;
	keep->record = -1;
	(void)snprintf(keep->name, sizeof(keep->name), "%s", name);
	(void)snprintf(keep->source, sizeof(keep->source), "hygie-%s", name);
	r = record_open(name, &keep->record);
	if (r == 0)
		r = record_clear(keep->record, name);
	if (r < 0) {
		keep_free(keep);
		return r;
	}
	set_state(keep, SHUT);
	*ret_keep = keep;
	return 0;
}

void keep_free(struct keep *keep)
{
	if (!keep)
		return;
	forget_waiting(keep);
	vigil_free(keep->vigil);
	(void)sd_event_source_disable_unref(keep->timer);
	cipher_free(keep->cipher);
	if (keep->record >= 0)
		(void)close(keep->record);
	free(keep);
}
