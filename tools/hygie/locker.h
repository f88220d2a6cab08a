/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A screen locker as it is to be run: its command, and how it is seen to hold the screen.
 */
#pragma once

#include "libhygie/attributes.h"
#include "options.h"

#define LOCKER_FILE "/etc/hygie/locker"
#define LOCKER_FD 3 /* the descriptor by which a locker tells that it holds */

enum locker_evidence {
	LOCKER_SEEN_BY_NOTHING = 1, /* it never is */
	/* Its first process ends with 0, and another one of it goes on. */
	LOCKER_SEEN_BY_FORK,
	/* It closes the descriptor that XSS_SLEEP_LOCK_FD names (LOCKER_FD), and goes on. */
	LOCKER_SEEN_BY_SLEEP_FD,
	/* It, or what it calls, writes to LOCKER_FD. */
	LOCKER_SEEN_BY_READY_FD,
};

struct locker {
	enum locker_evidence evidence;
	const char *argv[OPTION_OPERANDS_MAX + 1]; /* borrowed; ends in NULL */
};

/*
 * The locker of these words, whose strings are borrowed. `seen_by` is what --seen-by says,
 * or NULL: then the program's name decides. 0; -EINVAL for a word that is no evidence.
 */
int locker_make(const char *const words[], size_t count, const char *seen_by,
		struct locker *ret_locker) must_check;

/*
 * Splits what LOCKER_FILE says, in place: lines that begin with "#" aside, words with
 * blanks between. The first may be --seen-by=HOW. Gives the number of the other words, at
 * most OPTION_OPERANDS_MAX; -E2BIG beyond.
 */
int locker_split(char *text, const char *ret_words[OPTION_OPERANDS_MAX],
		 const char **ret_seen_by) must_check;

/*
 * The locker that the command line names, else LOCKER_FILE. 0, or the exit status of what
 * it told to be wrong. Its strings are the command line's, or in *ret_text, which the
 * caller frees after the locker's last use.
 */
int locker_choose(const struct options *options, char **ret_text,
		  struct locker *ret_locker) must_check;
