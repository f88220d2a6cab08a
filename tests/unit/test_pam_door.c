/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of pam_succeed_if for supposed people, what a stack means for them, and what
 * pam-auth-update takes for its own.
 */
#include "hygie/pam_door.h"
#include "hygie/pam_managed.h"

#include "scratch.h"

#include <stdbool.h>

static void conditions_hold_for_whom_they_name(void **state)
{
	static const struct {
		const char *arguments;
		bool root, member, ordinary;
	} rows[] = {
		{ "quiet uid = 0", true, false, false },
		{ "uid eq 0 quiet", true, false, false },
		{ "uid >= 1000 quiet", false, true, true },
		{ "uid < 1000", true, false, false },
		{ "quiet user ingroup exempt", false, true, false },
		{ "user ingroup a:exempt:b", false, true, false },
		{ "user ingroup exempting", false, false, false },
		{ "user notingroup exempt", true, false, true },
		{ "user = root", true, false, false },
		{ "user != root quiet_success", false, true, true },
		{ "service in su:door", true, true, true },
		{ "service notin su:door", false, false, false },
		{ "uid = 0 service = door", true, false, false },
		{ "uid = 0 user != root", false, false, false },
		{ "shell = /bin/sh", false, false, false },
		{ "uid", false, false, false },
		{ "", false, false, false },
	};
	const struct pam_person root = { .root = true }, ordinary = { .root = false },
				member = { .group = "exempt" };

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		const char *text = rows[i].arguments;

		if (pam_person_passes(&root, "door", text) != rows[i].root ||
		    pam_person_passes(&member, "door", text) != rows[i].member ||
		    pam_person_passes(&ordinary, "door", text) != rows[i].ordinary)
			fail_msg("\"%s\"", text);
	}
}

static void group_of_a_condition_is_found(void **state)
{
	cleanup_free char *group = pam_condition_group("quiet uid > 9 user ingroup a:b");

	(void)state;
	assert_string_equal(group, "a");
	assert_null(pam_condition_group("quiet uid = 0"));
	assert_null(pam_condition_group("user ingroup"));
}

static void judge(void **state, const char *text, struct pam_door *ret_door)
{
	const struct pam_place place = { { ((struct scratch *)*state)->path } };
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };

	(void)scratch_text(state, "door", text);
	assert_int_equal(pam_stack_read(&place, "door", PAM_KIND_AUTH, &findings, &stack),
			 0);
	assert_int_equal(pam_door_judge(&stack, "door", ret_door), 0);
}

static void required_door_names_each_exempt_once(void **state)
{
	cleanup_pam_door struct pam_door door = { 0 };

	judge(state,
	      "auth [success=3 default=ignore] pam_succeed_if.so uid = 0\n"
	      "auth [success=2 default=ignore] pam_succeed_if.so user ingroup a\n"
	      "auth [success=1 default=ignore] pam_succeed_if.so user ingroup a\n"
	      "auth [success=done user_unknown=ignore default=die] pam_hygie.so\n"
	      "auth required pam_unix.so\n",
	      &door);
	assert_int_equal(door.card, PAM_CARD_REQUIRED);
	assert_int_equal(door.password, PAM_PASSWORD_CARDLESS);
	assert_int_equal(door.exempt_count, 2);
	assert_string_equal(door.exempt[0], "root");
	assert_string_equal(door.exempt[1], "@a");
}

static void exempt_line_that_jumps_wrong_exempts_nobody(void **state)
{
	cleanup_pam_door struct pam_door door = { 0 };

	judge(state,
	      "auth [success=2 default=ignore] pam_succeed_if.so uid = 0\n"
	      "auth [success=done user_unknown=ignore default=die] pam_hygie.so\n"
	      "auth sufficient pam_unix.so\n"
	      "auth required pam_deny.so\n",
	      &door);
	assert_int_equal(door.card, PAM_CARD_REQUIRED);
	assert_int_equal(door.exempt_count, 0);
}

static void card_behind_a_password_counts_as_both(void **state)
{
	cleanup_pam_door struct pam_door door = { 0 };

	judge(state, "auth requisite pam_unix.so\nauth required pam_hygie.so\n", &door);
	assert_int_equal(door.card, PAM_CARD_BOTH);
	assert_true(door.password_first);
	assert_true(door.asked);
}

/* PAM_AUTHTOK after the card is the login secret, where there is one. */
static void module_that_takes_a_login_secret_for_the_password_is_found(void **state)
{
	static const struct {
		const char *text;
		unsigned line; /* 0: none is */
	} rows[] = {
		{ "auth required pam_hygie.so\nauth required pam_unix.so\n", 2 },
		{ "auth required pam_hygie.so\nauth required pam_unix.so try_first_pass\n",
		  2 },
		{ "auth required pam_hygie.so\nauth required pam_sss.so x use_first_pass\n",
		  2 },
		{ "auth required pam_hygie.so\nauth sufficient pam_unix.so\n"
		  "auth required pam_deny.so\n",
		  2 },
		{ "auth requisite pam_unix.so\nauth required pam_hygie.so\n"
		  "auth required pam_sss.so use_first_pass\n",
		  3 },
		/* As nss-pam-ldapd has it: by pam_get_authtok(3), as pam_unix. */
		{ "auth required pam_hygie.so\nauth required pam_ldap.so\n", 2 },
		{ "auth required pam_hygie.so\nauth required pam_krb5.so force_first_pass\n",
		  2 },
		/* Asks again; asks in any case; comes before; is not needed; not reached. */
		{ "auth required pam_hygie.so\nauth required pam_sss.so try_first_pass\n",
		  0 },
		{ "auth required pam_hygie.so\n"
		  "auth required pam_sss.so not_use_first_pass use_first_passes\n",
		  0 },
		{ "auth required pam_unix.so\nauth required pam_hygie.so\n", 0 },
		{ "auth required pam_hygie.so\nauth optional pam_unix.so\n", 0 },
		{ "auth sufficient pam_hygie.so\nauth required pam_unix.so\n", 0 },
		{ "auth [success=1 default=ignore] pam_hygie.so\n"
		  "auth requisite pam_unix.so use_first_pass\nauth required pam_permit.so\n",
		  0 },
		{ "auth requisite pam_deny.so\nauth required pam_hygie.so\n"
		  "auth required pam_unix.so\n",
		  0 },
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		const struct pam_place place = { { ((struct scratch *)*state)->path } };
		cleanup_pam_findings struct pam_findings findings = { 0 };
		cleanup_pam_stack struct pam_stack stack = { 0 };
		cleanup_pam_door struct pam_door door = { 0 };
		unsigned line;

		(void)scratch_text(state, "door", rows[i].text);
		assert_int_equal(
			pam_stack_read(&place, "door", PAM_KIND_AUTH, &findings, &stack),
			0);
		assert_int_equal(pam_door_judge(&stack, "door", &door), 0);
		line = door.takes_secret ? door.takes_secret->line : 0;
		if (line != rows[i].line)
			fail_msg("row %zu: line %u", i, line);
	}
}

static const char start[] =
	"# here are the per-package modules (the \"Primary\" block)\n";
static const char middle[] =
	"# here's the fallback if no module succeeds\n"
	"auth requisite pam_deny.so\n"
	"# and here are more per-package modules (the \"Additional\" block)\n";
static const char end[] = "# end of pam-auth-update config\n";

/* Writes all five files, common-auth with these lines in its first block. */
static void managed_write(void **state, const char *saved, const char *current)
{
	char text[2048];

	for (size_t i = 0; i < PAM_MANAGED_FILES; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "common-%s", pam_managed_files[i]);
		(void)snprintf(text, sizeof(text), "%s%s%s%s", start,
			       i == 0 ? current : "", middle, end);
		(void)scratch_text(state, name, text);
		(void)scratch_text(state, pam_managed_files[i], i == 0 ? saved : "");
	}
}

static const char saved_lines[] =
	"Module: hygie\n[success=end default=ignore]\tpam_hygie.so\n"
	"Module: unix\n[success=end default=ignore]\tpam_unix.so nullok\n";

static void what_pam_auth_update_wrote_is_its_own(void **state)
{
	const char *folder = ((struct scratch *)*state)->path;
	const struct pam_managed managed = { folder, folder };
	cleanup_pam_findings struct pam_findings findings = { 0 };

	managed_write(state, saved_lines,
		      "auth\t[success=2 default=ignore]\tpam_hygie.so debug\n"
		      "auth\t[success=1 default=ignore]\tpam_unix.so\n");
	pam_managed_check(&managed, &findings);
	assert_int_equal(findings.count, 0);
	assert_int_equal(pam_profiles_enabled(&managed), PROFILE_OPTIONAL);
}

static void every_edit_that_it_would_not_merge_is_told(void **state)
{
	static const char *const edits[] = {
		"auth\t[success=2 default=ignore]\tpam_hygie.so\n# mine\n",
		"auth\t[success=2 default=ignore]\tpam_hygie.so\n\n",
		"auth\t[success=2 default=die]\tpam_hygie.so\n",
		"auth\t[success=2 default=ignore] pam_hygie.so\n",
		"auth\tsufficient\tpam_hygie.so\n",
		"auth\t[success=1 default=ignore]\tpam_unix.so\n"
		"auth\t[success=2 default=ignore]\tpam_hygie.so\n",
	};
	const char *folder = ((struct scratch *)*state)->path;
	const struct pam_managed managed = { folder, folder };

	for (size_t i = 0; i < array_size(edits); i++) {
		cleanup_pam_findings struct pam_findings findings = { 0 };

		managed_write(state, saved_lines, edits[i]);
		pam_managed_check(&managed, &findings);
		if (findings.count != 1 || findings.finding[0].line == 0)
			fail_msg("edit %zu: %zu findings", i, findings.count);
	}
}

#define with_scratch(test)                                                               \
	cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold_for_whom_they_name),
		cmocka_unit_test(group_of_a_condition_is_found),
		with_scratch(required_door_names_each_exempt_once),
		with_scratch(exempt_line_that_jumps_wrong_exempts_nobody),
		with_scratch(card_behind_a_password_counts_as_both),
		with_scratch(module_that_takes_a_login_secret_for_the_password_is_found),
		with_scratch(what_pam_auth_update_wrote_is_its_own),
		with_scratch(every_edit_that_it_would_not_merge_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
