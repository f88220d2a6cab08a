/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public face of libhygie.so.0: a program asks a person for card and PIN. The library
 * loads no vendor's module and sees no key; it talks to hygied, which decides.
 * Thread-safe; it keeps no state. More operations (identify, sign, decrypt) will come
 * beside this one, in the same shape. Installed header; the others of this folder are
 * private.
 */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, such as "0.1.0". Static. */
const char *hygie_version(void);

/*
 * What the person is shown and asked. `text` is UTF-8, under 512 bytes, borrowed. `ask`
 * writes the answer (at most `size` bytes, no terminator needed) to `answer` and returns
 * its length; negative: the person gave up. `answer` lies in locked memory that is wiped
 * afterwards: write into it directly and keep no copy.
 */
struct hygie_conversation {
	void (*show)(void *context, const char *text);
	long (*ask)(void *context, const char *text, int echo, char *answer, size_t size);
	void *context;
};

/*
 * Has the user prove who he is with card and PIN. `user`: login name, or NULL for the
 * calling user (for root: whoever the card says). `service`: a short name for the audit,
 * as PAM's. Blocks until hygied has decided; its deadlines bound the wait.
 *
 * 0: proven. Otherwise a positive number of hygie_outcome_name(), never 0 on an error.
 */
int hygie_authenticate(const char *user, const char *service,
		       const struct hygie_conversation *conversation);

/* A stable word for an outcome ("pin-wrong", "no-card"). Static, never NULL. */
const char *hygie_outcome_name(int outcome);

/* One English sentence for a person: what is wrong and what to do next. Static. */
const char *hygie_outcome_text(int outcome);

#ifdef __cplusplus
}
#endif
