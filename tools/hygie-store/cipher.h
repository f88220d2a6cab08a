/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gocryptfs as a child process: it is told the secret by a pipe, never by an argument or
 * its environment; it ends when we do; what it says is logged.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct cipher;

/* Exit statuses of gocryptfs that mean something to us (its manual page). */
enum {
	CIPHER_EXIT_CIPHER = 6,    /* no such folder */
	CIPHER_EXIT_PASSWORD = 12, /* does not open it */
	CIPHER_EXIT_CONFIG = 23,   /* gocryptfs.conf cannot be opened */
	CIPHER_NOT_STARTED = 127,  /* ours: no such program */
};

struct cipher_callbacks {
	void (*mounted)(void *context); /* it serves */
	/* It ended, by itself or not: `status` as exit() has it, -1 for a signal. */
	void (*ended)(void *context, int status);
};

/*
 * Starts it to make an encrypted folder of `cipher`, or to serve it at `mount` under the
 * name `source`, with `read_only` so that nothing in it can be changed. The secret is in the pipe when this returns, and can be wiped. Signals
 * SIGCHLD and SIGUSR1 must be blocked. The caller frees the result, from a callback at
 * the earliest; freeing one that still runs kills it and waits for its end.
 */
int cipher_init(sd_event *loop, const char *cipher, const struct secret *secret,
		const struct cipher_callbacks *callbacks, void *context,
		struct cipher **ret_cipher) must_check;
int cipher_mount(sd_event *loop, const char *cipher, const char *mount,
		 const char *source, bool read_only, const struct secret *secret,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher) must_check;
void cipher_free(struct cipher *cipher);

pid_t cipher_pid(const struct cipher *cipher);
/* SIGKILL; `ended` follows. */
void cipher_kill(struct cipher *cipher);
/* The last line it said, "" for none: for the log. */
const char *cipher_said(const struct cipher *cipher);
