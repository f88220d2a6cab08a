/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the person: on the controlling terminal, or from standard input for scripts. The
 * answer goes by read(2) straight into a struct secret and no further.
 */
#pragma once

#include "libhygie/secret.h"

#include <stdbool.h>

struct prompt {
	const char *text; /* printable */
	bool echo;        /* whether the answer may be seen */
	size_t most;      /* bytes of an answer */
	int watched;      /* descriptor that ends the prompt when it becomes readable */
};

/*
 * Asks on /dev/tty. Ctrl-C and the like restore the terminal before they take effect;
 * after Ctrl-Z the question is asked again. 0 and a secret that the caller owns;
 * -ECANCELED at end of file or when `watched` spoke; -E2BIG when over `most` bytes;
 * -ENXIO when there is no terminal; another negative errno.
 */
int prompt_terminal(const struct prompt *prompt, struct secret **ret_answer) must_check;

/* Reads one line of standard input, and not a byte beyond it. Errors as above. */
int prompt_stdin(const struct prompt *prompt, struct secret **ret_answer) must_check;
