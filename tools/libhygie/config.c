/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files ruled by a table; declared in config.h. The reader below judges
 * each line and knows its number; libinih is given only lines whose shape is right, and
 * splits them. The values' parsers are in config_value.c.
 */
#include "libhygie/config.h"

#include "libhygie/printable.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_SEEN_MAX 1024 /* lines with a key, in a file */

static const char blanks[] = " \t";

/* A key that this file has set already, in this section. */
struct seen {
	unsigned line;
	char heading[2 * CONFIG_NAME_SIZE];
	char name[CONFIG_NAME_SIZE];
};

/* One file being read. */
struct reading {
	const char *file;
	const char *text;
	size_t left; /* bytes of `text` still to read */
	unsigned line;
	const struct config_schema *schema;
	struct config_errors *errors;
	void *target;
	char section[CONFIG_NAME_SIZE];
	char section_name[CONFIG_NAME_SIZE];
	void *section_target; /* NULL: in no section, or in one that was refused */
	bool section_refused; /* so its lines are passed over: one message is enough */
	struct seen *seen;
	size_t seen_count;
};

void config_errors_add(struct config_errors *errors, const char *file, unsigned line,
		       const char *format, ...)
{
	char text[CONFIG_ERROR_SIZE];
	char place[16] = "";
	int used;
	va_list arguments;

	if (errors->count++ >= CONFIG_ERRORS_MAX)
		return;
	if (line > 0)
		(void)snprintf(place, sizeof(place), ":%u", line);
	used = snprintf(text, sizeof(text), "%.200s%s: ", file, place);
	if (used > 0 && (size_t)used < sizeof(text)) {
		va_start(arguments, format);
		(void)vsnprintf(text + used, sizeof(text) - (size_t)used, format,
				arguments);
		va_end(arguments);
	}
	/* What is clean stays: it may hold escapes of an earlier printable_copy. */
	if (printable_is_clean(text, strlen(text)))
		memcpy(errors->text[errors->count - 1], text, sizeof(text));
	else
		printable_copy(errors->text[errors->count - 1], CONFIG_ERROR_SIZE, text,
			       strlen(text));
}

/* Copies without the blanks around; false when nothing or too much is left. */
static bool name_copy(char ret_name[CONFIG_NAME_SIZE], const char *begin, size_t length)
{
	while (length > 0 && strchr(blanks, begin[0]) != NULL) {
		begin++;
		length--;
	}
	while (length > 0 && strchr(blanks, begin[length - 1]) != NULL)
		length--;
	if (length == 0 || length >= CONFIG_NAME_SIZE)
		return false;
	memcpy(ret_name, begin, length);
	ret_name[length] = '\0';
	return true;
}

/* Which headings the table knows, for a person. */
static void sections_say(const struct config_schema *schema, char *ret_text, size_t size)
{
	const char *last = "";
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < schema->count && used < size; i++) {
		if (strcmp(schema->keys[i].section, last) == 0)
			continue;
		last = schema->keys[i].section;
		used += (size_t)snprintf(ret_text + used, size - used, "%s[%s%s]",
					 used > 0 ? ", " : "", last,
					 schema->section_begin != NULL ? " NAME" : "");
	}
}

static bool section_is_known(const struct config_schema *schema, const char *section)
{
	for (size_t i = 0; i < schema->count; i++)
		if (strcmp(schema->keys[i].section, section) == 0)
			return true;
	return false;
}

/* Splits "section" or "section NAME" between the brackets. */
static bool heading_split(struct reading *reading, const char *begin, size_t length)
{
	char whole[2 * CONFIG_NAME_SIZE];
	size_t first;

	if (length >= sizeof(whole))
		return false;
	memcpy(whole, begin, length);
	whole[length] = '\0';
	first = strcspn(whole, blanks);
	reading->section_name[0] = '\0';
	if (!name_copy(reading->section, whole, first))
		return false;
	return first == length ||
	       name_copy(reading->section_name, whole + first, length - first);
}

static void section_enter(struct reading *reading)
{
	const struct config_schema *schema = reading->schema;
	const struct config_place place = { reading->file, reading->line };
	char reason[256] = "takes no name";

	if (!section_is_known(schema, reading->section)) {
		char known[256];

		sections_say(schema, known, sizeof(known));
		config_errors_add(reading->errors, reading->file, reading->line,
				  "no section is called [%s]; there are %s",
				  reading->section, known);
		return;
	}
	if (schema->section_begin != NULL)
		reading->section_target = schema->section_begin(
			reading->target, reading->section, reading->section_name, &place,
			reason, sizeof(reason));
	else if (reading->section_name[0] == '\0')
		reading->section_target = reading->target;
	if (reading->section_target == NULL)
		config_errors_add(reading->errors, reading->file, reading->line,
				  "section [%s%s%s]: %s", reading->section,
				  reading->section_name[0] != '\0' ? " " : "",
				  reading->section_name, reason);
}

/* A line that begins with a bracket. */
static void heading_read(struct reading *reading, const char *line, size_t length)
{
	const char *close = memchr(line, ']', length);
	const char *after = close != NULL ? close + 1 + strspn(close + 1, blanks) : NULL;

	reading->section_target = NULL;
	reading->section_refused = true;
	if (close == NULL || (*after != '\0' && *after != ';' && *after != '#') ||
	    !heading_split(reading, line + 1, (size_t)(close - line - 1)))
		config_errors_add(reading->errors, reading->file, reading->line,
				  "is not a heading; write [section] or [section NAME], "
				  "each word under %d bytes",
				  CONFIG_NAME_SIZE);
	else
		section_enter(reading);
	reading->section_refused = reading->section_target == NULL;
}

/* A line with a key: whether libinih will split it as it was meant. */
static bool key_line_is_fit(struct reading *reading, const char *line)
{
	const char *equals = strchr(line, '=');
	char name[CONFIG_NAME_SIZE];

	if (reading->section_refused)
		return false;
	if (reading->section_target == NULL) {
		config_errors_add(reading->errors, reading->file, reading->line,
				  "is in no section; write a [section] above it");
		return false;
	}
	if (equals == NULL || !name_copy(name, line, (size_t)(equals - line)) ||
	    strpbrk(name, ":; \t[]") != NULL) {
		config_errors_add(reading->errors, reading->file, reading->line,
				  "is not understood; write \"key = value\", or begin a "
				  "comment with #");
		return false;
	}
	return true;
}

/* Takes the next line out of the text. False at the end. */
static bool line_next(struct reading *reading, const char **ret_line, size_t *ret_length)
{
	const char *end;

	if (reading->left == 0)
		return false;
	end = memchr(reading->text, '\n', reading->left);
	*ret_line = reading->text;
	*ret_length = end != NULL ? (size_t)(end - reading->text) : reading->left;
	reading->text += *ret_length;
	reading->left -= *ret_length;
	if (end != NULL) {
		reading->text++;
		reading->left--;
	}
	reading->line++;
	return true;
}

/* Text without controls, tabs aside, and without what misleads the eye. */
static bool line_is_clean(const char *line, size_t length)
{
	char copy[CONFIG_LINE_MAX];

	for (size_t i = 0; i < length; i++)
		copy[i] = line[i] == '\t' ? ' ' : line[i];
	return printable_is_clean(copy, length);
}

/* Whether a line may be looked at further: its bytes, not yet its shape. */
static bool line_is_fit(struct reading *reading, const char *line, size_t length,
			size_t room)
{
	size_t max = CONFIG_LINE_MAX < room ? CONFIG_LINE_MAX : room;

	if (length > max) {
		config_errors_add(reading->errors, reading->file, reading->line,
				  "has %zu bytes; a line may have %zu", length, max);
		return false;
	}
	if (length > 0 && line[length - 1] == '\r') {
		config_errors_add(
			reading->errors, reading->file, reading->line,
			"ends in a carriage return; save the file with Unix line "
			"ends");
		return false;
	}
	if (!line_is_clean(line, length)) {
		config_errors_add(
			reading->errors, reading->file, reading->line,
			"holds control or invisible characters, or is not UTF-8; "
			"type it anew");
		return false;
	}
	return true;
}

/* libinih's reader: hands over the next key line, as it will understand it. */
static char *reading_next(char *ret_line, int size, void *context)
{
	struct reading *reading = context;
	char line[CONFIG_LINE_MAX + 1];
	const char *raw;
	size_t length;

	while (line_next(reading, &raw, &length)) {
		const char *begin;

		if (!line_is_fit(reading, raw, length, size > 1 ? (size_t)size - 1 : 0))
			continue;
		memcpy(line, raw, length);
		line[length] = '\0';
		/* Without its indent: libinih would join it to the line before. */
		begin = line + strspn(line, blanks);
		if (*begin == '\0' || *begin == '#' || *begin == ';')
			continue;
		if (*begin == '[')
			heading_read(reading, begin, strlen(begin));
		else if (key_line_is_fit(reading, begin))
			return memcpy(ret_line, begin, strlen(begin) + 1);
	}
	return NULL;
}

/* The row for a key, or NULL. */
static const struct config_key *key_find(const struct config_schema *schema,
					 const char *section, const char *name)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct config_key *key = &schema->keys[i];

		if (strcmp(key->section, section) == 0 &&
		    (key->name == NULL || strcmp(key->name, name) == 0))
			return key;
	}
	return NULL;
}

static void keys_say(const struct config_schema *schema, const char *section,
		     char *ret_text, size_t size)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < schema->count && used < size; i++)
		if (strcmp(schema->keys[i].section, section) == 0)
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 used > 0 ? ", " : "",
						 schema->keys[i].name);
}

/* Notes the key; false, told, when this file has set it already. */
static bool key_is_new(struct reading *reading, const char *name)
{
	struct seen now = { .line = reading->line };

	(void)snprintf(now.heading, sizeof(now.heading), "%s %s", reading->section,
		       reading->section_name);
	(void)snprintf(now.name, sizeof(now.name), "%s", name);
	for (size_t i = 0; i < reading->seen_count; i++) {
		const struct seen *seen = &reading->seen[i];

		if (strcmp(seen->name, now.name) == 0 &&
		    strcmp(seen->heading, now.heading) == 0) {
			config_errors_add(
				reading->errors, reading->file, reading->line,
				"%s is set already in line %u; keep one of them", name,
				seen->line);
			return false;
		}
	}
	if (reading->seen_count == CONFIG_SEEN_MAX) {
		config_errors_add(reading->errors, reading->file, reading->line,
				  "is one key too many; a file may have %d",
				  CONFIG_SEEN_MAX);
		return false;
	}
	reading->seen[reading->seen_count++] = now;
	return true;
}

static void value_take(struct reading *reading, const struct config_key *key,
		       const char *name, const char *text)
{
	const struct config_value value = { key, name, text };
	char reason[256] = "right";

	if (key->parse(&value, (char *)reading->section_target + key->offset, reason,
		       sizeof(reason)) < 0)
		config_errors_add(reading->errors, reading->file, reading->line,
				  "%s: \"%s\" is not %s", name, text, reason);
}

/* libinih's handler: one key and its value. */
static int reading_handle(void *context, const char *section, const char *name,
			  const char *text)
{
	struct reading *reading = context;
	const struct config_key *key = key_find(reading->schema, reading->section, name);

	(void)section; /* headings are ours */
	if (key == NULL) {
		char known[256];

		keys_say(reading->schema, reading->section, known, sizeof(known));
		config_errors_add(reading->errors, reading->file, reading->line,
				  "[%s] has no key \"%s\"; it has %s", reading->section,
				  name, known);
	} else if (key_is_new(reading, name)) {
		value_take(reading, key, name, text != NULL ? text : "");
	}
	return 1;
}

int config_parse(const char *file, const char *text, size_t size,
		 const struct config_schema *schema, void *target,
		 struct config_errors *errors)
{
	cleanup_free struct seen *seen = calloc(CONFIG_SEEN_MAX, sizeof(*seen));
	struct reading reading = {
		.file = file,
		.text = text,
		.left = size,
		.schema = schema,
		.errors = errors,
		.target = target,
		.seen = seen,
	};
	size_t before = errors->count;
	int r;

	if (seen == NULL) {
		config_errors_add(errors, file, 0, "out of memory");
		return -ENOMEM;
	}
	r = ini_parse_stream(reading_next, &reading, reading_handle, &reading);
	if (r == -2) {
		config_errors_add(errors, file, 0, "out of memory");
		return -ENOMEM;
	}
	if (r != 0 && errors->count == before) /* it saw what the reader did not */
		config_errors_add(errors, file, 0, "is not understood (key line %d)", r);
	return errors->count > before ? -EINVAL : 0;
}

void config_defaults(const struct config_schema *schema, void *target)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct config_key *key = &schema->keys[i];
		const struct config_value value = { key, key->name, key->default_text };
		char reason[256];

		if (key->default_text != NULL &&
		    key->parse(&value, (char *)target + key->offset, reason,
			       sizeof(reason)) < 0)
			abort();
	}
}

/* Tells about a file that could not be read; the error's text may name it already. */
static void unreadable_tell(struct config_errors *errors, const char *path,
			    const struct file_error *error)
{
	size_t length = strlen(path);
	const char *text = error->text;

	if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
		text += length + 2;
	config_errors_add(errors, path, 0, "%s", text);
}

static int file_load(const char *path, bool required, uid_t owner,
		     const struct config_schema *schema, void *target,
		     struct config_errors *errors)
{
	cleanup_free char *text = NULL;
	struct file_error error = { "" };
	size_t size;
	int r = trusted_file_read(path, owner, CONFIG_FILE_MAX, &text, &size, &error);

	if (r == -ENOENT && !required)
		return 0;
	if (r < 0) {
		unreadable_tell(errors, path, &error);
		return r;
	}
	return config_parse(path, text, size, schema, target, errors);
}

int config_load_file(const char *path, uid_t owner, const struct config_schema *schema,
		     void *target, struct config_errors *errors)
{
	return file_load(path, true, owner, schema, target, errors);
}

/* All drop-ins are read even after a mistake in one, so that all mistakes are told. */
static int drop_ins_load(const char *folder, uid_t owner,
			 const struct config_schema *schema, void *target,
			 struct config_errors *errors)
{
	cleanup_trusted_names struct trusted_names names = { 0 };
	struct file_error error = { "" };
	int result = 0;
	int r = trusted_folder_list(folder, ".conf", owner, &names, &error);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		unreadable_tell(errors, folder, &error);
		return r;
	}
	for (size_t i = 0; i < names.count; i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s", folder, names.name[i]) < 0)
			return -ENOMEM;
		r = file_load(path, true, owner, schema, target, errors);
		if (result == 0)
			result = r;
	}
	return result;
}

int config_load(const char *path, bool required, uid_t owner,
		const struct config_schema *schema, void *target,
		struct config_errors *errors)
{
	char folder[PATH_MAX];
	int n = snprintf(folder, sizeof(folder), "%s.d", path);
	int r, s;

	if (n < 0 || (size_t)n >= sizeof(folder)) {
		config_errors_add(errors, path, 0, "its name is too long");
		return -ENAMETOOLONG;
	}
	r = file_load(path, required, owner, schema, target, errors);
	s = drop_ins_load(folder, owner, schema, target, errors);
	return r < 0 ? r : s;
}
