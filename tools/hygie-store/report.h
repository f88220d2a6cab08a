/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's reports, as messages for the caller to send and free. NULL without memory.
 */
#pragma once

#include "hygie-store/disk.h"
#include "hygie-store/holders.h"
#include "libhygie/protocol.h"
#include "libhygie/wire.h"

#include <stddef.h>
#include <stdint.h>

struct wire_message *report_plain(enum wire_type type);
struct wire_message *report_failed(enum keeper_failure failure, const char *text);
/* KEEPER_NO_ENCRYPTION, of that file system. */
struct wire_message *report_no_encryption(const char *text, const struct disk *disk);
struct wire_message *report_closed(enum keeper_failure failure);
struct wire_message *report_busy(const struct holders *holders);
struct wire_message *report_forced(const struct holders *holders);
struct wire_message *report_state(const char *state, const void *note, size_t size,
				  uint64_t since, const struct holders *holders);
