/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings of sessions: what was written is read, by a later daemon too; what nobody can
 * have meant is refused.
 */
#include "hygied/binding.h"
#include "unit/scratch.h"

#include <errno.h>

static const struct binding example = {
	.session = "c2",
	.user = "alice",
	.uid = 1000,
	.key_id = { 0x01, 0xFF },
	.reader = "Reader 00 00",
	.service = "login",
	.since = 1700000000,
};

static const char *folder(void **state)
{
	return scratch_path(state, "sessions");
}

static void keep(void **state, const char *session)
{
	struct binding binding = example;

	(void)snprintf(binding.session, sizeof(binding.session), "%s", session);
	assert_int_equal(binding_write(folder(state), &binding), 0);
}

static void binding_is_read_as_it_was_written(void **state)
{
	struct binding binding;

	keep(state, "c2");
	assert_int_equal(binding_read(folder(state), "c2", &binding), 0);
	assert_string_equal(binding.session, "c2");
	assert_string_equal(binding.user, "alice");
	assert_int_equal(binding.uid, 1000);
	assert_memory_equal(binding.key_id, example.key_id, HYGIE_KEY_ID_SIZE);
	assert_string_equal(binding.reader, "Reader 00 00");
	assert_string_equal(binding.service, "login");
	assert_int_equal(binding.since, 1700000000);
}

static void folder_is_for_its_owner_alone(void **state)
{
	struct stat st;

	keep(state, "c2");
	assert_int_equal(stat(folder(state), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void later_card_takes_the_place_of_the_earlier_one(void **state)
{
	struct binding binding = example;

	keep(state, "c2");
	binding.key_id[0] = 0x77;
	assert_int_equal(binding_write(folder(state), &binding), 0);
	assert_int_equal(binding_read(folder(state), "c2", &binding), 0);
	assert_int_equal(binding.key_id[0], 0x77);
}

static void session_without_a_binding_has_none(void **state)
{
	struct binding binding;

	assert_int_equal(binding_read(folder(state), "c2", &binding), -ENOENT);
	keep(state, "c2");
	assert_int_equal(binding_read(folder(state), "c3", &binding), -ENOENT);
}

static void removed_binding_is_gone_and_removing_again_is_no_error(void **state)
{
	struct binding binding;

	keep(state, "c2");
	assert_int_equal(binding_remove(folder(state), "c2"), 0);
	assert_int_equal(binding_read(folder(state), "c2", &binding), -ENOENT);
	assert_int_equal(binding_remove(folder(state), "c2"), 0);
}

static void id_that_is_none_reaches_no_file(void **state)
{
	static const char *const wrong[] = { "",     ".",   "..",  "../c2", "/etc/passwd",
					     "c2/x", ".c2", "c 2", "c2\n",  "-c2" };
	struct binding binding = example;

	keep(state, "c2");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)strcpy(binding.session, wrong[i]);
		assert_int_equal(binding_write(folder(state), &binding), -EINVAL);
		assert_int_equal(binding_read(folder(state), wrong[i], &binding),
				 -EINVAL);
		assert_int_equal(binding_remove(folder(state), wrong[i]), -EINVAL);
	}
	assert_int_equal(binding_read(folder(state), "c2", &binding), 0);
}

static void text_of_two_lines_is_refused(void **state)
{
	struct binding binding = example;

	(void)strcpy(binding.reader, "Reader\nUID=0");
	assert_int_equal(binding_write(folder(state), &binding), -EINVAL);
}

static void file_that_makes_no_sense_is_no_binding(void **state)
{
	static const char *const wrong[] = {
		"",
		"USER=alice\n",
		"USER=alice\nUID=1000\nCARD=01ff\nREADER=r\nSERVICE=s\nSINCE=1\n",
	};
	struct binding binding;

	keep(state, "c2");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)scratch_text(state, "sessions/c3", wrong[i]);
		assert_int_equal(binding_read(folder(state), "c3", &binding), -EBADMSG);
	}
}

static void every_cut_of_a_file_is_refused(void **state)
{
	char text[4096], name[] = "sessions/c2";
	struct binding binding;
	FILE *file;
	size_t size;

	keep(state, "c2");
	file = fopen(scratch_path(state, name), "re");
	assert_non_null(file);
	size = fread(text, 1, sizeof(text), file);
	assert_int_equal(fclose(file), 0);
	for (size_t cut = 0; cut < size; cut++) {
		(void)scratch_write(state, name, text, cut);
		assert_int_equal(binding_read(folder(state), "c2", &binding), -EBADMSG);
	}
}

static void count_binding(void *context, const struct binding *binding)
{
	char *all = context;

	(void)strcat(all, binding->session);
	(void)strcat(all, " ");
}

static void all_bindings_are_walked_but_the_broken_one(void **state)
{
	char all[64] = "";

	assert_int_equal(bindings_each(folder(state), count_binding, all), 0);
	assert_string_equal(all, "");
	keep(state, "c3");
	keep(state, "12");
	(void)scratch_text(state, "sessions/c2", "nonsense");
	assert_int_equal(bindings_each(folder(state), count_binding, all), 0);
	assert_string_equal(all, "12 c3 ");
}

static void file_of_somebody_else_is_no_binding(void **state)
{
	struct binding binding;

	if (geteuid() != 0)
		skip();
	keep(state, "c2");
	assert_int_equal(chown(scratch_path(state, "sessions/c2"), 65534, 65534), 0);
	assert_int_equal(binding_read(folder(state), "c2", &binding), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(binding_is_read_as_it_was_written),
		scratch_test(folder_is_for_its_owner_alone),
		scratch_test(later_card_takes_the_place_of_the_earlier_one),
		scratch_test(session_without_a_binding_has_none),
		scratch_test(removed_binding_is_gone_and_removing_again_is_no_error),
		scratch_test(id_that_is_none_reaches_no_file),
		scratch_test(text_of_two_lines_is_refused),
		scratch_test(file_that_makes_no_sense_is_no_binding),
		scratch_test(every_cut_of_a_file_is_refused),
		scratch_test(all_bindings_are_walked_but_the_broken_one),
		scratch_test(file_of_somebody_else_is_no_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
