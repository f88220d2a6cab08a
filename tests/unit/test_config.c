/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: what a file may say is taken, all else is refused with file, line and what
 * would be right; nothing is lost between our reader and libinih.
 */
#include "unit/scratch.h"

#include "libhygie/config.h"

#include <errno.h>
#include <stdbool.h>

struct target {
	unsigned number;
	unsigned wait;
	bool flag;
	int word;
	char path[256];
	char name[16];
	char other[CONFIG_NAME_SIZE];
};

/* A free key: keeps the last one's name. */
static int parse_free(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	(void)reason;
	(void)reason_size;
	(void)snprintf(field, CONFIG_NAME_SIZE, "%s", value->name);
	return 0;
}

static const char *const words[] = { "red", "green", "blue", NULL };

#define at(member)                                                                       \
	.offset = offsetof(struct target, member),                                       \
	.size = sizeof(((struct target *)NULL)->member)

static const struct config_key keys[] = {
	{ "one", "number", config_parse_unsigned, at(number), .default_text = "7",
	  .minimum = 1, .maximum = 100 },
	{ "one", "wait", config_parse_duration, at(wait), .default_text = "2s",
	  .minimum = 100, .maximum = 600000 },
	{ "one", "flag", config_parse_bool, at(flag) },
	{ "one", "word", config_parse_word, at(word), .default_text = "green",
	  .words = words },
	{ "two", "path", config_parse_path, at(path) },
	{ "two", "name", config_parse_name, at(name) },
	{ "free", NULL, parse_free, at(other) },
};

static const struct config_schema schema = { keys, array_size(keys), NULL };

/* Big, so not on the stack of every test. */
static struct config_errors errors;

static int parse_bytes(const char *text, size_t size, struct target *target)
{
	errors = (struct config_errors){ 0 };
	*target = (struct target){ 0 };
	config_defaults(&schema, target);
	return config_parse("/etc/x.conf", text, size, &schema, target, &errors);
}

static int parse(const char *text, struct target *target)
{
	return parse_bytes(text, strlen(text), target);
}

/* Exactly one mistake, told in these words. */
static void assert_mistake(const char *text, const char *told)
{
	struct target target;

	assert_int_equal(parse(text, &target), -EINVAL);
	assert_contains(errors.text[0], told);
	assert_int_equal(errors.count, 1);
}

static void an_empty_file_leaves_the_defaults(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(parse("", &target), 0);
	assert_int_equal(target.number, 7);
	assert_int_equal(target.wait, 2000);
	assert_int_equal(target.word, 1);
	assert_false(target.flag);
}

static void keys_are_taken_by_section_and_comments_passed_over(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(parse("# comment\n"
			       "; comment with [brackets] and = sign\n"
			       "\n"
			       "[one] ; first\n"
			       "number=42\n"
			       "\twait \t=  500ms   \n"
			       "  flag = yes ; inline\n"
			       "word = blue\n"
			       "[two]\n"
			       "path = /a/b.c\n"
			       "name = i3lock",
			       &target),
			 0);
	assert_int_equal(target.number, 42);
	assert_int_equal(target.wait, 500);
	assert_true(target.flag);
	assert_int_equal(target.word, 2);
	assert_string_equal(target.path, "/a/b.c");
	assert_string_equal(target.name, "i3lock");
}

static void an_unknown_section_is_refused_once_with_those_that_exist(void **state)
{
	(void)state;
	assert_mistake(
		"\n[three]\nnumber = 3\nfoo = 4\n",
		"/etc/x.conf:2: no section is called [three]; there are [one], [two], "
		"[free]");
}

static void an_unknown_key_is_refused_with_those_that_exist(void **state)
{
	(void)state;
	assert_mistake(
		"[one]\nnumbr = 3\n",
		"/etc/x.conf:2: [one] has no key \"numbr\"; it has number, wait, flag, "
		"word");
	assert_mistake("[two]\nnumber = 3\n",
		       "[two] has no key \"number\"; it has path, name");
}

static void a_key_twice_in_one_file_is_refused(void **state)
{
	(void)state;
	assert_mistake("[one]\nnumber = 3\n[two]\nname = x\n[one]\nnumber = 4\n",
		       "/etc/x.conf:6: number is set already in line 2");
	assert_mistake("[free]\na = 3\nb = 1\na = 4\n", ":4: a is set already in line 2");
}

static void a_bad_value_says_what_would_be_right(void **state)
{
	(void)state;
	assert_mistake("[one]\nnumber = 101\n",
		       ":2: number: \"101\" is not a number from 1 to 100");
	assert_mistake("[one]\nnumber = 0\n", "is not a number");
	assert_mistake("[one]\nnumber = -1\n", "is not a number");
	assert_mistake("[one]\nnumber = +1\n", "is not a number");
	assert_mistake("[one]\nnumber = 1x\n", "is not a number");
	assert_mistake("[one]\nnumber =\n", "is not a number");
	assert_mistake("[one]\nnumber = 99999999999999999999\n", "is not a number");
	assert_mistake("[one]\nflag = maybe\n", "flag: \"maybe\" is not yes or no");
	assert_mistake("[one]\nflag = yes # sure\n", "is not yes or no");
	assert_mistake("[one]\nword = pink\n", "\"pink\" is not red, green or blue");
}

static void durations_have_units_and_bounds(void **state)
{
	static const struct {
		const char *text;
		unsigned milliseconds;
	} good[] = { { "15", 15000 },  { "15s", 15000 },   { "15 s", 15000 },
		     { "500ms", 500 }, { "2min", 120000 }, { "10min", 600000 } };
	static const char *const bad[] = { "99ms",
					   "11min",
					   "1d",
					   "s",
					   "-1s",
					   "1.5s",
					   "1s 1s",
					   "1h",
					   "0",
					   "",
					   "9223372036854775807s" };
	struct target target;
	char text[100];

	(void)state;
	for (size_t i = 0; i < array_size(good); i++) {
		(void)snprintf(text, sizeof(text), "[one]\nwait = %s\n", good[i].text);
		assert_int_equal(parse(text, &target), 0);
		assert_int_equal(target.wait, good[i].milliseconds);
	}
	for (size_t i = 0; i < array_size(bad); i++) {
		(void)snprintf(text, sizeof(text), "[one]\nwait = %s\n", bad[i]);
		assert_mistake(text, "is not a duration from 100ms to 10min");
	}
}

static void paths_and_names_are_judged(void **state)
{
	static const char *const paths[] = { "a",       "/",     "/a/",    "/a//b",
					     "/a/../b", "/a/..", "/a/./b", "/a/.",
					     "/a b",    "" };
	static const char *const names[] = { "",    "-x",  "a b", "a/b",
					     "a,b", "été", "a;b", "sixteencharacter" };
	char text[100];

	(void)state;
	for (size_t i = 0; i < array_size(paths); i++) {
		(void)snprintf(text, sizeof(text), "[two]\npath = %s\n", paths[i]);
		assert_mistake(text, "is not an absolute path");
	}
	for (size_t i = 0; i < array_size(names); i++) {
		(void)snprintf(text, sizeof(text), "[two]\nname = %s\n", names[i]);
		assert_mistake(text, "is not a name");
	}
}

static void a_line_that_is_not_understood_is_refused(void **state)
{
	(void)state;
	assert_mistake("[one]\nnumber\n", "/etc/x.conf:2: is not understood; write");
	assert_mistake("[one]\nnumber : 3\n", ":2: is not understood");
	assert_mistake("[one]\nnumber: 3 = 4\n", ":2: is not understood");
	assert_mistake("[one]\n= 3\n", ":2: is not understood");
	assert_mistake("[one]\nnum ber = 3\n", ":2: is not understood");
	assert_mistake("number = 3\n", ":1: is in no section");
	assert_mistake("[one\nnumber = 3\n", ":1: is not a heading");
	assert_mistake("[]\n", ":1: is not a heading");
	assert_mistake("[one] number = 3\n", ":1: is not a heading");
	assert_mistake("[one two three]\n", ":1: section [one two three]: takes no name");
}

/* libinih would take an indented line as more of the value above. */
static void an_indented_line_is_a_line_of_its_own(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(parse("[one]\nnumber = 3\n   wait = 4s\n", &target), 0);
	assert_int_equal(target.number, 3);
	assert_int_equal(target.wait, 4000);
	assert_mistake("[one]\nnumber = 3\n   more\n", ":3: is not understood");
}

static void a_line_at_the_bound_is_whole_and_one_byte_more_is_refused(void **state)
{
	static const char head[] = "[two]\npath = /";
	char text[6 + CONFIG_LINE_MAX + 1]; /* [two]\\n, and one too many */
	struct target target;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, head, strlen(head));
	assert_int_equal(parse_bytes(text, sizeof(text) - 1, &target), 0);
	assert_int_equal(strlen(target.path), CONFIG_LINE_MAX - strlen("path = "));
	assert_int_equal(parse_bytes(text, sizeof(text), &target), -EINVAL);
	assert_contains(errors.text[0], ":2: has 197 bytes; a line may have 196");
}

static void a_value_of_300_characters_is_refused_not_split(void **state)
{
	char text[400] = "[two]\npath = /";
	struct target target;

	(void)state;
	memset(text + strlen(text), 'a', 300);
	assert_int_equal(parse(text, &target), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_contains(errors.text[0], "/etc/x.conf:2: has 308 bytes");
	assert_string_equal(target.path, "");
}

static void a_long_key_or_section_is_refused_not_cut(void **state)
{
	char text[200];

	(void)state;
	(void)snprintf(text, sizeof(text), "[free]\n%0*d = 1\n", CONFIG_NAME_SIZE, 1);
	assert_mistake(text, ":2: is not understood");
	(void)snprintf(text, sizeof(text), "[%0*d]\n", CONFIG_NAME_SIZE, 1);
	assert_mistake(text, ":1: is not a heading");
}

static void control_characters_nul_and_broken_utf8_are_refused(void **state)
{
	static const char nul[] = "[one]\nnumber = 3\0\n";
	struct target target;

	(void)state;
	assert_int_equal(parse_bytes(nul, sizeof(nul) - 1, &target), -EINVAL);
	assert_contains(errors.text[0], ":2: holds control or invisible characters");
	assert_mistake("[one]\nnumber = 3\033[2J\n", ":2: holds control");
	assert_mistake("[two]\nname = \xC3(\n", ":2: holds control");
	assert_mistake("# \xE2\x80\xAE\n",
		       ":1: holds control"); /* RIGHT-TO-LEFT OVERRIDE */
	assert_mistake("\xEF\xBB\xBF[one]\n", ":1: holds control"); /* byte order mark */
	assert_mistake("[one]\r\n", ":1: ends in a carriage return");
}

static void all_mistakes_are_counted_and_the_first_twenty_kept(void **state)
{
	char text[1000] = "[one]\n";
	struct target target;

	(void)state;
	for (int i = 0; i < 25; i++)
		strcat(text, "no_such = 1\n");
	assert_int_equal(parse(text, &target), -EINVAL);
	assert_int_equal(errors.count, 25);
	assert_contains(errors.text[0], ":2: ");
	assert_contains(errors.text[CONFIG_ERRORS_MAX - 1], ":21: ");
}

static void an_error_shows_no_escape_of_the_value(void **state)
{
	struct config_errors told = { 0 };

	(void)state;
	config_errors_add(&told, "/x\n", 3, "%s", "a\033]0;b");
	assert_string_equal(told.text[0], "/x\\x0A:3: a\\x1B]0;b");
}

/* Named sections: two targets, and a name that is refused. */
struct named {
	struct target target[2];
	size_t count;
	struct config_place place;
};

static void *named_begin(void *context, const char *section, const char *name,
			 const struct config_place *place, char *reason,
			 size_t reason_size)
{
	struct named *named = context;

	assert_string_equal(section, "one");
	named->place = *place;
	if (named->count == 2) {
		(void)snprintf(reason, reason_size, "has no room for %s", name);
		return NULL;
	}
	(void)snprintf(named->target[named->count].name, 16, "%s", name);
	return &named->target[named->count++];
}

static void named_sections_have_targets_of_their_own(void **state)
{
	const struct config_schema with_names = { keys, array_size(keys), named_begin };
	static const char text[] =
		"[one first]\nnumber = 1\n[one  second name]\nnumber = 2\n"
		"[one third]\nnumber = 3\n";
	struct named named = { 0 };

	(void)state;
	errors = (struct config_errors){ 0 };
	assert_int_equal(
		config_parse("f", text, strlen(text), &with_names, &named, &errors),
		-EINVAL);
	assert_string_equal(named.target[0].name, "first");
	assert_int_equal(named.target[0].number, 1);
	assert_string_equal(named.target[1].name, "second name");
	assert_int_equal(named.target[1].number, 2);
	assert_int_equal(named.place.line, 5);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.text[0],
			    "f:5: section [one third]: has no room for third");
}

static int load(void **state, bool required, struct target *target)
{
	errors = (struct config_errors){ 0 };
	*target = (struct target){ 0 };
	config_defaults(&schema, target);
	return config_load(scratch_path(state, "x.conf"), required, geteuid(), &schema,
			   target, &errors);
}

static void a_missing_file_is_fine_unless_it_is_required(void **state)
{
	struct target target;

	assert_int_equal(load(state, false, &target), 0);
	assert_int_equal(target.number, 7);
	assert_int_equal(load(state, true, &target), -ENOENT);
	assert_contains(errors.text[0], "x.conf: does not exist");
}

static void drop_ins_override_in_the_order_of_their_names(void **state)
{
	struct target target;

	scratch_text(state, "x.conf", "[one]\nnumber = 1\nwait = 1s\nflag = yes\n");
	scratch_folder(state, "x.conf.d");
	scratch_text(state, "x.conf.d/20.conf", "[one]\nnumber = 20\n");
	scratch_text(state, "x.conf.d/10.conf", "[one]\nnumber = 10\nwait = 10s\n");
	scratch_text(state, "x.conf.d/30.conf.old", "[one]\nnumber = 30\n");
	assert_int_equal(load(state, true, &target), 0);
	assert_int_equal(target.number, 20);
	assert_int_equal(target.wait, 10000);
	assert_true(target.flag);
}

static void mistakes_of_all_files_are_told(void **state)
{
	struct target target;

	scratch_text(state, "x.conf", "[one]\nnumber = x\n");
	scratch_folder(state, "x.conf.d");
	scratch_text(state, "x.conf.d/10.conf", "[one]\nnumber = y\n");
	scratch_text(state, "x.conf.d/20.conf", "[one]\nnumber = z\n");
	assert_int_equal(chmod(scratch_path(state, "x.conf.d/20.conf"), 0666), 0);
	assert_int_equal(load(state, true, &target), -EINVAL);
	assert_int_equal(errors.count, 3);
	assert_contains(errors.text[0], "/x.conf:2: number");
	assert_contains(errors.text[1], "/x.conf.d/10.conf:2: number");
	assert_contains(errors.text[2], "/x.conf.d/20.conf: can be written by everybody");
}

static void an_untrusted_drop_in_folder_is_refused(void **state)
{
	struct target target;

	scratch_folder(state, "x.conf.d");
	assert_int_equal(chmod(scratch_path(state, "x.conf.d"), 0777), 0);
	assert_int_equal(load(state, false, &target), -EPERM);
	assert_contains(errors.text[0], "x.conf.d: can be written by everybody");
}

static void a_file_beyond_the_bound_is_refused(void **state)
{
	cleanup_free char *text = malloc(CONFIG_FILE_MAX + 1);
	struct target target;

	assert_non_null(text);
	memset(text, '\n', CONFIG_FILE_MAX + 1);
	scratch_write(state, "x.conf", text, CONFIG_FILE_MAX);
	assert_int_equal(load(state, true, &target), 0);
	scratch_write(state, "x.conf", text, CONFIG_FILE_MAX + 1);
	assert_int_equal(load(state, true, &target), -EFBIG);
}

static void a_list_is_taken_item_by_item(void **state)
{
	const char *cursor = "  one\ttwo  toolong ";
	char item[5];

	(void)state;
	assert_int_equal(config_list_next(&cursor, item, sizeof(item)), 1);
	assert_string_equal(item, "one");
	assert_int_equal(config_list_next(&cursor, item, sizeof(item)), 1);
	assert_string_equal(item, "two");
	assert_int_equal(config_list_next(&cursor, item, sizeof(item)), -EINVAL);
	cursor = "  ";
	assert_int_equal(config_list_next(&cursor, item, sizeof(item)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_leaves_the_defaults),
		cmocka_unit_test(keys_are_taken_by_section_and_comments_passed_over),
		cmocka_unit_test(
			an_unknown_section_is_refused_once_with_those_that_exist),
		cmocka_unit_test(an_unknown_key_is_refused_with_those_that_exist),
		cmocka_unit_test(a_key_twice_in_one_file_is_refused),
		cmocka_unit_test(a_bad_value_says_what_would_be_right),
		cmocka_unit_test(durations_have_units_and_bounds),
		cmocka_unit_test(paths_and_names_are_judged),
		cmocka_unit_test(a_line_that_is_not_understood_is_refused),
		cmocka_unit_test(an_indented_line_is_a_line_of_its_own),
		cmocka_unit_test(
			a_line_at_the_bound_is_whole_and_one_byte_more_is_refused),
		cmocka_unit_test(a_value_of_300_characters_is_refused_not_split),
		cmocka_unit_test(a_long_key_or_section_is_refused_not_cut),
		cmocka_unit_test(control_characters_nul_and_broken_utf8_are_refused),
		cmocka_unit_test(all_mistakes_are_counted_and_the_first_twenty_kept),
		cmocka_unit_test(an_error_shows_no_escape_of_the_value),
		cmocka_unit_test(named_sections_have_targets_of_their_own),
		scratch_test(a_missing_file_is_fine_unless_it_is_required),
		scratch_test(drop_ins_override_in_the_order_of_their_names),
		scratch_test(mistakes_of_all_files_are_told),
		scratch_test(an_untrusted_drop_in_folder_is_refused),
		scratch_test(a_file_beyond_the_bound_is_refused),
		cmocka_unit_test(a_list_is_taken_item_by_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
