/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ORDER_START, read into a struct: which module, which reader or token, what it may
 * touch, whom to become. The parser does no I/O and decides nothing about the card.
 */
#pragma once

#include "hygie-token/pin_rule.h"
#include "libhygie/wire.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define READER_NAME_MAX 128  /* pcsc-lite's MAX_READERNAME */
#define OTHER_READERS_MAX 15 /* pcsc-lite serves 16 */
#define DRIVER_MAX 32
#define TOKEN_URI_MAX 1024
#define PATHS_RW_MAX 8
#define ENVIRONMENT_MAX 8
#define ENVIRONMENT_ENTRY_MAX 512

struct start_order {
	char module[PATH_MAX];
	char reader[READER_NAME_MAX]; /* empty: a token by URI */
	char other_readers[OTHER_READERS_MAX][READER_NAME_MAX];
	size_t other_reader_count;
	char driver[DRIVER_MAX];       /* empty: not OpenSC */
	char token_uri[TOKEN_URI_MAX]; /* empty: a token by reader */
	char paths_rw[PATHS_RW_MAX][PATH_MAX];
	size_t path_rw_count;
	char environment[ENVIRONMENT_MAX][ENVIRONMENT_ENTRY_MAX];
	size_t environment_count;
	struct pin_rule pin;
	uint32_t no_pin_pad; /* not 0: whatever the reader says of its keys */
	uid_t user_id;
	gid_t group_id;
};

/*
 * Reads the order. The caller frees *ret_order with free(). -EBADMSG when a field is
 * missing, repeated, out of its bounds or against another (reader and URI, a driver
 * without a reader, uid or gid 0, a path that is not absolute or holds "..", a name of
 * environment that no profile may set); -ENOMEM.
 */
int start_order_parse(const struct wire_message *message,
		      struct start_order **ret_order) must_check;

/*
 * Whether a card profile may set this NAME=value for a module: upper-case names, none
 * that steers the loader, the C library, OpenSSL, OpenSC, pcsc-lite or p11-kit.
 */
bool environment_entry_is_allowed(const char *entry);
