/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the n-th call of our own code fail: programs are linked a second time with
 * --wrap for each function below, so that calls inside libraries and modules are left
 * alone. A page shared with the test says who fails, when, and takes what came of it.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Counts one call of `name`; true when this is the one that fails. */
bool fault_due(const char *name);

/*
 * A wrapper: `type` name(`params`) called with `args` returns `failure` with errno
 * `error` when its turn has come. The linker makes __wrap_ and __real_ of it.
 */
#define FAULT(type, name, params, args, failure, error)                                  \
	type __real_##name params;                                                       \
	type __wrap_##name params;                                                       \
	type __wrap_##name params                                                        \
	{                                                                                \
		if (fault_due(#name)) {                                                  \
			errno = (error);                                                 \
			return (failure);                                                \
		}                                                                        \
		return __real_##name args;                                               \
	}
