/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two short PC/SC jobs that may block for as long as another program holds the reader,
 * and so each run in a thread of their own: resetting a card (every PIN state on it ends,
 * and who selected another application is undone), and probing whether the reader is
 * free.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct reset;

enum reset_kind {
	RESET_CARD,   /* connect, disconnect with a reset */
	PROBE_READER, /* connect, take and give back the transaction; nothing is changed */
};

/* `done` is false when pcscd refused (no card, no reader, no service). */
typedef void (*reset_callback)(void *context, bool done);

/*
 * Starts the job on the card in `reader`; `callback` comes on `loop` when it has ended.
 * The caller owns the result and frees it, in the callback too.
 */
int reset_start(sd_event *loop, const char *reader, enum reset_kind kind,
		reset_callback callback, void *context,
		struct reset **ret_reset) must_check;

/* Whether its thread has ended, even where the callback could not be told. */
bool reset_has_ended(const struct reset *reset);

/* Forgets the job; takes NULL. Its thread ends by itself once pcscd lets it. */
void reset_free(struct reset *reset);
