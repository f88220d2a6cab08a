/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct secret: bounds, wiping, and what the kernel says of its pages.
 */
#include "libhygie/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

static void new_secret_is_empty_and_has_its_room(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(64, &secret), 0);
	assert_int_equal(secret_size(secret), 0);
	assert_int_equal(secret_capacity(secret), 64);
}

static void secret_without_room_takes_nothing(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(0, &secret), 0);
	assert_int_equal(secret_append(secret, "", 0), 0);
	assert_int_equal(secret_append(secret, "x", 1), -ENOSPC);
}

static void secret_over_a_mebibyte_is_refused(void **state)
{
	struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(1024 * 1024 + 1, &secret), -EINVAL);
	assert_int_equal(secret_new(SIZE_MAX, &secret), -EINVAL);
	assert_null(secret);
}

static void copy_holds_the_bytes(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new_from("12\0\xFF", 4, &secret), 0);
	assert_int_equal(secret_size(secret), 4);
	assert_memory_equal(secret_bytes_const(secret), "12\0\xFF", 4);
}

static void append_over_the_room_writes_nothing(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(4, &secret), 0);
	assert_int_equal(secret_append(secret, "abc", 3), 0);
	assert_int_equal(secret_append(secret, "de", 2), -ENOSPC);
	assert_int_equal(secret_append(secret, "f", SIZE_MAX), -ENOSPC);
	assert_int_equal(secret_size(secret), 3);
	assert_int_equal(secret_bytes(secret)[3], 0);
	assert_int_equal(secret_append(secret, "d", 1), 0);
	assert_memory_equal(secret_bytes(secret), "abcd", 4);
}

static void shortening_wipes_what_is_cut_off(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new_from("abcdef", 6, &secret), 0);
	secret_set_size(secret, 2);
	assert_memory_equal(secret_bytes(secret), "ab\0\0\0\0", 6);
}

static void size_never_exceeds_the_room(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(8, &secret), 0);
	secret_set_size(secret, 9);
	assert_int_equal(secret_size(secret), 8);
}

/* Whether a field of /proc/self/smaps, for the mapping of `address`, holds `word`. */
static bool mapping_says(const void *address, const char *field, const char *word)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool here = false, found = false;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		uintptr_t begin, end;

		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			here = begin <= (uintptr_t)address && (uintptr_t)address < end;
		else if (here && strncmp(line, field, strlen(field)) == 0)
			found = strstr(line, word) != NULL;
	}
	(void)fclose(file);
	return found;
}

static void pages_are_locked_undumped_and_wiped_in_a_child(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new_from("271828", 6, &secret), 0);
	assert_true(mapping_says(secret_bytes(secret), "VmFlags:", " lo"));
	assert_true(mapping_says(secret_bytes(secret), "VmFlags:", " dd"));
	assert_true(mapping_says(secret_bytes(secret), "VmFlags:", " wf"));
}

static void forked_child_sees_zeros(void **state)
{
	cleanup_secret struct secret *secret = NULL;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(secret_new_from("271828", 6, &secret), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(memcmp(secret_bytes(secret), "\0\0\0\0\0\0", 6) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_memory_equal(secret_bytes(secret), "271828", 6);
}

/* In a child, since a limit cannot be raised again by everybody. */
static int secret_under_limit(rlim_t limit)
{
	const struct rlimit memlock = { .rlim_cur = limit, .rlim_max = limit };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct secret *secret;

		/* As an ordinary user: root's locking has no limit. */
		if (setrlimit(RLIMIT_MEMLOCK, &memlock) < 0 || setuid(65534) < 0)
			_exit(100);
		_exit(-secret_new(64, &secret));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void confined_process_still_gets_a_secret(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(secret_under_limit(0), 0);
}

static void many_secrets_over_an_ample_limit_are_refused_not_unlocked(void **state)
{
	const struct rlimit ample = { .rlim_cur = 1024 * 1024, .rlim_max = 1024 * 1024 };
	int status;
	pid_t pid;

	(void)state;
	if (getuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int r = 0;

		if (setrlimit(RLIMIT_MEMLOCK, &ample) < 0 || setuid(65534) < 0)
			_exit(100);
		for (int i = 0; i < 3 && r == 0; i++) {
			struct secret *secret; /* kept: its pages count */

			r = secret_new(512 * 1024, &secret);
		}
		_exit(-r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

static void free_takes_null(void **state)
{
	(void)state;
	secret_free(NULL);
}

static void wipe_leaves_zeros(void **state)
{
	char bytes[] = "271828";

	(void)state;
	wipe(bytes + 1, 4);
	assert_memory_equal(bytes,
			    "2\0\0\0\0"
			    "8",
			    6);
	wipe(bytes, 0);
	wipe(NULL, 0);
	assert_int_equal(bytes[0], '2');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_secret_is_empty_and_has_its_room),
		cmocka_unit_test(secret_without_room_takes_nothing),
		cmocka_unit_test(secret_over_a_mebibyte_is_refused),
		cmocka_unit_test(copy_holds_the_bytes),
		cmocka_unit_test(append_over_the_room_writes_nothing),
		cmocka_unit_test(shortening_wipes_what_is_cut_off),
		cmocka_unit_test(size_never_exceeds_the_room),
		cmocka_unit_test(pages_are_locked_undumped_and_wiped_in_a_child),
		cmocka_unit_test(forked_child_sees_zeros),
		cmocka_unit_test(confined_process_still_gets_a_secret),
		cmocka_unit_test(
			many_secrets_over_an_ample_limit_are_refused_not_unlocked),
		cmocka_unit_test(free_takes_null),
		cmocka_unit_test(wipe_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
