/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of a dialogue with hygied, for the PAM module, the command and
 * programs: connect, ask, answer prompts, take the result. It keeps no state of its own
 * and links libc only.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/outcome.h"
#include "libhygie/protocol.h"
#include "libhygie/secret.h"
#include "libhygie/text.h"
#include "libhygie/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum client_tone { CLIENT_INFO, CLIENT_WARNING, CLIENT_PROGRESS };

/* A sentence in the client's hands; pointers are borrowed for the call. */
struct client_text {
	uint32_t id;                            /* enum hygie_text */
	const char *english;                    /* rendered, under HYGIE_TEXT_MAX */
	const struct text_arguments *arguments; /* for translation (translate.h) */
	const struct wire_message *message;     /* what it came in */
};

struct client_callbacks {
	/* Shows a sentence. NULL: shows none. */
	void (*show)(void *context, enum client_tone tone,
		     const struct client_text *text);
	/*
	 * Asks; `echo` says whether the answer may be seen. 0 and a secret that the
	 * caller takes over; or a negative errno: the person or the conversation gave up,
	 * or, with -E2BIG, what was typed is too long for a PIN and stays here.
	 * `fd` becomes readable when hygied ends the dialogue meanwhile (the card went):
	 * a callback that can watch it stops asking and returns -ECANCELED.
	 */
	int (*ask)(void *context, int fd, bool echo, const struct client_text *text,
		   struct secret **ret_answer);
	/* Takes the login secret of a success over. NULL: it is never copied. */
	void (*secret)(void *context, struct secret *secret);
	/* Takes one record of a list. NULL: ignores them. */
	void (*item)(void *context, const struct wire_message *item);
};

struct client_result {
	enum hygie_outcome outcome; /* zero: refused */
	char text[HYGIE_TEXT_MAX];  /* English, for a person; may be "" */
	char user[HYGIE_USER_MAX];  /* on success of an authentication */
	char holder[HYGIE_USER_MAX];
	char ticket[HYGIE_TICKET_MAX];
	uint64_t not_after; /* of the certificate; 0: none said */
	uint32_t flags;     /* enum result_flag */
	uint32_t text_id;   /* enum hygie_text: what `text` is made from, or TEXT_NONE */
	int error;          /* negative errno of a fault on this side, else 0: for logs */
	struct text_arguments arguments;
};

/* A result of the client's own making: `outcome` and its text, else empty. */
void client_result_set(struct client_result *ret_result, enum hygie_outcome outcome);

/*
 * A result of the client's own making, of a negative errno: HYGIE_UNAVAILABLE (no daemon,
 * it went away, or this process may not reach it), HYGIE_TIMED_OUT, HYGIE_BAD_REQUEST or
 * HYGIE_FAULT.
 */
void client_result_fault(struct client_result *ret_result, int error);

/*
 * Runs one dialogue: connects to `socket_path` (NULL: HYGIE_SOCKET_PATH), sends
 * `request`, serves callbacks until the result. `deadline` (deadline.h) bounds the whole
 * but for the time that `ask` takes, which is handed back to it; hygied bounds that one.
 * Always fills *ret_result: a fault as client_result_fault() does.
 */
void client_run(const char *socket_path, const struct wire_message *request,
		uint64_t deadline, const struct client_callbacks *callbacks,
		void *context, struct client_result *ret_result);
