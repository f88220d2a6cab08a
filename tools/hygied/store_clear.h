/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a copy of a store: the one that a reencryption began (.NAME.new), or the one
 * that it left (.NAME.old). It may take long, so the client does it: it is told where the
 * files lie (ITEM "clear": TAG_FILE, and TAG_CIPHER, which may lie elsewhere), asked
 * TEXT_STORE_CLEAR, and answers when they are gone. The copy is locked meanwhile.
 */
#pragma once

#include "hygied/peer.h"
#include "hygied/store_stage.h"

/* `old`: the one that a reencryption left. */
void store_clear_begin(struct peer *peer, const struct store_stage *stage, bool old);
