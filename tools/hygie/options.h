/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of hygie: long options, which may stand before or after the
 * subcommand, and operands. A table says which options there are; each subcommand says
 * which of them it takes.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>

#define OPTION_OPERANDS_MAX 64

/*
 * The subcommand whose operands are another program's command line: from the first of
 * them on, no word is an option of ours.
 */
#define OPTION_VERBATIM "session-lock"

enum option_bit {
	OPTION_HELP = 1u << 0,
	OPTION_VERSION = 1u << 1,
	OPTION_JSON = 1u << 2,
	OPTION_SOCKET = 1u << 3,
	OPTION_PIN_STDIN = 1u << 4,
	OPTION_REASSIGN = 1u << 5,
	OPTION_READER = 1u << 6,
	OPTION_USER = 1u << 7,
	OPTION_REASON = 1u << 8,
	OPTION_CONFIG = 1u << 9,
	OPTION_REQUIRED = 1u << 10,
	OPTION_CONFIRM = 1u << 11,
	OPTION_NO_CONFIRM = 1u << 12,
	OPTION_ALL = 1u << 13,
	OPTION_WATCH = 1u << 14,
	OPTION_SEEN_BY = 1u << 15,
	OPTION_GROUP = 1u << 16,
	OPTION_MOUNT = 1u << 17,
	OPTION_CIPHER = 1u << 18,
	OPTION_UNTIL = 1u << 19,
	OPTION_NO_GRANT = 1u << 20,
	OPTION_NEW = 1u << 21,
	OPTION_BACK = 1u << 22,
	OPTION_ABANDON = 1u << 23,
	OPTION_DISCARD = 1u << 24,
	OPTION_BACKEND = 1u << 25,
	OPTION_CARD = 1u << 26,
};

/* Taken by every subcommand. */
#define OPTION_COMMON (OPTION_HELP | OPTION_VERSION | OPTION_JSON | OPTION_SOCKET)

/* What was given; strings are borrowed from argv, NULL when not given. */
struct options {
	unsigned given; /* enum option_bit */
	const char *socket, *reader, *user, *reason, *config, *confirm, *seen_by;
	const char *group, *mount, *cipher, *backend, *until;
	const char *operands[OPTION_OPERANDS_MAX];
	size_t operand_count;
};

/* What is wrong with a command line: an English sentence for translation, and its {1}. */
struct complaint {
	const char *template;
	const char *argument;
};

/*
 * Reads argv. 0; or -EINVAL with a complaint, which borrows from argv; ret_options is
 * filled as far as it was read, so that --json is known even then.
 */
int options_parse(int argc, char *argv[], struct options *ret_options,
		  struct complaint *ret_complaint) must_check;

/* The name of the first option in `bits` ("--reader"), for a sentence. */
const char *option_name(unsigned bits);
