/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a site's patience with a store that stays busy: SIGTERM to the programs that
 * hold it, never SIGKILL. Whether they go is theirs; the key is gotten rid of by whoever
 * calls this.
 */
#pragma once

#include "hygie-store/holders.h"
#include "libhygie/attributes.h"

/*
 * SIGTERM to each program that holds something of it, but `except`. 0 and who
 * they were, or a negative errno.
 */
int limit_terminate(const struct subject *subject, pid_t except,
		    struct holders *ret_holders) must_check;
