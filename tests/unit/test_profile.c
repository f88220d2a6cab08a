/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile: which profile a card gets, which profiles are refused, and what the shipped
 * ones say. Runs in the project's folder.
 */
#include "unit/scratch.h"

#include "hygied/profile.h"
#include "hygied/profile_value.h"

#include <errno.h>

static struct config_errors errors;

#define PIN "module = x.so\npin_min = 4\npin_max = 8\n"

/* Loads one file's text as a folder of profiles. */
static int load(void **state, const char *text, struct profiles **ret_profiles)
{
	const char *folders[1];

	(void)mkdir(scratch_path(state, "cards.d"), 0755);
	scratch_text(state, "cards.d/x.conf", text);
	folders[0] = scratch_path(state, "cards.d");
	errors = (struct config_errors){ 0 };
	return profiles_load(folders, 1, geteuid(), ret_profiles, &errors);
}

static void assert_mistake(void **state, const char *text, const char *told)
{
	struct profiles *profiles = NULL;

	assert_int_equal(load(state, text, &profiles), -EINVAL);
	assert_null(profiles);
	assert_int_equal(errors.count, 1);
	assert_contains(errors.text[0], told);
	assert_contains(errors.text[0], "x.conf:");
}

/* The name of the profile for an ATR, or "none". */
static const char *chosen(const struct profiles *profiles, const char *reader,
			  const char *atr, size_t size)
{
	const struct profile *profile =
		profile_for_reader(profiles, reader, (const uint8_t *)atr, size);

	return profile != NULL ? profile->name : "none";
}

#define CHOSEN(profiles, reader, atr) chosen(profiles, reader, atr, sizeof(atr) - 1)

static void every_key_is_taken(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	const struct profile *p;

	assert_int_equal(
		load(state,
		     "[card one]\natr = 3b:AC 00\natr_mask = FF00F0\nreader = PC Twin\n"
		     "module = /opt/x/y.so\ndriver = PIV-II\npin_min = 6\npin_max = 8\n"
		     "pin_charset = alphanumeric\nexclusive = yes\npin_pad = no\n"
		     "paths_rw = /var/a /var/b\n"
		     "environment = CPS3_DEBUG=0 X=/a=b\n",
		     &profiles),
		0);
	p = profiles_at(profiles, 0);
	assert_non_null(p);
	assert_null(profiles_at(profiles, 1));
	assert_string_equal(p->name, "one");
	assert_int_equal(p->line, 1);
	assert_contains(p->file, "cards.d/x.conf");
	assert_int_equal(p->atr_size, 3);
	assert_memory_equal(p->atr, "\x3B\xAC\x00", 3);
	assert_memory_equal(p->atr_mask, "\xFF\x00\xF0", 3);
	assert_string_equal(p->reader, "PC Twin");
	assert_string_equal(p->module, "/opt/x/y.so");
	assert_string_equal(p->driver, "PIV-II");
	assert_int_equal(p->pin_min, 6);
	assert_int_equal(p->pin_max, 8);
	assert_int_equal(p->pin_charset, PROFILE_PIN_ALPHANUMERIC);
	assert_true(p->exclusive);
	assert_false(p->pin_pad);
	assert_int_equal(p->paths_rw.count, 2);
	assert_string_equal(p->paths_rw.path[1], "/var/b");
	assert_int_equal(p->environment.count, 2);
	assert_string_equal(p->environment.variable[1], "X=/a=b");
}

static void what_is_left_out_is_the_stricter(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	const struct profile *p;

	assert_int_equal(load(state, "[card one]\natr = 3B00\n" PIN, &profiles), 0);
	p = profiles_at(profiles, 0);
	assert_memory_equal(p->atr_mask, "\xFF\xFF", 2);
	assert_int_equal(p->pin_charset, PROFILE_PIN_DIGITS);
	assert_false(p->exclusive);
	assert_true(p->pin_pad);
	assert_int_equal(p->paths_rw.count, 0);
	assert_int_equal(p->environment.count, 0);
	assert_string_equal(p->driver, "");
}

static void the_closest_atr_wins_and_any_comes_last(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;

	assert_int_equal(load(state,
			      "[card all]\natr = any\n" PIN
			      "[card loose]\natr = 3B0102\natr_mask = FFFF00\n" PIN
			      "[card close]\natr = 3B0102\natr_mask = FFFF01\n" PIN
			      "[card exact]\natr = 3B0103\n" PIN,
			      &profiles),
			 0);
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01\x03"), "exact");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01\x04"), "close");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01\x05"), "loose");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x02\x03"), "all");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01\x03\x00"), "all");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01"), "all");
	assert_string_equal(CHOSEN(profiles, "R", ""), "all");
}

static void equals_go_to_the_one_that_names_the_reader_then_to_the_first(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;

	assert_int_equal(load(state,
			      "[card first]\natr = 3B01\n" PIN
			      "[card second]\natr = 3B01\n" PIN
			      "[card named]\natr = 3B01\nreader = Yubico\n" PIN,
			      &profiles),
			 0);
	assert_string_equal(CHOSEN(profiles, "Gemalto 00", "\x3B\x01"), "first");
	assert_string_equal(CHOSEN(profiles, "Yubico YubiKey 00", "\x3B\x01"), "named");
	assert_string_equal(CHOSEN(profiles, "Yubico YubiKey 00", "\x3B\x02"), "none");
}

static void a_token_by_uri_is_never_chosen_for_a_reader(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	size_t cursor = 0;
	const struct profile *p;

	assert_int_equal(load(state,
			      "[card soft]\nuri = pkcs11:token=a;serial=1\n" PIN
			      "[card card]\natr = 3B01\n" PIN
			      "[card soft2]\nuri = pkcs11:token=b\n" PIN,
			      &profiles),
			 0);
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x02"), "none");
	p = profiles_next_uri(profiles, &cursor);
	assert_string_equal(p->uri, "pkcs11:token=a;serial=1");
	p = profiles_next_uri(profiles, &cursor);
	assert_string_equal(p->name, "soft2");
	assert_null(profiles_next_uri(profiles, &cursor));
	assert_null(profiles_next_uri(profiles, &cursor));
}

static void a_later_folder_replaces_a_profile_whole(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	const char *folders[3];

	scratch_folder(state, "a");
	scratch_folder(state, "b");
	scratch_text(state, "a/1.conf", "[card one]\natr = 3B01\nexclusive = yes\n" PIN);
	scratch_text(state, "a/2.conf", "[card two]\natr = 3B02\n" PIN);
	scratch_text(state, "b/9.conf", "[card one]\natr = 3B03\n" PIN);
	folders[0] = scratch_path(state, "a");
	folders[1] = scratch_path(state, "missing");
	folders[2] = scratch_path(state, "b");
	errors = (struct config_errors){ 0 };
	assert_int_equal(profiles_load(folders, 3, geteuid(), &profiles, &errors), 0);
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x01"), "none");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x02"), "two");
	assert_string_equal(CHOSEN(profiles, "R", "\x3B\x03"), "one");
	assert_false(profiles_at(profiles, 0)->exclusive);
	assert_null(profiles_at(profiles, 2));
}

static void the_same_name_twice_in_a_folder_is_refused(void **state)
{
	struct profiles *profiles = NULL;
	const char *folders[1];

	assert_mistake(state,
		       "[card one]\natr = 3B01\n" PIN "[card one]\natr = 3B02\n" PIN,
		       ":6: section [card one]: is in this folder already");
	scratch_folder(state, "a");
	scratch_text(state, "a/1.conf", "[card one]\natr = 3B01\n" PIN);
	scratch_text(state, "a/2.conf", "[card one]\natr = 3B02\n" PIN);
	folders[0] = scratch_path(state, "a");
	errors = (struct config_errors){ 0 };
	assert_int_equal(profiles_load(folders, 1, geteuid(), &profiles, &errors),
			 -EINVAL);
	assert_contains(errors.text[0],
			"a/2.conf:1: section [card one]: is in this folder");
}

static void half_a_profile_is_refused_at_its_heading(void **state)
{
	assert_mistake(state, "[card]\natr = 3B01\n" PIN,
		       ":1: section [card]: has no name");
	assert_mistake(state, "[card one]\n" PIN, ":1: [card one] says of no card");
	assert_mistake(state, "[card one]\natr = 3B01\npin_min = 4\npin_max = 4\n",
		       ":1: [card one] names no module");
	assert_mistake(state, "[card one]\natr = 3B01\nmodule = x.so\npin_min = 4\n",
		       "does not say how long a PIN is");
	assert_mistake(
		state,
		"[card one]\natr = 3B01\nmodule = x.so\npin_min = 5\npin_max = 4\n",
		"has a pin_min above its pin_max");
	assert_mistake(state, "[card one]\natr = 3B01\natr_mask = FFFFFF\n" PIN,
		       "has an atr_mask of another length");
	assert_mistake(state, "[card one]\natr = any\natr_mask = FFFF\n" PIN,
		       "has an atr_mask of another length");
	assert_mistake(state, "[card one]\natr = any\nuri = pkcs11:token=a\n" PIN,
		       "has a uri, so it has no reader");
	assert_mistake(state, "[card one]\nreader = X\nuri = pkcs11:token=a\n" PIN,
		       "has a uri, so it has no reader");
}

static void a_bad_value_is_refused_at_its_line(void **state)
{
	static const struct {
		const char *line, *told;
	} bad[] = {
		{ "atr = 3B", "is not any, nor hexadecimal bytes" },
		{ "atr = 3B0", "is not any, nor hexadecimal bytes" },
		{ "atr = 3B,00", "is not any, nor hexadecimal bytes" },
		{ "atr = 3B 0 0", "is not any, nor hexadecimal bytes" },
		{ "atr = 3B::00", "is not any, nor hexadecimal bytes" },
		{ "atr = 3B 00 GG", "is not any, nor hexadecimal bytes" },
		{ "atr =", "is not any, nor hexadecimal bytes" },
		{ "atr_mask = any", "is not hexadecimal bytes" },
		{ "reader =", "is not a text of 1 to 127 bytes" },
		{ "uri = http://x", "is not a PKCS#11 URI" },
		{ "uri = pkcs11:", "is not a PKCS#11 URI" },
		{ "uri = pkcs11:token=a?pin-value=1234", "is not allowed: no PIN" },
		{ "uri = pkcs11:token=a?pin-source=/x", "is not allowed: no PIN" },
		{ "uri = pkcs11:token=a?module-path=/x", "is not allowed: no PIN" },
		{ "module = ../x.so", "is not a module" },
		{ "module = a/x.so", "is not a module" },
		{ "module = .x.so", "is not a module" },
		{ "module = /a/../x.so", "is not an absolute path" },
		{ "driver = a,b", "is not a name" },
		{ "pin_min = 0", "is not a number from 1 to 64" },
		{ "pin_max = 65", "is not a number from 1 to 64" },
		{ "pin_charset = hex", "is not digits, alphanumeric or any" },
		{ "paths_rw = /a b", "is not a list of up to 8 absolute paths" },
		{ "paths_rw = /", "is not a list of up to 8 absolute paths" },
		{ "paths_rw = /1 /2 /3 /4 /5 /6 /7 /8 /9", "is not a list of up to 8" },
		{ "environment = X", "is not a list of up to 8 NAME=value" },
		{ "environment = 1X=1", "is not a list of up to 8 NAME=value" },
		{ "environment = =1", "is not a list of up to 8 NAME=value" },
		{ "environment = LD_PRELOAD=/x.so", "is not a list" },
		{ "environment = A=1 LD_LIBRARY_PATH=/x", "is not a list" },
		{ "environment = PATH=/x", "is not a list" },
		{ "environment = OPENSC_CONF=/x", "is not a list" },
		{ "environment = OPENSSL_CONF=/x", "is not a list" },
		{ "environment = GLIBC_TUNABLES=x", "is not a list" },
		{ "environment = GCONV_PATH=/x", "is not a list" },
		{ "environment = TMPDIR=/x", "is not a list" },
		{ "environment = HYGIE_X=1", "is not a list" },
	};
	struct profiles *profiles = NULL;
	char text[512];

	for (size_t i = 0; i < array_size(bad); i++) {
		(void)snprintf(text, sizeof(text), "[card one]\n%s\n", bad[i].line);
		assert_int_equal(load(state, text, &profiles), -EINVAL);
		assert_null(profiles);
		assert_contains(errors.text[0], "x.conf:2: ");
		assert_contains(errors.text[0], bad[i].told);
	}
}

static void names_like_refused_variables_are_taken(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;

	assert_int_equal(
		load(state,
		     "[card one]\natr = any\nenvironment = PATHS=1 LD=1 MY_PATH=2\n" PIN,
		     &profiles),
		0);
	assert_int_equal(profiles_at(profiles, 0)->environment.count, 3);
}

static void an_atr_of_33_bytes_is_taken_and_one_more_refused(void **state)
{
	for (int bytes = PROFILE_ATR_MAX; bytes <= PROFILE_ATR_MAX + 1; bytes++) {
		cleanup_profiles struct profiles *profiles = NULL;
		char text[512] = "[card one]\natr = ";

		for (int i = 0; i < bytes; i++)
			strcat(text, "3B ");
		strcat(text, "\n" PIN);
		if (bytes > PROFILE_ATR_MAX) {
			assert_mistake(state, text, "is not any, nor hexadecimal bytes");
			return;
		}
		assert_int_equal(load(state, text, &profiles), 0);
		assert_int_equal(profiles_at(profiles, 0)->atr_size, PROFILE_ATR_MAX);
	}
}

static void too_many_profiles_are_refused(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	cleanup_free char *text = calloc(1, 65536);
	size_t used = 0;

	assert_non_null(text);
	for (int i = 0; i < PROFILES_MAX; i++)
		used += (size_t)sprintf(text + used, "[card c%d]\natr=any\n" PIN, i);
	assert_int_equal(load(state, text, &profiles), 0);
	profiles_free(profiles);
	profiles = NULL;
	strcpy(text + used, "[card more]\natr=any\n" PIN);
	assert_mistake(state, text, "is one too many; 128 are the most");
	/* and in a second file */
	text[used] = '\0';
	scratch_text(state, "cards.d/y.conf", "[card more]\natr=any\n" PIN);
	assert_int_equal(load(state, text, &profiles), -E2BIG);
	assert_contains(errors.text[0], "y.conf:1: [card more] is one profile too many");
}

static void a_profile_that_others_can_write_is_refused(void **state)
{
	struct profiles *profiles = NULL;
	const char *folders[1];

	scratch_folder(state, "cards.d");
	assert_int_equal(chmod(scratch_text(state, "cards.d/x.conf", ""), 0664), 0);
	folders[0] = scratch_path(state, "cards.d");
	errors = (struct config_errors){ 0 };
	assert_int_equal(profiles_load(folders, 1, geteuid(), &profiles, &errors),
			 -EPERM);
	assert_contains(errors.text[0], "cards.d/x.conf: can be written by its group");
}

/* --- modules -------------------------------------------------------------------------
 */

static int find(const char *module, char path[PATH_MAX], char reason[512])
{
	struct profile profile = { .name = "one", .file = "/x.conf" };

	(void)snprintf(profile.module, sizeof(profile.module), "%s", module);
	return profile_module_find(&profile, path, PATH_MAX, reason, 512);
}

static void a_module_is_found_by_its_path_through_links(void **state)
{
	char path[PATH_MAX], reason[512];

	scratch_text(state, "real.so", "");
	assert_int_equal(symlink("real.so", scratch_path(state, "link.so")), 0);
	assert_int_equal(find(scratch_path(state, "real.so"), path, reason), 0);
	assert_string_equal(path, scratch_path(state, "real.so"));
	assert_int_equal(find(scratch_path(state, "link.so"), path, reason), 0);
	assert_string_equal(path, scratch_path(state, "real.so"));
}

static void a_bare_name_is_found_in_the_systems_folders(void **state)
{
	char path[PATH_MAX], reason[512];

	(void)state;
	/* libc's loader is there on every machine that runs this. */
	assert_int_equal(find("libc.so.6", path, reason), 0);
	assert_int_equal(path[0], '/');
	assert_int_equal(access(path, R_OK), 0);
}

static void a_module_that_is_not_installed_says_so(void **state)
{
	char path[PATH_MAX], reason[512];

	assert_int_equal(find("no-such-module.so", path, reason), -ENOENT);
	assert_contains(reason, "no-such-module.so: is not installed");
	assert_contains(reason, "[card one] of /x.conf");
	assert_int_equal(find(scratch_path(state, "none.so"), path, reason), -ENOENT);
}

static void a_module_that_others_can_write_or_turn_is_refused(void **state)
{
	char path[PATH_MAX], reason[512];

	scratch_text(state, "real.so", "");
	scratch_folder(state, "open");
	assert_int_equal(symlink("../real.so", scratch_path(state, "open/link.so")), 0);
	assert_int_equal(chmod(scratch_path(state, "open"), 0777), 0);
	assert_int_equal(find(scratch_path(state, "open/link.so"), path, reason), -EPERM);
	assert_contains(reason, "open: can be written by everybody");
	assert_int_equal(chmod(scratch_path(state, "real.so"), 0666), 0);
	assert_int_equal(find(scratch_path(state, "real.so"), path, reason), -EPERM);
	assert_contains(reason, "real.so: can be written by everybody");
}

/* --- what is shipped -------------------------------------------------------------- */

/* Copies the project's profiles to where their owner is ours. */
static void shipped_load(void **state, struct profiles **ret_profiles)
{
	static const char *const names[] = { "10-cps3.conf", "10-cps4.conf",
					     "90-piv.conf" };
	const char *folders[1];

	scratch_folder(state, "shipped");
	for (size_t i = 0; i < array_size(names); i++) {
		char name[64], text[8192];
		FILE *file;

		(void)snprintf(name, sizeof(name), "cards.d/%s", names[i]);
		file = fopen(name, "re");
		if (file == NULL)
			fail_msg("%s: not there; run this in the project's folder", name);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		(void)fclose(file);
		(void)snprintf(name, sizeof(name), "shipped/%s", names[i]);
		scratch_text(state, name, text);
	}
	folders[0] = scratch_path(state, "shipped");
	errors = (struct config_errors){ 0 };
	assert_int_equal(profiles_load(folders, 1, geteuid(), ret_profiles, &errors), 0);
}

static void shipped_profiles_know_the_french_cards_apart(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;

	shipped_load(state, &profiles);
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\xAC\x00\x40\x2A\x00\x12\x25\x00\x64\x80\x00\x03\x10"
		       "\x00\x90\x00"),
		"cps3");
	/* An older one of the family: other bytes where the mask does not look. */
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\xAC\x00\x40\x2A\x00\x12\x25\x00\x64\x80\x82\x02\x12"
		       "\x00\x90\x00"),
		"cps3");
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\x9B\x18\x80\x01\x00\x12\x25\x00\x64\x80\x04\x01\x00"
		       "\x00\x90\x44"),
		"cps4");
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\x9B\x18\x80\x01\x00\x12\x25\x00\x64\x80\x00\x04\x01"
		       "\x00\x90\x44"),
		"cps4-early");
	/* Fits the mask of cps3 too. */
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\xDC\x18\xFF\x00\x00\x12\x25\x00\x64\x80\x00\x04\x01"
		       "\x00\x90\x00"),
		"cps4-early-t0");
	/* The contactless side holds no key for a login: it is nobody's but PIV's try. */
	assert_string_equal(
		CHOSEN(profiles, "R",
		       "\x3B\x8F\x80\x01\x00\x31\xB8\x64\x04\xB0\xEC\xC1\x73\x94"
		       "\x01\x80\x82\x90\x00\x0E"),
		"piv");
}

static void shipped_profiles_never_send_what_cannot_be_the_pin(void **state)
{
	cleanup_profiles struct profiles *profiles = NULL;
	const struct profile *p;

	shipped_load(state, &profiles);
	for (size_t i = 0; (p = profiles_at(profiles, i)) != NULL; i++) {
		bool piv = strcmp(p->name, "piv") == 0;

		assert_int_equal(p->pin_min, piv ? 6 : 4);
		assert_int_equal(p->pin_max, piv ? 8 : 4);
		assert_int_equal(p->pin_charset, PROFILE_PIN_DIGITS);
		/* Only OpenSC is known to hold the transaction. */
		assert_int_equal(p->exclusive,
				 strcmp(p->module, "opensc-pkcs11.so") == 0);
		assert_int_equal(p->exclusive, p->driver[0] != '\0');
	}
}

static void the_manual_has_every_key_and_no_others(void **state)
{
	const struct config_schema *schema = profile_schema();
	FILE *file = fopen("docs/man/hygie-cards.5.scd", "re");
	char line[256];
	size_t count = 0;

	(void)state;
	if (file == NULL)
		fail_msg("docs/man: not there; run this in the project's folder");
	while (fgets(line, sizeof(line), file) != NULL) {
		char name[CONFIG_NAME_SIZE];
		size_t i = 0;

		if (sscanf(line, "*%40[a-z_]*", name) != 1 ||
		    strstr(line, "* = ") == NULL)
			continue;
		while (i < schema->count && strcmp(schema->keys[i].name, name) != 0)
			i++;
		if (i == schema->count)
			fail_msg("the manual has %s, a profile has not", name);
		count++;
	}
	(void)fclose(file);
	assert_int_equal(count, schema->count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(every_key_is_taken),
		scratch_test(what_is_left_out_is_the_stricter),
		scratch_test(the_closest_atr_wins_and_any_comes_last),
		scratch_test(
			equals_go_to_the_one_that_names_the_reader_then_to_the_first),
		scratch_test(a_token_by_uri_is_never_chosen_for_a_reader),
		scratch_test(a_later_folder_replaces_a_profile_whole),
		scratch_test(the_same_name_twice_in_a_folder_is_refused),
		scratch_test(half_a_profile_is_refused_at_its_heading),
		scratch_test(a_bad_value_is_refused_at_its_line),
		scratch_test(names_like_refused_variables_are_taken),
		scratch_test(an_atr_of_33_bytes_is_taken_and_one_more_refused),
		scratch_test(too_many_profiles_are_refused),
		scratch_test(a_profile_that_others_can_write_is_refused),
		scratch_test(a_module_is_found_by_its_path_through_links),
		scratch_test(a_bare_name_is_found_in_the_systems_folders),
		scratch_test(a_module_that_is_not_installed_says_so),
		scratch_test(a_module_that_others_can_write_or_turn_is_refused),
		scratch_test(shipped_profiles_know_the_french_cards_apart),
		scratch_test(shipped_profiles_never_send_what_cannot_be_the_pin),
		cmocka_unit_test(the_manual_has_every_key_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
