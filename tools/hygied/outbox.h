/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was said to a peer and has not gone out yet, because the peer reads more slowly
 * than a long list is made: whole messages, in order, within a limit. Answers and PINs go
 * the other way; nothing secret is kept here.
 */
#pragma once

#include "libhygie/wire.h"

#define OUTBOX_MAX ((size_t)16 * 1024 * 1024) /* bytes of messages: some 30,000 records */

struct outbox_entry;

struct outbox {
	struct outbox_entry *first, *last;
	size_t size; /* bytes of all messages */
};

/* Keeps a copy. -ENOBUFS over the limit, -ENOMEM, or what went wrong while filling it. */
int outbox_add(struct outbox *outbox, const struct wire_message *message) must_check;

/*
 * Sends what the socket takes: 0 when all is out, -EAGAIN when something is left, else as
 * wire_send.
 */
int outbox_flush(struct outbox *outbox, int fd) must_check;

/* Forgets everything. */
void outbox_clear(struct outbox *outbox);
