/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: defaults, bounds and lists; and that the man page, the example and the table
 * of keys say the same. Runs in the project's folder.
 */
#include "unit/scratch.h"

#include "libhygie/settings.h"

#include <ctype.h>
#include <errno.h>

static struct config_errors errors;

static int load(void **state, const char *text, struct settings *ret_settings)
{
	const char *path = scratch_text(state, "hygie.conf", text);

	errors = (struct config_errors){ 0 };
	return settings_load_owned(path, geteuid(), ret_settings, &errors);
}

static void assert_mistake(void **state, const char *text, const char *told)
{
	struct settings settings;

	assert_int_equal(load(state, text, &settings), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_contains(errors.text[0], told);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	struct settings settings;

	assert_int_equal(load(state, "", &settings), 0);
	assert_string_equal(settings.ca, "/etc/hygie/ca");
	assert_string_equal(settings.registry, "/var/lib/hygie/registry.db");
	assert_string_equal(settings.helper, "/usr/libexec/hygie/hygie-token");
	assert_string_equal(settings.socket, "/run/hygie/hygied.sock");
	assert_int_equal(settings.cards.count, 2);
	assert_string_equal(settings.cards.folder[0], "/usr/share/hygie/cards.d");
	assert_string_equal(settings.cards.folder[1], "/etc/hygie/cards.d");
	assert_int_equal(settings.card_wait, 60000);
	assert_int_equal(settings.pin_wait, 120000);
	assert_int_equal(settings.deadline, 15000);
	assert_int_equal(settings.pinpad_deadline, 60000);
	assert_int_equal(settings.warm_deadline, 20000);
	assert_int_equal(settings.busy_deadline, 2000);
	assert_false(settings.allow_test_cards);
	assert_true(settings_is_pretyped(&settings, "i3lock"));
	assert_true(settings_is_pretyped(&settings, "swaylock"));
	assert_true(settings_is_pretyped(&settings, "gtklock"));
	assert_true(settings_is_pretyped(&settings, "xrdp-sesman"));
	assert_true(settings_is_pretyped(&settings, "sshd"));
	assert_true(settings_is_pretyped(&settings, "sddm"));
	assert_false(settings_is_pretyped(&settings, "login"));
	assert_true(settings_hides_prompts(&settings, "lightdm"));
	assert_false(settings_hides_prompts(&settings, "login"));
	assert_true(settings_gives_way(&settings, "sudo"));
	assert_true(settings_gives_way(&settings, "polkit-1"));
	assert_false(settings_gives_way(&settings, "swaylock"));
	assert_string_equal(settings.helper_user, "hygie-token");
	assert_int_equal(settings.connections, 256);
	assert_int_equal(settings.connections_per_user, 16);
	assert_int_equal(settings.requests_per_minute, 240);
	assert_int_equal(settings.peers.count, 0);
	assert_int_equal(settings_log_level(&settings), LOG_LEVEL_INFO);
	assert_int_equal(settings.log_target, LOG_TARGET_AUTO);
}

static void what_a_site_sets_is_taken(void **state)
{
	struct settings settings;

	assert_int_equal(load(state,
			      "[paths]\nca = /srv/ca\ncards = /srv/a /srv/b /srv/c\n"
			      "[login]\ncard_wait = 0\ndeadline = 1500ms\npretyped =\n"
			      "allow_test_cards = yes\n"
			      "[helper]\nuser = other\n"
			      "[peers]\npostgres = records\nwww-data = web\n"
			      "[log]\nlevel = error\ntarget = stderr\n",
			      &settings),
			 0);
	assert_string_equal(settings.ca, "/srv/ca");
	assert_int_equal(settings.cards.count, 3);
	assert_string_equal(settings.cards.folder[2], "/srv/c");
	assert_int_equal(settings.card_wait, 0);
	assert_int_equal(settings.deadline, 1500);
	assert_int_equal(settings.pretyped.count, 0);
	assert_true(settings.allow_test_cards);
	assert_string_equal(settings.helper_user, "other");
	assert_string_equal(settings_peer_group(&settings, "postgres"), "records");
	assert_string_equal(settings_peer_group(&settings, "www-data"), "web");
	assert_null(settings_peer_group(&settings, "nobody"));
	assert_int_equal(settings_log_level(&settings), LOG_LEVEL_ERROR);
	assert_int_equal(settings.log_target, LOG_TARGET_STDERR);
}

static void every_level_and_target_word_means_what_it_says(void **state)
{
	static const struct {
		const char *word;
		enum log_level level;
	} levels[] = { { "error", LOG_LEVEL_ERROR },
		       { "warning", LOG_LEVEL_WARNING },
		       { "info", LOG_LEVEL_INFO },
		       { "debug", LOG_LEVEL_DEBUG } };
	static const struct {
		const char *word;
		enum log_target target;
	} targets[] = { { "auto", LOG_TARGET_AUTO },
			{ "journal", LOG_TARGET_JOURNAL },
			{ "syslog", LOG_TARGET_SYSLOG },
			{ "stderr", LOG_TARGET_STDERR } };
	struct settings settings;
	char text[64];

	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(text, sizeof(text), "[log]\nlevel = %s\ntarget = %s\n",
			       levels[i].word, targets[i].word);
		assert_int_equal(load(state, text, &settings), 0);
		assert_int_equal(settings_log_level(&settings), levels[i].level);
		assert_int_equal(settings.log_target, targets[i].target);
	}
}

static void a_drop_in_replaces_one_peer_and_a_whole_list(void **state)
{
	struct settings settings;

	scratch_folder(state, "hygie.conf.d");
	scratch_text(state, "hygie.conf.d/10.conf",
		     "[peers]\na = y\n[login]\npretyped = xlock\n");
	assert_int_equal(load(state,
			      "[peers]\na = x\nb = x\n[login]\npretyped = i3lock sshd\n",
			      &settings),
			 0);
	assert_int_equal(settings.peers.count, 2);
	assert_string_equal(settings_peer_group(&settings, "a"), "y");
	assert_string_equal(settings_peer_group(&settings, "b"), "x");
	assert_int_equal(settings.pretyped.count, 1);
	assert_true(settings_is_pretyped(&settings, "xlock"));
}

static void mistakes_are_refused_with_what_would_be_right(void **state)
{
	assert_mistake(state, "[helper]\nuser = root\n",
		       ":2: user: \"root\" is not allowed");
	assert_mistake(state, "[login]\ndeadline = 0\n",
		       "is not a duration from 1s to 2min");
	assert_mistake(state, "[login]\ndeadline = 3min\n", "is not a duration");
	assert_mistake(state, "[login]\npin_wait = 1s\n",
		       "is not a duration from 5s to 10min");
	assert_mistake(state, "[login]\npretyped = a b/c\n", "is not a list of up to 32");
	assert_mistake(state, "[paths]\ncards = /a b\n", "is not a list of 1 to 4");
	assert_mistake(state, "[paths]\ncards =\n", "is not a list of 1 to 4");
	assert_mistake(state, "[paths]\ncards = /a /b /c /d /e\n",
		       "is not a list of 1 to 4");
	assert_mistake(state, "[paths]\nsocket = hygied.sock\n",
		       "is not an absolute path");
	assert_mistake(state, "[peers]\npostgres = two words\n",
		       "is not right: write ACCOUNT");
	assert_mistake(state, "[peers]\npost/gres = x\n", "is not right: write ACCOUNT");
	assert_mistake(state, "[peers]\npostgres =\n", "is not right: write ACCOUNT");
	assert_mistake(state, "[limits]\nconnections = 7\n",
		       "is not a number from 8 to 4096");
	assert_mistake(state, "[limits]\nconnections = 8\n",
		       "connections_per_user (16) is more than connections (8)");
}

static void a_seventeenth_peer_is_refused(void **state)
{
	char text[400] = "[peers]\n";
	struct settings settings;

	for (int i = 0; i < SETTINGS_PEERS_MAX; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "u%d = g\n", i);
	assert_int_equal(load(state, text, &settings), 0);
	strcat(text, "more = g\n");
	assert_mistake(state, text, "16 lines are the most");
}

static void nothing_is_returned_after_a_mistake(void **state)
{
	struct settings settings;

	memset(&settings, 0x5A, sizeof(settings));
	assert_int_equal(
		load(state, "[login]\nallow_test_cards = yes\nfoo = 1\n", &settings),
		-EINVAL);
	assert_int_equal(*(unsigned char *)&settings.allow_test_cards, 0x5A);
}

static void a_missing_explicit_file_is_refused(void **state)
{
	struct settings settings;

	errors = (struct config_errors){ 0 };
	assert_int_equal(settings_load_owned(scratch_path(state, "none.conf"), geteuid(),
					     &settings, &errors),
			 -ENOENT);
	assert_int_equal(errors.count, 1);
}

/* --- the table, the man page and the example -------------------------------------- */

static char *project_file(const char *name)
{
	FILE *file = fopen(name, "re");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL)
		fail_msg("%s: not there; run this in the project's folder", name);
	if (getdelim(&text, &size, '\0', file) < 0)
		fail_msg("%s: empty", name);
	(void)fclose(file);
	return text;
}

/* The sections of free keys: how the manual names one, and the example's. */
static const struct {
	const char *section, *placeholder, *example;
} free_keys[] = {
	{ "peers", "_ACCOUNT_", "postgres" },
	{ "removal_users", "_USER_", "kiosk" },
	{ "removal_groups", "_GROUP_", "reception" },
};

static const char *placeholder_of(const char *section)
{
	for (size_t i = 0; i < array_size(free_keys); i++)
		if (strcmp(free_keys[i].section, section) == 0)
			return free_keys[i].placeholder;
	return "";
}

static const char *example_of(const char *section)
{
	for (size_t i = 0; i < array_size(free_keys); i++)
		if (strcmp(free_keys[i].section, section) == 0)
			return free_keys[i].example;
	return "";
}

static const struct config_key *key_of(const char *section, const char *name)
{
	const struct config_schema *schema = settings_schema();

	for (size_t i = 0; i < schema->count; i++) {
		const struct config_key *key = &schema->keys[i];

		if (strcmp(key->section, section) == 0 &&
		    strcmp(key->name == NULL ? placeholder_of(section) : key->name,
			   name) == 0)
			return key;
	}
	return NULL;
}

/*
 * Walks the manual's entries, "*key* = ... (default: TEXT)" under "# [section]", and ends
 * with the number of them.
 */
static size_t manual_compare(char *manual)
{
	char section[CONFIG_NAME_SIZE] = "";
	char *rest = manual;
	const char *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char name[CONFIG_NAME_SIZE];
		const struct config_key *key;
		const char *said, *wanted;

		if (sscanf(line, "# [%40[^]]]", section) == 1)
			continue;
		if (sscanf(line, "%40[_A-Z] = ", name) != 1 &&
		    sscanf(line, "*%40[a-z_]*", name) != 1)
			continue;
		if (strstr(line, " = ") == NULL || (line[0] != '*' && line[0] != '_'))
			continue;
		key = key_of(section, name);
		if (key == NULL)
			fail_msg("the manual has [%s] %s, hygied has not", section, name);
		count++;
		said = strstr(line, "(default: ");
		if (key->default_text == NULL) {
			assert_null(said);
			continue;
		}
		assert_non_null(said);
		said += strlen("(default: ");
		wanted = key->default_text[0] != '\0' ? key->default_text : "none";
		assert_memory_equal(said, wanted, strlen(wanted));
		assert_string_equal(said + strlen(wanted), ")");
	}
	return count;
}

static void the_manual_has_every_key_and_default_and_no_others(void **state)
{
	cleanup_free char *manual = project_file("docs/man/hygie.conf.5.scd");

	(void)state;
	assert_int_equal(manual_compare(manual), settings_schema()->count);
}

/* Takes the # from lines that are a key, "#key = value". */
static void example_uncomment(char *text)
{
	for (char *at = text; at != NULL && *at != '\0';) {
		if (at[0] == '#' && islower((unsigned char)at[1]))
			at[0] = ' ';
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
}

static void the_example_holds_the_defaults(void **state)
{
	cleanup_free char *text = project_file("docs/hygie.conf.example");
	const struct config_schema *schema = settings_schema();
	struct settings commented, all, defaults;

	assert_int_equal(load(state, text, &commented), 0);
	example_uncomment(text);
	assert_int_equal(load(state, text, &all), 0);
	settings_default(&defaults);
	assert_memory_equal(&commented, &defaults, sizeof(defaults));
	assert_int_equal(all.peers.count, 1);
	assert_int_equal(all.removal.users.count, 1);
	assert_int_equal(all.removal.groups.count, 1);
	all.peers = (struct settings_peers){ 0 };
	all.removal.users = all.removal.groups = (struct settings_actions){ 0 };
	assert_memory_equal(&all, &defaults, sizeof(defaults));
	for (size_t i = 0; i < schema->count; i++) {
		char line[100];

		(void)snprintf(line, sizeof(line), "\n %s =",
			       schema->keys[i].name != NULL
				       ? schema->keys[i].name
				       : example_of(schema->keys[i].section));
		assert_contains(text, line);
	}
}

static bool in_reception_and_ward(const char *user, const char *group)
{
	(void)user;
	return strcmp(group, "reception") == 0 || strcmp(group, "ward") == 0;
}

static void a_users_own_line_wins_then_the_strictest_of_his_groups(void **state)
{
	struct settings settings;

	assert_int_equal(load(state,
			      "[removal]\naction = none\n"
			      "[removal_users]\nkiosk = lock\n"
			      "[removal_groups]\nward = lock\nreception = logout\n"
			      "archive = none\n",
			      &settings),
			 0);
	assert_int_equal(
		settings_removal_action(&settings, "kiosk", in_reception_and_ward),
		REMOVAL_BY_LOCK);
	assert_int_equal(
		settings_removal_action(&settings, "alice", in_reception_and_ward),
		REMOVAL_BY_LOGOUT);
	settings.removal.groups.count = 0;
	assert_int_equal(
		settings_removal_action(&settings, "alice", in_reception_and_ward),
		REMOVAL_BY_NOTHING);
	assert_mistake(state, "[removal_users]\nkiosk = sleep\n", "kiosk");
}

static void every_key_has_its_line_of_documentation(void **state)
{
	const struct config_schema *schema = settings_schema();

	(void)state;
	for (size_t i = 0; i < schema->count; i++)
		assert_true(strlen(schema->keys[i].documentation) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(an_empty_file_gives_the_defaults),
		scratch_test(what_a_site_sets_is_taken),
		scratch_test(every_level_and_target_word_means_what_it_says),
		scratch_test(a_drop_in_replaces_one_peer_and_a_whole_list),
		scratch_test(mistakes_are_refused_with_what_would_be_right),
		scratch_test(a_seventeenth_peer_is_refused),
		scratch_test(nothing_is_returned_after_a_mistake),
		scratch_test(a_missing_explicit_file_is_refused),
		cmocka_unit_test(the_manual_has_every_key_and_default_and_no_others),
		scratch_test(the_example_holds_the_defaults),
		scratch_test(a_users_own_line_wins_then_the_strictest_of_his_groups),
		cmocka_unit_test(every_key_has_its_line_of_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
