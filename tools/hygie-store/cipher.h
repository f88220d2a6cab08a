/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What encrypts a store, as a child process: gocryptfs, or our own hygie-fscrypt. It is told
 * the secret by a pipe, never by an argument or its environment; it ends when we do, and
 * with it the key; what it says is logged.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct cipher;

#define CIPHER_RECORD_FD 4 /* where a hygie-fscrypt has the store's record */

/*
 * Exit statuses that mean something: of gocryptfs (its manual page), and of hygie-fscrypt,
 * which has the first two as well.
 */
enum {
	CIPHER_EXIT_CIPHER = 6,    /* no such folder, or unfit */
	CIPHER_EXIT_PASSWORD = 12, /* does not open it */
	CIPHER_EXIT_CONFIG = 23,   /* gocryptfs.conf cannot be opened */
	CIPHER_EXIT_NO_ENCRYPTION =
		100,              /* hygie-fscrypt: the file system does not encrypt */
	CIPHER_EXIT_HELD = 101,   /* hygie-fscrypt: the key is gone, files are in use */
	CIPHER_NOT_STARTED = 127, /* ours: no such program */
};

struct cipher_callbacks {
	/* It serves. hygie-fscrypt, later: it is not mounted any more, but in use. */
	void (*mounted)(void *context);
	/* It ended, by itself or not: `status` as exit() has it, -1 for a signal. */
	void (*ended)(void *context, int status);
};

/*
 * Starts it to make an encrypted folder of the subject's, or to serve it at its mount, with
 * `read_only` so that nothing in it can be changed. The secret is in the pipe when this
 * returns, and can be wiped. Signals SIGCHLD, SIGUSR1 and SIGHUP must be blocked. `record`: its lock
 * is held by a hygie-fscrypt as well, so that nobody opens the store while it closes it. The
 * caller frees the result, from a callback at the earliest; freeing one that still runs
 * ends it and waits for that.
 */
int cipher_init(sd_event *loop, const struct subject *subject,
		const struct secret *secret, const struct cipher_callbacks *callbacks,
		void *context, struct cipher **ret_cipher) must_check;
int cipher_mount(sd_event *loop, const struct subject *subject, bool read_only,
		 int record, const struct secret *secret,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher) must_check;

/*
 * Of an fscrypt whose process died while it was mounted: starts one that takes away mount
 * and key, and ends as that would have.
 */
int cipher_close(sd_event *loop, const struct subject *subject, int record,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher) must_check;
void cipher_free(struct cipher *cipher);

pid_t cipher_pid(const struct cipher *cipher);
/* Its end, and the key's, whoever uses the store; `ended` follows. */
void cipher_kill(struct cipher *cipher);
/* hygie-fscrypt: the store may be in use no more, look at once. Takes NULL. */
void cipher_look(const struct cipher *cipher);
/* What it is called: for the log. */
const char *cipher_program(enum backend backend);
/* The last line it said, "" for none: for the log. */
const char *cipher_said(const struct cipher *cipher);
