/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a locker is seen to hold the screen, by its command; and the site's file.
 */
#include "hygie/locker.h"

#include "unit/cmocka_includes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The locker of a command line, as the file has it. */
static int make(const char *line, struct locker *ret_locker)
{
	static char text[4096];
	const char *words[OPTION_OPERANDS_MAX], *seen_by;
	int count;

	(void)snprintf(text, sizeof(text), "%s", line);
	count = locker_split(text, words, &seen_by);
	assert_true(count >= 0);
	return locker_make(words, (size_t)count, seen_by, ret_locker);
}

static void program_and_options_say_how_it_is_seen(void **state)
{
	static const struct {
		const char *line;
		enum locker_evidence evidence;
	} rows[] = {
		{ "i3lock", LOCKER_SEEN_BY_FORK },
		{ "/usr/bin/i3lock -c 203040", LOCKER_SEEN_BY_FORK },
		{ "i3lock -n", LOCKER_SEEN_BY_SLEEP_FD },
		{ "i3lock --nofork", LOCKER_SEEN_BY_SLEEP_FD },
		{ "i3lock -enc 203040", LOCKER_SEEN_BY_SLEEP_FD },
		{ "i3lock -inews.png", LOCKER_SEEN_BY_FORK },
		{ "i3lock -i --nofork-is-a-picture", LOCKER_SEEN_BY_FORK },
		{ "i3lock -- -n", LOCKER_SEEN_BY_FORK },
		{ "xsecurelock", LOCKER_SEEN_BY_SLEEP_FD },
		{ "swaylock", LOCKER_SEEN_BY_FORK },
		{ "swaylock -f -c 203040", LOCKER_SEEN_BY_FORK },
		{ "swaylock --ready-fd 3", LOCKER_SEEN_BY_READY_FD },
		{ "swaylock --ready-fd=3", LOCKER_SEEN_BY_READY_FD },
		{ "swaylock -R 3", LOCKER_SEEN_BY_READY_FD },
		{ "vlock", LOCKER_SEEN_BY_NOTHING },
		{ "my-i3lock -n", LOCKER_SEEN_BY_NOTHING },
		{ "i3lock.sh", LOCKER_SEEN_BY_NOTHING },
		{ "env i3lock", LOCKER_SEEN_BY_NOTHING },
		{ "--seen-by=nothing i3lock", LOCKER_SEEN_BY_NOTHING },
		{ "--seen-by=fork env i3lock", LOCKER_SEEN_BY_FORK },
		{ "--seen-by=sleep-fd lock-it", LOCKER_SEEN_BY_SLEEP_FD },
		{ "--seen-by=ready-fd sh -c lock>&3", LOCKER_SEEN_BY_READY_FD },
	};
	struct locker locker;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		print_message("%s\n", rows[i].line);
		assert_int_equal(make(rows[i].line, &locker), 0);
		assert_int_equal(locker.evidence, rows[i].evidence);
	}
}

static void evidence_that_cannot_be_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"--seen-by=fork",
		"--seen-by=hope i3lock",
		"--seen-by= i3lock",
	};
	struct locker locker;

	(void)state;
	for (size_t i = 0; i < array_size(lines); i++) {
		print_message("%s\n", lines[i]);
		assert_int_equal(make(lines[i], &locker), -EINVAL);
	}
}

static void file_has_comments_and_one_command(void **state)
{
	char text[] =
		"# the locker\n#i3lock\n--seen-by=fork\n  swaylock -f\n\t-c 203#40\n# -n\n";
	const char *words[OPTION_OPERANDS_MAX], *seen_by;

	(void)state;
	assert_int_equal(locker_split(text, words, &seen_by), 4);
	assert_string_equal(seen_by, "fork");
	assert_string_equal(words[0], "swaylock");
	assert_string_equal(words[1], "-f");
	assert_string_equal(words[2], "-c");
	assert_string_equal(words[3], "203#40");
}

static void only_the_first_word_is_ours(void **state)
{
	char text[] = "i3lock --seen-by=fork";
	const char *words[OPTION_OPERANDS_MAX], *seen_by;

	(void)state;
	assert_int_equal(locker_split(text, words, &seen_by), 2);
	assert_null(seen_by);
}

static void too_many_words_are_refused(void **state)
{
	char text[2 * OPTION_OPERANDS_MAX + 3] = "";
	const char *words[OPTION_OPERANDS_MAX], *seen_by;

	(void)state;
	for (int i = 0; i < OPTION_OPERANDS_MAX; i++)
		strcat(text, "a ");
	assert_int_equal(locker_split(text, words, &seen_by), OPTION_OPERANDS_MAX);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'a';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(locker_split(text, words, &seen_by), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_and_options_say_how_it_is_seen),
		cmocka_unit_test(evidence_that_cannot_be_is_refused),
		cmocka_unit_test(file_has_comments_and_one_command),
		cmocka_unit_test(only_the_first_word_is_ours),
		cmocka_unit_test(too_many_words_are_refused),
	};

	return cmocka_run_group_tests_name("locker", tests, NULL, NULL);
}
