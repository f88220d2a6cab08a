/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches pcscd's readers without polling: one thread that blocks in SCardGetStatusChange
 * and tells the event loop through a pipe. It also notices pcscd itself coming and going
 * (by inotify on its folder, since the library has no event for that).
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define READER_NAME_MAX 128 /* pcsc-lite's MAX_READERNAME */
#define ATR_MAX 33          /* ISO/IEC 7816-3 */

struct readers;

enum reader_change {
	READERS_SERVICE_UP = 1, /* pcscd answers */
	READERS_SERVICE_DOWN,   /* pcscd is gone; all its readers and cards with it */
	READER_CHANGED,         /* the reader appeared, or its card changed */
	READER_GONE,            /* unplugged */
};

struct reader_event {
	enum reader_change change;
	char name[READER_NAME_MAX];
	bool present;         /* a card is in */
	bool mute;            /* it is in and gives no answer to reset */
	uint32_t count;       /* pcscd's counter of insertions and removals (16 bits) */
	uint8_t atr[ATR_MAX]; /* of `atr_size` bytes, 0 when none */
	size_t atr_size;
};

typedef void (*reader_callback)(void *context, const struct reader_event *event);

/*
 * Starts the thread and calls `callback` on `loop` for every change from now on,
 * beginning with what is there. Negative errno on failure. The caller owns the result.
 */
int readers_start(sd_event *loop, reader_callback callback, void *context,
		  struct readers **ret_readers) must_check;

/* Stops the thread and frees; takes NULL. No callback comes afterwards. */
void readers_free(struct readers *readers);
