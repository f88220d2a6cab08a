/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each uid uses of the daemon: connections now, requests lately. Each pays for its
 * own; root, which serves everybody, is bound by the total alone, and a few places are
 * kept for it.
 */
#pragma once

#include "libhygie/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USAGE_UIDS_MAX 256

struct usage_entry {
	uid_t uid;
	unsigned connections;
	double requests; /* of the last minute, leaking away */
	uint64_t updated;
};

struct usage {
	unsigned connections;
	size_t count;
	struct usage_entry entries[USAGE_UIDS_MAX];
};

/* Counts one more connection of `uid` at the moment `now`; false when it has too many. */
bool usage_begin(struct usage *usage, const struct settings *settings, uid_t uid,
		 uint64_t now);
/* One that usage_begin accepted has ended. */
void usage_end(struct usage *usage, uid_t uid);
