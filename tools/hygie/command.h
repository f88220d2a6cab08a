/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a subcommand of hygie is, and which there are. The table of them is in hygie.c;
 * one file holds each.
 */
#pragma once

#include "options.h"

#define EXIT_USAGE 2

struct command {
	const char *words[2]; /* "config", "check"; the second may be NULL */
	int (*run)(const struct options *options); /* gives the exit status */
	const char *help;                          /* one line */
	const char *usage;                         /* what follows the words */
	unsigned options; /* enum option_bit, besides OPTION_COMMON */
	size_t operands_min, operands_max;
};

/* `options->operands` begins after the subcommand's words; their number has been checked.
 */
int command_status(const struct options *options);
int command_cards(const struct options *options);
int command_enroll(const struct options *options);
int command_revoke(const struct options *options);
int command_pin_change(const struct options *options);
int command_pin_unblock(const struct options *options);
int command_lock(const struct options *options);
int command_session_lock(const struct options *options);
int command_store_open(const struct options *options);
int command_store_close(const struct options *options);
int command_store_status(const struct options *options);
int command_secret_enable(const struct options *options);
int command_secret_disable(const struct options *options);
int command_secret_list(const struct options *options);
int command_secret_show(const struct options *options);
int command_secret_keyring(const struct options *options);
int command_config_check(const struct options *options);
int command_store_create(const struct options *options);
int command_store_list(const struct options *options);
int command_store_check(const struct options *options);
int command_store_add(const struct options *options);
int command_store_remove(const struct options *options);
int command_store_rotate(const struct options *options);
int command_store_recover(const struct options *options);
int command_store_recovery(const struct options *options);
int command_store_export(const struct options *options);
int command_store_import(const struct options *options);
int command_store_reencrypt(const struct options *options);
int command_pam_status(const struct options *options);
int command_pam_check(const struct options *options);
int command_pam_enable(const struct options *options);
int command_pam_disable(const struct options *options);
int command_pam_revert(const struct options *options);
