/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection; see peer.h. What a peer has no room for waits for ten seconds; then it
 * is dropped, as is one that says something out of turn.
 */
#include "hygied/peer.h"

#include "hygied/cards.h"
#include "hygied/outbox.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_WAIT_MS 5000
#define REQUEST_SIZE_MAX 8192
#define SLOW_READER_MS 10000

struct peer {
	int fd;
	uid_t uid;
	enum protocol_state state;
	bool finished; /* the result was said; it may still wait in the outbox */
	bool hung_up;
	enum hygie_outcome given_up; /* when the other end ends it: for what */
	struct outbox outbox;
	sd_event_source *source;
	sd_event_source *timer; /* until the request is there; then of a slow reader */
	const struct peer_callbacks *callbacks;
	void *context;
	const struct dialogue *dialogue, *former;
	void *dialogue_self, *former_self;
};

/* Its end is noticed by the loop, which then frees it: nobody's pointer dangles. */
static void hang_up(struct peer *peer)
{
	peer->finished = true;
	peer->hung_up = true;
	(void)shutdown(peer->fd, SHUT_RDWR);
}

static int on_slow_reader(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct peer *peer = userdata;

	(void)source;
	(void)usec;
	log_warning("uid %u: does not read what it asked for", peer->uid);
	hang_up(peer);
	return 0;
}

/* Keeps a message until the peer has room. */
static int wait_for_room(struct peer *peer, const struct wire_message *message)
{
	bool waits = peer->outbox.first != NULL;
	int r;

	r = outbox_add(&peer->outbox, message);
	if (r < 0 || waits)
		return r;
	peer->timer = sd_event_source_disable_unref(peer->timer);
	r = sd_event_add_time(sd_event_source_get_event(peer->source), &peer->timer,
			      CLOCK_MONOTONIC, deadline_after(SLOW_READER_MS), 0,
			      on_slow_reader, peer);
	return r < 0 ? r
		     : sd_event_source_set_io_events(peer->source, EPOLLIN | EPOLLOUT);
}

static void on_room(struct peer *peer)
{
	int r = outbox_flush(&peer->outbox, peer->fd);

	if (r == -EAGAIN)
		return;
	peer->timer = sd_event_source_disable_unref(peer->timer);
	if (r < 0 || peer->finished ||
	    sd_event_source_set_io_events(peer->source, EPOLLIN) < 0)
		hang_up(peer);
}

static void take_answer(struct peer *peer, const struct wire_message *message)
{
	cleanup_secret struct secret *answer = NULL;

	if (wire_get_secret(message, TAG_ANSWER, &answer) < 0 ||
	    !peer->dialogue->answer) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	peer->state = PROTOCOL_CLIENT_RUNNING;
	peer->dialogue->answer(peer->dialogue_self, answer);
	answer = NULL;
}

/* A peer says why for the audit's sake; it is believed in nothing else. */
static void take_cancel(struct peer *peer, const struct wire_message *message)
{
	uint32_t outcome;

	if (peer->state == PROTOCOL_CLIENT_ASKED && peer->dialogue->unfit &&
	    wire_get_u32(message, TAG_OUTCOME, &outcome) == 0 &&
	    outcome_from_wire(outcome) == HYGIE_PIN_MALFORMED)
		peer->given_up = peer->dialogue->unfit(peer->dialogue_self);
	peer_finish(peer, peer->given_up, NULL);
}

static void take_message(struct peer *peer, const struct wire_message *message)
{
	uint16_t type = wire_message_type(message);
	size_t size;

	(void)wire_message_bytes(message, &size);
	if (size > REQUEST_SIZE_MAX || !protocol_allows(peer->state, type)) {
		log_warning("uid %u: message 0x%04x of %zu bytes out of turn", peer->uid,
			    type, size);
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	switch (type) {
	case WIRE_ANSWER:
		take_answer(peer, message);
		break;
	case WIRE_CANCEL:
		take_cancel(peer, message);
		break;
	default:
		peer->timer = sd_event_source_disable_unref(peer->timer);
		peer->state = PROTOCOL_CLIENT_RUNNING;
		peer->callbacks->request(peer->context, peer, message);
		break;
	}
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	cleanup_message struct wire_message *message = NULL;
	struct peer *peer = userdata;
	int r;

	(void)source;
	if ((revents & EPOLLOUT) && !peer->hung_up)
		on_room(peer);
	r = peer->hung_up ? -ECONNRESET : wire_receive(fd, &message);
	if (r == -EAGAIN || (r >= 0 && peer->finished))
		return 0;
	if (r == -EBADMSG || r == -EMSGSIZE || r == -EPROTONOSUPPORT) {
		log_warning("uid %u: a message that is not one: %s", peer->uid,
			    error_text(-r));
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
	} else if (r < 0) {
		peer->callbacks->gone(peer->context, peer);
	} else {
		take_message(peer, message);
	}
	return 0;
}

static int on_request_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	peer_finish(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

int peer_new(sd_event *loop, int fd, uid_t uid, const struct peer_callbacks *callbacks,
	     void *context, struct peer **ret_peer)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer) {
		(void)close(fd);
		return -ENOMEM;
	}
	*peer = (struct peer){ .fd = fd,
			       .uid = uid,
			       .state = PROTOCOL_CLIENT_NEW,
			       .given_up = HYGIE_GAVE_UP,
			       .callbacks = callbacks,
			       .context = context };
	r = sd_event_add_io(loop, &peer->source, fd, EPOLLIN, on_event, peer);
	if (r >= 0)
		r = sd_event_add_time(loop, &peer->timer, CLOCK_MONOTONIC,
				      deadline_after(REQUEST_WAIT_MS), 0,
				      on_request_timeout, peer);
	if (r < 0) {
		peer_free(peer);
		return r;
	}
	*ret_peer = peer;
	return 0;
}

/*
 * What lies unread in a socket when it is closed makes the kernel tell the other end of a
 * reset before it hands out our last message. Nothing more comes in once it is shut.
 */
void peer_close(int fd)
{
	char byte;

	(void)shutdown(fd, SHUT_RDWR);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
	(void)close(fd);
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	if (peer->dialogue)
		peer->dialogue->free(peer->dialogue_self);
	if (peer->former)
		peer->former->free(peer->former_self);
	(void)sd_event_source_disable_unref(peer->source);
	(void)sd_event_source_disable_unref(peer->timer);
	peer_close(peer->fd);
	outbox_clear(&peer->outbox);
	free(peer);
}

uid_t peer_uid(const struct peer *peer)
{
	return peer->uid;
}

int peer_fd(const struct peer *peer)
{
	return peer->fd;
}

void peer_set_dialogue(struct peer *peer, const struct dialogue *dialogue, void *self)
{
	peer->former = peer->dialogue;
	peer->former_self = peer->dialogue_self;
	peer->dialogue = dialogue;
	peer->dialogue_self = self;
}

void peer_card_changed(struct peer *peer, enum cards_change change, struct card *card)
{
	if (!peer->finished && peer->dialogue && peer->dialogue->card_changed)
		peer->dialogue->card_changed(peer->dialogue_self, change, card);
}

void peer_sessions_changed(struct peer *peer)
{
	if (!peer->finished && peer->dialogue && peer->dialogue->sessions_changed)
		peer->dialogue->sessions_changed(peer->dialogue_self);
}

void peer_send(struct peer *peer, const struct wire_message *message)
{
	int r;

	if (peer->finished)
		return;
	r = peer->outbox.first ? -EAGAIN : wire_send(peer->fd, message);
	if (r == -EAGAIN)
		r = wait_for_room(peer, message);
	if (r < 0) {
		if (r != -EPIPE && r != -ECONNRESET)
			log_warning("uid %u: cannot send: %s", peer->uid, error_text(-r));
		hang_up(peer);
	}
}

static int new_sentence(enum wire_type type, enum hygie_text text,
			const char *const arguments[], size_t count,
			struct wire_message **ret_message)
{
	struct wire_message *message;
	char rendered[HYGIE_TEXT_MAX];
	int r;

	r = wire_message_new((uint16_t)type, &message);
	if (r < 0)
		return r;
	text_render(text_template(text), arguments, count, rendered, sizeof(rendered));
	wire_add_string(message, TAG_TEXT, rendered);
	wire_add_u32(message, TAG_TEXT_ID, text);
	for (size_t i = 0; i < count; i++)
		wire_add_string(message, TAG_TEXT_ARGUMENT, arguments[i]);
	*ret_message = message;
	return 0;
}

void peer_say(struct peer *peer, enum wire_type type, enum hygie_text text,
	      const char *const arguments[], size_t count)
{
	cleanup_message struct wire_message *message = NULL;

	if (new_sentence(type, text, arguments, count, &message) < 0)
		hang_up(peer);
	else
		peer_send(peer, message);
}

void peer_ask(struct peer *peer, unsigned flags, enum hygie_text text,
	      const char *const arguments[], size_t count)
{
	cleanup_message struct wire_message *message = NULL;

	if (new_sentence(WIRE_PROMPT, text, arguments, count, &message) < 0) {
		hang_up(peer);
		return;
	}
	wire_add_u32(message, TAG_ECHO, flags & PROMPT_ECHO ? 1 : 0);
	wire_add_u32(message, TAG_FLAGS, flags);
	peer->state = PROTOCOL_CLIENT_ASKED;
	peer_send(peer, message);
}

void peer_finish_with(struct peer *peer, const struct wire_message *result)
{
	if (peer->finished)
		return;
	peer_send(peer, result);
	peer->finished = true;
	if (!peer->outbox.first)
		hang_up(peer);
}

void peer_finish(struct peer *peer, enum hygie_outcome outcome, const char *text)
{
	cleanup_message struct wire_message *result = NULL;

	if (peer->finished)
		return;
	if (wire_message_new(WIRE_RESULT, &result) < 0) {
		hang_up(peer);
		return;
	}
	wire_add_u32(result, TAG_OUTCOME, (uint32_t)outcome);
	wire_add_string(result, TAG_TEXT, text ? text : outcome_text(outcome));
	peer_finish_with(peer, result);
}

void peer_finish_text(struct peer *peer, enum hygie_outcome outcome, enum hygie_text text,
		      const char *const arguments[], size_t count)
{
	cleanup_message struct wire_message *result = NULL;

	if (peer->finished)
		return;
	if (new_sentence(WIRE_RESULT, text, arguments, count, &result) < 0) {
		hang_up(peer);
		return;
	}
	wire_add_u32(result, TAG_OUTCOME, (uint32_t)outcome);
	peer_finish_with(peer, result);
}

enum hygie_outcome peer_given_up(const struct peer *peer)
{
	return peer->given_up;
}

bool peer_is_finished(const struct peer *peer)
{
	return peer->finished;
}
