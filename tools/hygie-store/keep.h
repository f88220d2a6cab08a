/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One store, kept: made, opened, closed. It does what it is told and says what came of
 * it (protocol.h, KEEPER_...); who may have the store open is hygied's to decide, and why
 * it is open stands in hygied's note, which is kept here unread.
 *
 *	SHUT -> OPENING -> OPEN -> CLOSING (busy) -> ENDING (unmounted) -> SHUT
 *
 * It is shut again only when gocryptfs has ended: then the key is gone.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/wire.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

#define KEEP_FOLDER "/run/hygie/store"
#define KEEP_NAME_MAX 64
#define KEEP_NAME_SIZE (KEEP_NAME_MAX + 8) /* with what makes it a copy's, and a NUL */

struct keep;

struct keep_listener {
	/* A report to one peer; 0: to all. */
	void (*report)(void *context, unsigned peer, const struct wire_message *message);
	/* It is shut now. Must not free the keep. */
	void (*shut)(void *context);
};

/*
 * Whether it is a store's name, as envelope_name_is_valid() has it; or ".NAME.old" or
 * ".NAME.new", which are the two sides of a store that is being reencrypted.
 */
bool keep_name_is_valid(const char *name);

/*
 * Whether it is such a side. It is seen by root alone, at a place that is made for it and
 * removed after it; an opening is never joined to one that is there; it closes when nobody
 * is connected any more.
 */
bool keep_name_is_side(const char *name);

/*
 * Begins shut: clears what a killed keeper left mounted. KEEP_FOLDER is there. -EALREADY
 * while another one keeps that store. The caller frees the result.
 */
int keep_new(sd_event *loop, const char *name, const struct keep_listener *listener,
	     void *context, struct keep **ret_keep) must_check;
/* An open store is left to whoever cleans up after us. Takes NULL. */
void keep_free(struct keep *keep);

/* An order of that peer (not 0); a message that PROTOCOL_KEEPER allows. */
void keep_order(struct keep *keep, unsigned peer, const struct wire_message *order);

bool keep_is_shut(const struct keep *keep);
bool keep_is_side(const struct keep *keep);

/* We are to end: closes as KEEPER_CLOSE does. */
void keep_end(struct keep *keep);

/*
 * After a keeper that was killed: takes away the mount that its gocryptfs left dead. 0,
 * also when there is none; -EBUSY when that gocryptfs lives; else a negative errno.
 */
int keep_clear(const char *name) must_check;
