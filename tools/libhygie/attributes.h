/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiler attributes and cleanup helpers used everywhere. Nothing here has state.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((__format__(__printf__, text, first)))
#define cleanup_with(function) __attribute__((cleanup(function)))

/* Defines NAME, a cleanup function for owning locals of type TYPE * freed by FREE. */
#define define_cleanup(name, type, free_function)                                        \
	/* NOLINTNEXTLINE(bugprone-macro-parentheses): a type cannot have them */        \
	static inline void name(type **owned)                                            \
	{                                                                                \
		free_function(*owned);                                                   \
	}

static inline void cleanup_free_function(void *owned)
{
	free(*(void **)owned);
}

static inline void cleanup_close_function(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* A malloc'ed local; a file descriptor local (-1 when it holds none). */
#define cleanup_free cleanup_with(cleanup_free_function)
#define cleanup_close cleanup_with(cleanup_close_function)

#define array_size(array) (sizeof(array) / sizeof((array)[0]))
