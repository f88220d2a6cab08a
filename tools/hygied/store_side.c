/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A side of a reencryption; see store_side.h.
 */
#include "hygied/store_side.h"

#include "libhygie/error_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void forget_secret(struct store_side *side)
{
	secret_free(side->secret);
	side->secret = NULL;
}

void store_side_end(struct store_side *side)
{
	forget_secret(side);
	keeper_free(side->keeper);
	side->keeper = NULL;
	side->state = SIDE_NONE;
}

static void fail(struct store_side *side, const char *why)
{
	store_side_end(side);
	side->callback(side->context, SIDE_NONE, why);
}

static void become(struct store_side *side, enum store_side_state state)
{
	side->state = state;
	side->callback(side->context, state, "");
}

static void order_open(struct store_side *side)
{
	static const char note[] = "reencryption";
	const struct keeper_place place = { .cipher = side->cipher,
					    .mount = side->mount,
					    .read_only = side->read_only };
	int r = keeper_open(side->keeper, &place, 0, side->secret, note, sizeof(note));

	forget_secret(side);
	side->state = SIDE_OPENING;
	if (r < 0)
		fail(side, error_text(-r));
}

static void order_make(struct store_side *side)
{
	const struct keeper_place place = { .cipher = side->cipher,
					    .mount = side->mount,
					    .group = side->group };
	int r = keeper_init(side->keeper, &place, side->secret);

	side->state = SIDE_MAKING;
	if (r < 0)
		fail(side, error_text(-r));
}

static void begin(struct store_side *side)
{
	if (side->make)
		order_make(side);
	else
		order_open(side);
}

/* What it says it is in, before anything was ordered: an earlier run may have it open. */
static void take_state(struct store_side *side, const struct keeper_event *event)
{
	int r;

	if (side->state != SIDE_WAITING)
		return;
	if (strcmp(event->state, KEEPER_STATE_SHUT) == 0) {
		begin(side);
		return;
	}
	r = keeper_close(side->keeper, 0);
	if (r < 0)
		fail(side, error_text(-r));
}

static void take_closed(struct store_side *side)
{
	switch (side->state) {
	case SIDE_WAITING:
		begin(side);
		break;
	case SIDE_CLOSING:
		become(side, SIDE_CLOSED);
		break;
	case SIDE_OPEN:
		fail(side, "gocryptfs ended while it was copied");
		break;
	default:
		break;
	}
}

static void on_keeper(void *context, const struct keeper_event *event)
{
	struct store_side *side = context;
	int r;

	switch (event->kind) {
	case KEEPER_CONNECTED:
		r = keeper_ask(side->keeper);
		if (r < 0)
			fail(side, error_text(-r));
		break;
	case KEEPER_STATE:
		take_state(side, event);
		break;
	case KEEPER_IS_DONE:
		if (side->state == SIDE_MAKING)
			order_open(side);
		break;
	case KEEPER_OPENED:
		if (side->state == SIDE_OPENING)
			become(side, SIDE_OPEN);
		break;
	case KEEPER_CLOSED:
		take_closed(side);
		break;
	case KEEPER_ABSENT:
	case KEEPER_GONE:
	case KEEPER_FAILED:
		fail(side,
		     event->text[0] ? event->text : "the store's keeper did not do it");
		break;
	default:
		break;
	}
}

int store_side_open(struct store_side *side, sd_event *loop, const struct secret *secret)
{
	int r = secret_new_from(secret_bytes_const(secret), secret_size(secret),
				&side->secret);

	if (r < 0)
		return r;
	side->loop = loop;
	side->state = SIDE_WAITING;
	(void)snprintf(side->mount, sizeof(side->mount), KEEPER_FOLDER "/%s", side->name);
	r = keeper_attach(loop, side->name, on_keeper, side, &side->keeper);
	if (r < 0)
		r = keeper_start(loop, side->name, on_keeper, side, &side->keeper);
	return r;
}

int store_side_close(struct store_side *side)
{
	side->state = SIDE_CLOSING;
	return keeper_close(side->keeper, 0);
}
