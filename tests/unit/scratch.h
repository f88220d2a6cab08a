/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A throw-away folder for one test, and files in it. Every failure is the test's. It lies
 * in memory where it can: the tests here kill processes, not the machine, and a busy
 * disk's fsync would make their time a matter of luck.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
	char path[64];
};

static inline int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	if (scratch == NULL)
		return -1;
	(void)umask(022);
	(void)snprintf(scratch->path, sizeof(scratch->path), "%s/hygie-test-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	*state = scratch;
	return mkdtemp(scratch->path) != NULL ? 0 : -1;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type,
				 struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;
	int r = nftw(scratch->path, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);

	free(scratch);
	return r;
}

/* The path of `name` in the folder, until the eighth next call. */
static inline const char *scratch_path(void **state, const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned turn;
	const struct scratch *scratch = *state;
	char *path = paths[turn++ % 8];

	(void)snprintf(path, PATH_MAX, "%s/%s", scratch->path, name);
	return path;
}

/* Writes a file of mode 0644 and returns its path. */
static inline const char *scratch_write(void **state, const char *name, const void *bytes,
					size_t size)
{
	const char *path = scratch_path(state, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(close(fd), 0);
	return path;
}

static inline const char *scratch_text(void **state, const char *name, const char *text)
{
	return scratch_write(state, name, text, strlen(text));
}

static inline const char *scratch_folder(void **state, const char *name)
{
	const char *path = scratch_path(state, name);

	assert_int_equal(mkdir(path, 0755), 0);
	return path;
}

#define assert_contains(text, part)                                                      \
	do {                                                                             \
		if (strstr((text), (part)) == NULL)                                      \
			fail_msg("\"%s\" does not contain \"%s\"", (text), (part));      \
	} while (0)

#define scratch_test(function)                                                           \
	cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)
