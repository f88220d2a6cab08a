/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a store; see keep.h.
 */
#include "hygie-store/keep_own.h"
#include "hygie-store/mounted.h"
#include "hygie-store/place.h"
#include "hygie-store/record.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define OPENING_US 10000000ull

/* As KEEPER_STATE tells them. */
static const char *const words[] = {
	[SHUT] = KEEPER_STATE_SHUT,       [MAKING] = KEEPER_STATE_SHUT,
	[OPENING] = KEEPER_STATE_OPENING, [OPEN] = KEEPER_STATE_OPEN,
	[CLOSING] = KEEPER_STATE_CLOSING, [ENDING] = KEEPER_STATE_CLOSING,
};

/* ---- saying ---- */

void keep_say(const struct keep *keep, unsigned peer, struct wire_message *message)
{
	if (message)
		keep->listener->report(keep->context, peer, message);
	else
		log_error("no memory for a report");
	wire_message_free(message);
}

void keep_fail(const struct keep *keep, unsigned peer, enum keeper_failure failure,
	       const char *text)
{
	log_warning("%s: %s", keep->name, text);
	keep_say(keep, peer, report_failed(failure, text));
}

const char *keep_word(const struct keep *keep)
{
	return words[keep->state];
}

void keep_set_state(struct keep *keep, enum state state)
{
	keep->state = state;
	(void)sd_notifyf(0, "STATUS=The store is %s.", words[state]);
}

void keep_become_shut(struct keep *keep)
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
	keep->lasts = false;
	keep->died = false;
	keep->again = false;
	keep_forget_limit(keep);
	keep->cut = false;
	keep_forget_idle(keep);
	if (keep->side && keep->subject.mount[0])
		(void)rmdir(keep->subject.mount);
	keep_set_state(keep, SHUT);
}

void keep_forget_waiting(struct keep *keep)
{
	wire_message_free(keep->waiting);
	keep->waiting = NULL;
}

/* ---- opening ---- */

static void on_mounted(void *context)
{
	struct keep *keep = context;

	if (keep->state == OPEN || keep->state == CLOSING) {
		log_warning("%s: somebody unmounted it, while it is in use",
			    keep->subject.mount);
		keep_forget_idle(keep);
		keep_begin_ending(keep);
	}
	if (keep->state != OPENING)
		return;
	keep->timer = sd_event_source_disable_unref(keep->timer);
	if (mounted_find(&keep->subject, &keep->subject.device) <= 0) {
		cipher_kill(keep->cipher);
		return;
	}
	keep->since = (uint64_t)time(NULL);
	keep_set_state(keep, OPEN);
	log_info("%s is open at %s", keep->name, keep->subject.mount);
	keep_say(keep, 0, report_plain(WIRE_KEEPER_OPENED));
	if (keep->close_asked)
		keep_close(keep, 0, keep->close_limit);
	else
		keep_watch_idle(keep);
}

enum keeper_failure keep_failure_of(const struct keep *keep, int status)
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
	case CIPHER_EXIT_NO_ENCRYPTION:
		return KEEPER_NO_ENCRYPTION;
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

static void on_ended(void *context, int status);

static const struct cipher_callbacks mount_callbacks = {
	.mounted = on_mounted,
	.ended = on_ended,
};

/*
 * Of an fscrypt mount and key are there still when its process dies: another one takes them
 * away, and stays until that is done. Whether it begins.
 */
static bool close_after_it(struct keep *keep, int status)
{
	int r;

	if (keep->subject.backend != BACKEND_FSCRYPT || status == 0 || keep->died ||
	    keep->cut || (keep->again && keep->waiting) || keep->state == OPENING)
		return false;
	log_warning("%s: hygie-fscrypt ended with status %d while it was open",
		    keep->name, status);
	cipher_free(keep->cipher);
	keep->cipher = NULL;
	r = cipher_close(keep->loop, &keep->subject, keep->record, &mount_callbacks, keep,
			 &keep->cipher);
	if (r < 0) {
		log_error("%s: nobody closes it: %s", keep->name, error_text(-r));
		return false;
	}
	keep->died = true;
	keep_forget_idle(keep);
	keep_begin_ending(keep);
	return true;
}

/* Why it closed, of which nobody asked; 0 for what was asked for. `held`: files are in use. */
static enum keeper_failure why_closed(const struct keep *keep, bool held)
{
	if (keep->cut)
		return held ? KEEPER_LIMIT_HELD : KEEPER_LIMIT;
	return keep->died || keep->state == OPEN || keep->state == CLOSING ? KEEPER_DIED
									   : 0;
}

static void on_ended(void *context, int status)
{
	struct keep *keep = context;
	bool opening = keep->state == OPENING, asked = keep->close_asked;
	bool again = keep->again && keep->waiting; /* it was not closed, then */
	enum keeper_failure failure = keep_failure_of(keep, status);
	enum keeper_failure why;
	char text[HYGIE_TEXT_MAX];
	int r;

	(void)snprintf(text, sizeof(text), "%s ended with status %d: %.300s",
		       cipher_program(keep->subject.backend), status,
		       keep->cipher ? cipher_said(keep->cipher) : "");
	if (close_after_it(keep, status))
		return;
	r = record_clear(keep->record, keep->name);
	if (r < 0 && r != -EBUSY)
		log_error("%s: what is left of it stays: %s", keep->subject.mount,
			  error_text(-r));
	why = why_closed(keep, r == -EBUSY);
	keep_become_shut(keep);
	if (opening)
		keep_fail(keep, 0, failure, text); /* who asked may be another by now */
	else if (!again)
		log_info("%s is closed", keep->name);
	if (why == KEEPER_DIED)
		log_warning("%s: %s", keep->name, text);
	if ((!opening && !again) || asked)
		keep_say(keep, 0, report_closed(why));
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

/* A number that need not be there. */
static uint32_t take_number(const struct wire_message *order, uint16_t tag)
{
	uint32_t number = 0;

	return wire_get_u32(order, tag, &number) < 0 ? 0 : number;
}

static int take_backend(struct subject *subject, const struct wire_message *order)
{
	char word[16];
	int r = wire_get_string(order, TAG_BACKEND, word, sizeof(word));

	subject->backend = r == -ENOENT ? BACKEND_GOCRYPTFS
			   : r == 0     ? backend_from_word(word)
					: 0;
	return subject->backend ? 0 : -EOPNOTSUPP;
}

int keep_take_place(struct keep *keep, const struct wire_message *order,
		    struct secret **ret_secret)
{
	struct subject *subject = &keep->subject;
	int r;

	*subject = (struct subject){ 0 };
	(void)snprintf(subject->source, sizeof(subject->source), "hygie-%s", keep->name);
	r = take_backend(subject, order);
	if (r == 0)
		r = wire_get_string(order, TAG_CIPHER, subject->folder,
				    sizeof(subject->folder));
	if (r == 0)
		r = wire_get_string(order, TAG_MOUNT, subject->mount,
				    sizeof(subject->mount));
	return r == 0 ? wire_get_secret(order, TAG_SECRET, ret_secret) : r;
}

int keep_start_timer(struct keep *keep)
{
	return sd_event_add_time_relative(keep->loop, &keep->timer, CLOCK_MONOTONIC,
					  OPENING_US, 0, on_opening_slow, keep);
}

/* Whether its folders are fit; an fscrypt is known by its folder from then on. */
static int judge_place(struct keep *keep, enum keeper_failure *failure, char *text,
		       size_t size)
{
	struct subject *subject = &keep->subject;
	int r;

	*failure = KEEPER_BAD_CIPHER;
	r = place_judge_cipher(subject->folder, text, size);
	if (r == 0 && subject->backend == BACKEND_FSCRYPT)
		r = subject_look(subject, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_MOUNT;
	return place_judge_mount(subject->mount, keep->side, text, size);
}

static int begin_opening(struct keep *keep, const struct wire_message *order,
			 enum keeper_failure *failure, char *text, size_t size)
{
	cleanup_secret struct secret *secret = NULL;
	int r = keep_take_place(keep, order, &secret);

	*failure = KEEPER_FAULT;
	if (r == 0)
		r = take_note(keep, order);
	keep->idle_ms = take_number(order, TAG_IDLE);
	(void)snprintf(text, size, "%s", error_text(-r));
	if (r < 0)
		return r;
	r = judge_place(keep, failure, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_FAULT;
	r = record_write(keep->record, &keep->subject);
	if (r == 0)
		r = cipher_mount(keep->loop, &keep->subject,
				 take_number(order, TAG_FIXED) != 0, keep->record, secret,
				 &mount_callbacks, keep, &keep->cipher);
	if (r == 0)
		r = keep_start_timer(keep);
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
		keep_fail(keep, peer, KEEPER_FAULT, "no memory");
}

void keep_begin(struct keep *keep, unsigned peer, const struct wire_message *order,
		keep_beginning how, enum state state)
{
	enum keeper_failure failure;
	char text[HYGIE_TEXT_MAX];

	if (keep->state != SHUT) {
		keep_fail(keep, peer, KEEPER_WRONG_TIME, keep_word(keep));
		return;
	}
	keep->asker = peer;
	if (how(keep, order, &failure, text, sizeof(text)) < 0) {
		keep_become_shut(keep);
		keep_fail(keep, peer, failure, text);
		keep->listener->shut(keep->context);
		return;
	}
	keep_set_state(keep, state);
}

/* A closing that is busy elsewhere, with the mount moved or taken away by somebody. */
static bool has_left_its_place(const struct keep *keep)
{
	dev_t device;

	return mounted_find(&keep->subject, &device) <= 0;
}

static void order_open(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	bool open = keep->state == OPEN || keep->state == CLOSING;

	/* A side that is open still may be an earlier store's. */
	if (open &&
	    (keep->side || (keep->state == CLOSING && has_left_its_place(keep)))) {
		keep_fail(keep, peer, KEEPER_WRONG_TIME, keep_word(keep));
		return;
	}
	if (open) {
		keep_reprieve(keep);
		keep->idle_ms = take_number(order, TAG_IDLE);
		keep_watch_idle(keep);
		if (take_note(keep, order) < 0)
			keep_fail(keep, peer, KEEPER_FAULT, "a note that is none");
		else
			keep_say(keep, 0, report_plain(WIRE_KEEPER_OPENED));
		return;
	}
	if (keep->state == ENDING && !keep->waiting &&
	    (!keep->lasts || keep_cut_ending_short(keep))) {
		let_wait(keep, peer, order);
		return;
	}
	keep_begin(keep, peer, order, begin_opening, OPENING);
}

/* ---- orders ---- */

void keep_order(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	switch (wire_message_type(order)) {
	case WIRE_KEEPER_INIT:
		keep_make(keep, peer, order);
		break;
	case WIRE_KEEPER_OPEN:
		order_open(keep, peer, order);
		break;
	case WIRE_KEEPER_NOTE:
		if (take_note(keep, order) < 0)
			keep_fail(keep, peer, KEEPER_FAULT, "a note that is none");
		else
			keep_say(keep, peer, report_plain(WIRE_KEEPER_DONE));
		break;
	case WIRE_KEEPER_STATUS:
		keep_say(keep, peer,
			 report_state(keep_word(keep), keep->note, keep->note_size,
				      keep->since, &keep->holders));
		break;
	case WIRE_KEEPER_CLOSE:
		keep_close(keep, peer, take_number(order, TAG_LIMIT));
		break;
	default:
		break;
	}
}

bool keep_is_shut(const struct keep *keep)
{
	return keep->state == SHUT;
}

bool keep_is_side(const struct keep *keep)
{
	return keep->side;
}

void keep_end(struct keep *keep)
{
	if (keep->state != SHUT)
		keep_close(keep, 0, 0);
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
	keep->side = keep_name_is_side(name);
	(void)snprintf(keep->name, sizeof(keep->name), "%s", name);
	r = record_open(name, &keep->record);
	if (r == 0)
		r = record_clear(keep->record, name);
	if (r < 0 && r != -EBUSY) {
		keep_free(keep);
		return r;
	}
	keep_set_state(keep, SHUT);
	*ret_keep = keep;
	return 0;
}

void keep_free(struct keep *keep)
{
	if (!keep)
		return;
	keep_forget_waiting(keep);
	vigil_free(keep->vigil);
	(void)sd_event_source_disable_unref(keep->timer);
	(void)sd_event_source_disable_unref(keep->limit);
	idle_free(keep->idle);
	cipher_free(keep->cipher);
	if (keep->record >= 0)
		(void)close(keep->record);
	free(keep);
}
