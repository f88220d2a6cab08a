/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the helper says to hygied. The module shares this process and could write to the
 * same socket: hygied believes nothing that comes from here. What this file does promise
 * is that an honest module's chatter (stdout, stderr) never lands on the socket.
 */
#pragma once

#include "hygie-token/failure.h"
#include "libhygie/wire.h"

/* The socket to hygied, as it was inherited. */
#define TOKEN_SOCKET 3

/* Sends, waiting for room in the queue: hygied may be slow, but it ends us when it goes.
 */
int report_send(const struct wire_message *message) must_check;

/* REPORT_FAILED with outcome, text and, where known, the token's flags; then _exit. */
_Noreturn void report_failure_and_exit(const struct failure *failure);

/*
 * The end of every helper: at once, with no C_CloseSession and no C_Finalize. After a
 * login that worked login.c has let the card go already, by a reset; in any other case no
 * PIN is verified, or death inside the transaction makes pcscd reset the card. hygied
 * resets it once more.
 */
_Noreturn void helper_exit(int status);
