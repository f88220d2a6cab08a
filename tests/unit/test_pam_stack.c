/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PAM lines and stacks: how they are read, and that what a stack comes to is what
 * Linux-PAM itself says of it: some thousand random stacks of pam_debug.so, whose answers
 * are its arguments, are run by both.
 */
#include "hygie/pam_stack.h"

#include "scratch.h"

#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>

#define ROUNDS 1000
#define ROUND_FILES 3

static struct pam_line parsed(const char *text)
{
	struct pam_line line;

	assert_int_equal(pam_line_parse(text, &line), 1);
	return line;
}

static void line_is_taken_apart(void **state)
{
	struct pam_line line = parsed(
		"-Auth [success=2 User_Unknown=ignore default=die] /a/pam_x.so  a [b c]");

	(void)state;
	assert_int_equal(line.what, PAM_LINE_MODULE);
	assert_int_equal(line.kind, PAM_KIND_AUTH);
	assert_true(line.quiet);
	assert_int_equal(line.action[PAM_SUCCESS], 2);
	assert_int_equal(line.action[PAM_USER_UNKNOWN], PAM_DO_IGNORE);
	assert_int_equal(line.action[PAM_MODULE_UNKNOWN], PAM_DO_DIE);
	assert_string_equal(line.control, "[success=2 User_Unknown=ignore default=die]");
	assert_string_equal(line.arguments, "a b c");
	assert_true(pam_line_calls(&line, "pam_x"));
	assert_false(pam_line_calls(&line, "pam"));
	pam_line_clear(&line);
}

static void blank_line_is_none(void **state)
{
	struct pam_line line;

	(void)state;
	assert_int_equal(pam_line_parse("", &line), 0);
	assert_int_equal(pam_line_parse(" \t ", &line), 0);
}

static void what_makes_no_sense_is_broken(void **state)
{
	static const char *const texts[] = {
		"authentication required pam_unix.so",
		"auth",
		"auth required",
		"auth mandatory pam_unix.so",
		"auth [success=0] pam_unix.so",
		"auth [success=-1] pam_unix.so",
		"auth [success=99999999999999999999] pam_unix.so",
		"auth [success] pam_unix.so",
		"auth [victory=ok] pam_unix.so",
		"auth [success=perhaps] pam_unix.so",
		"@include",
	};

	(void)state;
	for (size_t i = 0; i < array_size(texts); i++) {
		struct pam_line line = parsed(texts[i]);

		if (line.what != PAM_LINE_BROKEN || line.wrong == NULL)
			fail_msg("\"%s\" was understood", texts[i]);
		pam_line_clear(&line);
	}
}

/* pam_debug's answer: "auth=CODE" in its arguments. */
static int debug_answer(const struct pam_line *line, void *context)
{
	static const struct {
		const char *argument;
		int code;
	} rows[] = {
		{ "auth=success", PAM_SUCCESS },
		{ "auth=auth_err", PAM_AUTH_ERR },
		{ "auth=user_unknown", PAM_USER_UNKNOWN },
		{ "auth=ignore", PAM_IGNORE },
		{ "auth=authinfo_unavail", PAM_AUTHINFO_UNAVAIL },
		{ "auth=new_authtok_reqd", PAM_NEW_AUTHTOK_REQD },
	};

	(void)context;
	if (strcmp(line->module, "pam_no_such_module.so") == 0)
		return PAM_MODULE_UNKNOWN;
	for (size_t i = 0; i < array_size(rows); i++)
		if (strcmp(line->arguments, rows[i].argument) == 0)
			return rows[i].code;
	fail_msg("no answer for \"%s\"", line->arguments);
	return PAM_ABORT;
}

static int silent(int count, const struct pam_message **messages,
		  struct pam_response **responses, void *data)
{
	(void)count;
	(void)messages;
	(void)responses;
	(void)data;
	return PAM_CONV_ERR;
}

/* LeakSanitizer's, where it is linked in. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

/* libpam 1.5.2 keeps what it read of a stack that it then refuses: no leak of ours. */
static int start(const char *folder, const struct pam_conv *conversation,
		 pam_handle_t **ret_handle)
{
	int code;

	if (__lsan_disable)
		__lsan_disable();
	code = pam_start_confdir("s0", "nobody", conversation, folder, ret_handle);
	if (__lsan_enable)
		__lsan_enable();
	return code;
}

static int linux_pam_says(const char *folder)
{
	const struct pam_conv conversation = { silent, NULL };
	pam_handle_t *handle = NULL;
	int code;

	code = start(folder, &conversation, &handle);
	if (code != PAM_SUCCESS)
		return PAM_ABORT;
	code = pam_authenticate(handle, PAM_SILENT);
	(void)pam_end(handle, code);
	return code;
}

static const char *pick(const char *const *from, size_t count)
{
	return from[(size_t)rand() % count];
}

static void append_random_control(char *text, size_t size)
{
	static const char *const words[] = { "required", "requisite", "sufficient",
					     "optional" };
	static const char *const codes[] = { "success", "auth_err",       "user_unknown",
					     "ignore",  "module_unknown", "default" };
	static const char *const actions[] = { "ignore", "ok", "done", "bad", "die",
					       "reset",  "1",  "2",    "3",   "5" };
	size_t used = strlen(text);

	if (rand() % 3 == 0) {
		(void)snprintf(text + used, size - used, "%s ",
			       pick(words, array_size(words)));
		return;
	}
	used += (size_t)snprintf(text + used, size - used, "[");
	for (int n = 1 + rand() % 3; n > 0; n--)
		used += (size_t)snprintf(text + used, size - used, "%s=%s ",
					 pick(codes, array_size(codes)),
					 pick(actions, array_size(actions)));
	(void)snprintf(text + used, size - used, "default=%s] ",
		       pick(actions, array_size(actions)));
}

/* What is included is sought in the system's folders alone: hence the path. */
static void append_random_line(char *text, size_t size, const char *folder, int number)
{
	static const char *const answers[] = { "success",         "success",
					       "auth_err",        "user_unknown",
					       "ignore",          "authinfo_unavail",
					       "new_authtok_reqd" };
	size_t used = strlen(text);
	int what = number + 1 < ROUND_FILES ? rand() % 8 : 7;

	if (what < 2) {
		(void)snprintf(text + used, size - used, "auth %s %s/s%d\n",
			       what == 0 ? "substack" : "include", folder, number + 1);
		return;
	}
	if (what == 2) {
		(void)snprintf(text + used, size - used, "@include %s/s%d\n", folder,
			       number + 1);
		return;
	}
	(void)snprintf(text + used, size - used, "auth ");
	append_random_control(text, size);
	used = strlen(text);
	if (rand() % 9 == 0)
		(void)snprintf(text + used, size - used, "pam_no_such_module.so\n");
	else
		(void)snprintf(text + used, size - used, "pam_debug.so auth=%s\n",
			       pick(answers, array_size(answers)));
}

static void random_stacks_come_to_what_linux_pam_says(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	unsigned successes = 0;

	srand(20);
	(void)scratch_text(state, "other", "auth required pam_deny.so\n");
	for (int round = 0; round < ROUNDS; round++) {
		cleanup_pam_findings struct pam_findings findings = { 0 };
		cleanup_pam_stack struct pam_stack stack = { 0 };
		char texts[ROUND_FILES][2048];
		int expected;

		for (int k = 0; k < ROUND_FILES; k++) {
			char name[] = { 's', (char)('0' + k), '\0' };

			texts[k][0] = '\0';
			for (int n = 1 + rand() % 4; n > 0; n--)
				append_random_line(texts[k], sizeof(texts[k]),
						   place.folder[0], k);
			(void)scratch_text(state, name, texts[k]);
		}
		expected = linux_pam_says(place.folder[0]);
		successes += expected == PAM_SUCCESS;
		assert_int_equal(
			pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			0);
		if (pam_stack_run(&stack, debug_answer, NULL) != expected)
			fail_msg(
				"round %d: %d, Linux-PAM says %d\n--s0\n%s--s1\n%s--s2\n%s",
				round, pam_stack_run(&stack, debug_answer, NULL),
				expected, texts[0], texts[1], texts[2]);
	}
	assert_true(successes > ROUNDS / 50);
	assert_true(successes < ROUNDS * 9 / 10);
}

static void comments_and_continued_lines_are_read_as_linux_pam_reads_them(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "s0",
			   "# a comment that goes on \\\n"
			   "auth \\\n  required \\\n pam_debug.so auth=success # note\n"
			   "\n"
			   "account required pam_deny.so\n"
			   "auth required pam_debug.so auth=success");
	assert_int_equal(pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_int_equal(stack.count, 2);
	assert_int_equal(stack.line[0].line, 2);
	assert_int_equal(stack.line[1].line, 7);
	assert_string_equal(stack.line[0].arguments, "auth=success");
	assert_int_equal(pam_stack_run(&stack, debug_answer, NULL),
			 linux_pam_says(place.folder[0]));
	assert_int_equal(findings.count, 0);
}

static void missing_included_file_breaks_the_service_and_is_told(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "s0",
			   "auth required pam_debug.so auth=success\n@include gone\n");
	assert_int_equal(pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_true(stack.broken);
	assert_int_not_equal(pam_stack_run(&stack, debug_answer, NULL), PAM_SUCCESS);
	assert_int_equal(linux_pam_says(place.folder[0]), PAM_ABORT);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.finding[0].line, 2);
	assert_contains(findings.finding[0].text, "no such file");
}

static void missing_file_of_one_kind_refuses_by_its_line_alone(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };

	for (int i = 0; i < 2; i++) {
		cleanup_pam_findings struct pam_findings findings = { 0 };
		cleanup_pam_stack struct pam_stack stack = { 0 };

		(void)scratch_text(state, "s0",
				   i == 0 ? "auth required pam_debug.so auth=success\n"
					    "auth include gone\n"
					  : "auth sufficient pam_debug.so auth=success\n"
					    "auth substack gone\n");
		assert_int_equal(
			pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			0);
		assert_int_equal(pam_stack_run(&stack, debug_answer, NULL),
				 linux_pam_says(place.folder[0]));
		assert_int_equal(findings.count, 1);
	}
}

static void files_that_include_each_other_end(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "s0", "auth include s1\n");
	(void)scratch_text(state, "s1", "auth substack s0\n");
	assert_int_equal(pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_int_not_equal(pam_stack_run(&stack, debug_answer, NULL), PAM_SUCCESS);
	assert_true(findings.count > 0);
}

static void service_without_lines_of_the_kind_has_those_of_other(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "other", "auth required pam_deny.so\n");
	(void)scratch_text(state, "s0", "account required pam_permit.so\n");
	assert_int_equal(pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_true(stack.is_other);
	assert_int_equal(stack.count, 1);
	assert_true(pam_line_calls(&stack.line[0], "pam_deny"));
}

static void first_folder_that_has_the_service_wins(void **state)
{
	struct pam_place place = { { 0 } };
	cleanup_free char *etc = NULL, *vendor = NULL;

	place.folder[0] = scratch_folder(state, "etc");
	place.folder[1] = scratch_folder(state, "usr");
	(void)scratch_text(state, "usr/a", "");
	(void)scratch_text(state, "usr/b", "");
	(void)scratch_text(state, "etc/a", "");
	etc = pam_place_file(&place, "a");
	vendor = pam_place_file(&place, "b");
	assert_contains(etc, "etc/a");
	assert_contains(vendor, "usr/b");
	assert_null(pam_place_file(&place, "c"));
}

static void jump_beyond_the_end_is_seen(void **state)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "s0",
			   "auth [success=2 default=ignore] pam_debug.so auth=success\n"
			   "auth required pam_debug.so auth=success\n"
			   "auth required pam_debug.so auth=success\n");
	assert_int_equal(pam_stack_read(&place, "s0", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_false(pam_stack_jumps_out(&stack, 0, 2));
	assert_true(pam_stack_jumps_out(&stack, 0, 3));
	assert_true(pam_stack_jumps_out(&stack, 2, 1));
	assert_false(pam_stack_jumps_out(&stack, 2, PAM_DO_DIE));
}

#define with_scratch(test)                                                               \
	cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_taken_apart),
		cmocka_unit_test(blank_line_is_none),
		cmocka_unit_test(what_makes_no_sense_is_broken),
		with_scratch(random_stacks_come_to_what_linux_pam_says),
		with_scratch(
			comments_and_continued_lines_are_read_as_linux_pam_reads_them),
		with_scratch(missing_included_file_breaks_the_service_and_is_told),
		with_scratch(missing_file_of_one_kind_refuses_by_its_line_alone),
		with_scratch(files_that_include_each_other_end),
		with_scratch(service_without_lines_of_the_kind_has_those_of_other),
		with_scratch(first_folder_that_has_the_service_wins),
		with_scratch(jump_beyond_the_end_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
