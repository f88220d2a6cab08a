/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The throw-away PKI of tests/pki/pki.py for unit tests, in a folder of the test program's
 * own, removed at the end. Tests run from the root of the repository. HYGIE_TEST_PKI may name
 * a folder that pki.py has filled already: then that is copied, and nothing is made.
 */
#pragma once

#include "hygied/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <spawn.h>
#include <string.h>

static char pki_dir[64];

/* Runs a program to its end; its exit status, or -1. */
static inline int pki_run(const char *const arguments[])
{
	extern char **environ;
	int status;
	pid_t pid;

	/* posix_spawn promises not to change them, but its type does not say so. */
	if (posix_spawnp(&pid, arguments[0], NULL, NULL,
			 (char *const *)(uintptr_t)arguments, environ) != 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static inline int pki_group_setup(void **state)
{
	const char *made = getenv("HYGIE_TEST_PKI");

	(void)state;
	(void)snprintf(pki_dir, sizeof(pki_dir), "/tmp/hygie-pki-XXXXXX");
	if (mkdtemp(pki_dir) == NULL)
		return -1;
	if (made != NULL)
		return pki_run((const char *const[]){ "cp", "-rT", made, pki_dir, NULL });
	return pki_run((const char *const[]){ "/usr/bin/python3", "-B",
					      "tests/pki/pki.py", pki_dir, NULL });
}

static inline int pki_group_teardown(void **state)
{
	(void)state;
	return pki_run((const char *const[]){ "rm", "-rf", pki_dir, NULL });
}

/* The whole file; fails the test if it cannot be read. The caller frees it. */
static inline uint8_t *pki_read(const char *path, size_t *ret_size)
{
	enum { LIMIT = 128 * 1024 };
	FILE *file = fopen(path, "re");
	uint8_t *bytes = malloc(LIMIT);

	if (file == NULL || bytes == NULL)
		fail_msg("%s: cannot be read", path);
	*ret_size = fread(bytes, 1, LIMIT, file);
	assert_in_range(*ret_size, 1, LIMIT - 1);
	(void)fclose(file);
	return bytes;
}

static inline uint8_t *pki_leaf_bytes(const char *scheme, const char *name,
				      size_t *ret_size)
{
	char path[8192];

	(void)snprintf(path, sizeof(path), "%s/leaf/%s/%s.der", pki_dir, scheme, name);
	return pki_read(path, ret_size);
}

/* The certificate of leaf/SCHEME/NAME.der; fails the test if it does not parse. */
static inline struct certificate *pki_leaf(const char *scheme, const char *name)
{
	struct certificate *c = NULL;
	size_t size;
	uint8_t *der = pki_leaf_bytes(scheme, name, &size);

	if (certificate_parse(der, size, &c) != 0)
		fail_msg("%s/%s does not parse", scheme, name);
	free(der);
	return c;
}

/* Runs a script of sh, which sees the two texts as $1 and $2. */
static inline void pki_shell(const char *script, const char *first, const char *second)
{
	assert_int_equal(pki_run((const char *const[]){ "sh", "-ec", script, "sh", first,
							second, NULL }),
			 0);
}
