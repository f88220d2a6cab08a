/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trusted_file: every way in which somebody else could have put a file there is refused,
 * with a sentence that names the file and what to do. The owner is whoever runs the test.
 */
#include "unit/scratch.h"

#include "libhygie/trusted_file.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Reads a file as its owner; frees what was read. */
static int read_as(const char *path, uid_t owner, struct file_error *ret_error)
{
	cleanup_free char *text = NULL;
	size_t size;

	return trusted_file_read(path, owner, 64, &text, &size, ret_error);
}

static void assert_refused(const char *path, int fault, const char *what)
{
	struct file_error error = { "" };

	assert_int_equal(read_as(path, geteuid(), &error), fault);
	assert_contains(error.text, what);
	assert_contains(error.text, path[0] == '/' ? "/" : path);
}

static void an_owned_file_is_read_whole(void **state)
{
	static const char bytes[] = "one\0two";
	const char *path = scratch_write(state, "file", bytes, sizeof(bytes));
	cleanup_free char *text = NULL;
	size_t size;

	assert_int_equal(trusted_file_read(path, geteuid(), 64, &text, &size, NULL), 0);
	assert_int_equal(size, sizeof(bytes));
	assert_memory_equal(text, bytes, sizeof(bytes));
	assert_int_equal(text[size], '\0');
}

static void an_empty_file_is_read(void **state)
{
	struct file_error error;

	assert_int_equal(read_as(scratch_text(state, "empty", ""), geteuid(), &error), 0);
}

static void a_file_at_the_bound_is_read_and_one_byte_more_is_refused(void **state)
{
	char bytes[65];
	struct file_error error;
	const char *path;

	memset(bytes, 'x', sizeof(bytes));
	path = scratch_write(state, "file", bytes, 64);
	assert_int_equal(read_as(path, geteuid(), &error), 0);
	path = scratch_write(state, "file", bytes, 65);
	assert_int_equal(read_as(path, geteuid(), &error), -EFBIG);
	assert_contains(error.text, "larger than 64 bytes");
	assert_contains(error.text, path);
}

static void a_missing_file_and_a_missing_folder_say_enoent(void **state)
{
	assert_refused(scratch_path(state, "none"), -ENOENT, "does not exist");
	assert_refused(scratch_path(state, "none/file"), -ENOENT, "none: does not exist");
}

static void a_file_of_another_owner_is_refused(void **state)
{
	const char *path = scratch_text(state, "file", "x");
	struct file_error error;

	assert_int_equal(read_as(path, geteuid() + 1, &error), -EPERM);
	/* Root's scratch folder will do as a parent; another's will not. */
	assert_contains(error.text, "belongs to user");
	assert_contains(error.text, "run chown");
}

static void a_file_that_its_group_or_all_can_write_is_refused(void **state)
{
	const char *path = scratch_text(state, "file", "x");

	assert_int_equal(chmod(path, 0664), 0);
	assert_refused(path, -EPERM, "can be written by its group: run chmod go-w");
	assert_int_equal(chmod(path, 0646), 0);
	assert_refused(path, -EPERM, "can be written by everybody: run chmod go-w");
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(read_as(path, geteuid(), NULL), 0);
}

static void a_parent_that_others_can_write_is_refused(void **state)
{
	const char *outer = scratch_folder(state, "outer");
	const char *path;

	scratch_folder(state, "outer/inner");
	path = scratch_text(state, "outer/inner/file", "x");
	assert_int_equal(read_as(path, geteuid(), NULL), 0);
	assert_int_equal(chmod(outer, 0775), 0);
	assert_refused(path, -EPERM, "outer: can be written by its group");
	assert_int_equal(chmod(outer, 0755), 0);
	assert_int_equal(chmod(scratch_path(state, "outer/inner"), 0757), 0);
	assert_refused(path, -EPERM, "inner: can be written by everybody");
}

static void a_sticky_folder_will_do_further_up_but_not_around_the_file(void **state)
{
	const char *folder = scratch_folder(state, "sticky");
	const char *path = scratch_text(state, "sticky/file", "x");

	assert_int_equal(chmod(folder, 01777), 0);
	assert_refused(path, -EPERM, "sticky: can be written by everybody");
	scratch_folder(state, "sticky/inner");
	path = scratch_text(state, "sticky/inner/file", "x");
	if (geteuid() == 0)
		assert_int_equal(read_as(path, 0, NULL), 0);
	else /* sticky, but not root's */
		assert_refused(path, -EPERM, "sticky: can be written by everybody");
}

static void a_symbolic_link_is_refused_as_file_and_as_folder(void **state)
{
	const char *folder = scratch_folder(state, "folder");
	const char *path = scratch_text(state, "folder/file", "x");

	assert_int_equal(symlink(path, scratch_path(state, "link")), 0);
	assert_refused(scratch_path(state, "link"), -ELOOP, "link: is a symbolic link");
	assert_int_equal(symlink(folder, scratch_path(state, "way")), 0);
	assert_refused(scratch_path(state, "way/file"), -ELOOP,
		       "way: is a symbolic link");
	assert_int_equal(symlink("nowhere", scratch_path(state, "dangling")), 0);
	assert_refused(scratch_path(state, "dangling"), -ELOOP, "is a symbolic link");
}

static void a_second_hard_link_is_refused_unless_allowed(void **state)
{
	const char *path = scratch_text(state, "file", "x");
	int fd = -1;

	assert_int_equal(link(path, scratch_path(state, "other")), 0);
	assert_refused(path, -EPERM, "has 2 hard links");
	assert_int_equal(trusted_file_open(path, geteuid(), TRUSTED_ANY_LINKS, &fd, NULL),
			 0);
	assert_int_equal(close(fd), 0);
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
	const char *path = scratch_path(state, "pipe");

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(path, -EPERM, "is not a regular file");
	assert_refused(scratch_folder(state, "folder"), -EPERM, "is not a regular file");
}

static void a_path_that_is_not_plain_is_refused(void **state)
{
	static const char *const paths[] = { "relative", "",          "/",
					     "/etc/",    "/etc/../x", "/./x",
					     "//etc/x",  "/etc//x",   "/etc/.." };
	struct file_error error;

	(void)state;
	for (size_t i = 0; i < array_size(paths); i++) {
		assert_int_equal(read_as(paths[i], geteuid(), &error), -EINVAL);
		assert_contains(error.text, "is not a plain absolute path");
	}
}

static void an_error_shows_no_control_characters(void **state)
{
	struct file_error error;

	assert_int_equal(read_as(scratch_path(state, "a\033[2Jb\n"), geteuid(), &error),
			 -ENOENT);
	assert_contains(error.text, "a\\x1B[2Jb\\x0A");
	assert_null(strpbrk(error.text, "\033\n"));
}

static void a_folder_is_listed_sorted_by_suffix(void **state)
{
	const char *folder = scratch_folder(state, "folder");
	struct trusted_names names;

	scratch_text(state, "folder/20-b.conf", "");
	scratch_text(state, "folder/10-a.conf", "");
	scratch_text(state, "folder/.hidden.conf", "");
	scratch_text(state, "folder/.conf", "");
	scratch_text(state, "folder/30-c.conf.bak", "");
	assert_int_equal(trusted_folder_list(folder, ".conf", geteuid(), &names, NULL),
			 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.name[0], "10-a.conf");
	assert_string_equal(names.name[1], "20-b.conf");
	trusted_names_free(&names);
	assert_int_equal(names.count, 0);
}

static void a_folder_that_others_can_write_is_not_listed(void **state)
{
	const char *folder = scratch_folder(state, "folder");
	struct trusted_names names;
	struct file_error error;

	assert_int_equal(chmod(folder, 01777), 0);
	assert_int_equal(trusted_folder_list(folder, ".conf", geteuid(), &names, &error),
			 -EPERM);
	assert_contains(error.text, "can be written by everybody");
	assert_int_equal(trusted_folder_list(scratch_path(state, "none"), ".conf",
					     geteuid(), &names, &error),
			 -ENOENT);
	assert_int_equal(trusted_folder_list(scratch_text(state, "file", ""), ".conf",
					     geteuid(), &names, &error),
			 -ENOTDIR);
}

static void a_folder_of_too_many_files_is_refused(void **state)
{
	struct trusted_names names;
	const char *folder;
	char name[32];

	scratch_folder(state, "folder");
	for (int i = 0; i < 257; i++) {
		(void)snprintf(name, sizeof(name), "folder/%d.conf", i);
		scratch_text(state, name, "");
	}
	folder = scratch_path(state, "folder");
	assert_int_equal(trusted_folder_list(folder, ".conf", geteuid(), &names, NULL),
			 -E2BIG);
	assert_int_equal(unlink(scratch_path(state, "folder/0.conf")), 0);
	assert_int_equal(trusted_folder_list(folder, ".conf", geteuid(), &names, NULL),
			 0);
	trusted_names_free(&names);
}

/*
 * A file and a link that trade places for ever: what is read is always the file's own
 * text, never what the link leads to.
 */
static void a_link_swapped_in_meanwhile_is_never_followed(void **state)
{
	const char *path = scratch_text(state, "file", "good");
	const char *link_path = scratch_path(state, "link");
	const char *evil = scratch_text(state, "evil", "evil");
	unsigned good = 0, refused = 0;
	pid_t child;

	assert_int_equal(symlink(evil, link_path), 0);
	child = fork();
	if (child == 0) {
		/* Whatever becomes of the test. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() == 1)
			_exit(1);
		for (;;)
			(void)renameat2(AT_FDCWD, path, AT_FDCWD, link_path,
					RENAME_EXCHANGE);
	}
	assert_true(child > 0);
	for (unsigned i = 0; i < 2000000 && (good < 200 || refused < 200); i++) {
		cleanup_free char *text = NULL;
		size_t size;
		int r = trusted_file_read(path, geteuid(), 64, &text, &size, NULL);

		if (r == 0) {
			assert_string_equal(text, "good");
			good++;
		} else {
			assert_int_equal(r, -ELOOP);
			refused++;
		}
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(good > 0 && refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(an_owned_file_is_read_whole),
		scratch_test(an_empty_file_is_read),
		scratch_test(a_file_at_the_bound_is_read_and_one_byte_more_is_refused),
		scratch_test(a_missing_file_and_a_missing_folder_say_enoent),
		scratch_test(a_file_of_another_owner_is_refused),
		scratch_test(a_file_that_its_group_or_all_can_write_is_refused),
		scratch_test(a_parent_that_others_can_write_is_refused),
		scratch_test(a_sticky_folder_will_do_further_up_but_not_around_the_file),
		scratch_test(a_symbolic_link_is_refused_as_file_and_as_folder),
		scratch_test(a_second_hard_link_is_refused_unless_allowed),
		scratch_test(what_is_no_regular_file_is_refused_without_waiting),
		scratch_test(a_path_that_is_not_plain_is_refused),
		scratch_test(an_error_shows_no_control_characters),
		scratch_test(a_folder_is_listed_sorted_by_suffix),
		scratch_test(a_folder_that_others_can_write_is_not_listed),
		scratch_test(a_folder_of_too_many_files_is_refused),
		scratch_test(a_link_swapped_in_meanwhile_is_never_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
