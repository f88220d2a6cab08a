/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: "[section]" or "[section NAME]" headings and "key = value" lines,
 * with drop-ins, ruled by a table of keys. libinih splits the lines; a reader of ours
 * hands them over one by one, since libinih cuts long lines in two, cuts long names, and
 * joins indented lines, all without a word.
 *
 * Everything that is not understood is refused, and every mistake is told, not only the
 * first: "FILE:LINE: what is wrong; what would be right".
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONFIG_LINE_MAX 196   /* bytes of a line: libinih has room for 199 */
#define CONFIG_NAME_SIZE 48   /* a section's, a section's NAME, or a key, with its NUL */
#define CONFIG_FILE_MAX 65536 /* bytes of a file */
#define CONFIG_ERRORS_MAX 20  /* kept; more are counted */
#define CONFIG_ERROR_SIZE 512

/* The mistakes found so far. Begin with a zeroed one; it owns nothing. */
struct config_errors {
	size_t count; /* all, of which min(count, CONFIG_ERRORS_MAX) texts are kept */
	char text[CONFIG_ERRORS_MAX][CONFIG_ERROR_SIZE];
};

/* Adds one, made printable, cut at its size. `line` 0: about the whole file. */
void config_errors_add(struct config_errors *errors, const char *file, unsigned line,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

struct config_key;

/* One "key = value" line, as a parser sees it. All borrowed. */
struct config_value {
	const struct config_key *key;
	const char *name; /* as written: differs from key->name for free keys */
	const char *text; /* trimmed; may be "" */
};

/*
 * Reads value->text into `field`. 0; or -EINVAL with what would be right in `reason`
 * ("yes or no"), which is shown after "VALUE is not ". `field` stays as it was then.
 */
typedef int (*config_parser)(const struct config_value *value, void *field, char *reason,
			     size_t reason_size);

struct config_key {
	const char *section; /* of "[section]" and "[section NAME]" alike */
	const char *name;    /* NULL: any key (CONFIG_NAME_SIZE) of the section */
	config_parser parse;
	size_t offset;             /* of the field in the target */
	const char *default_text;  /* parsed by config_defaults; NULL: leaves the zero */
	const char *documentation; /* one line */
	size_t size;               /* of the field in bytes, for strings and the like */
	long minimum, maximum;     /* for numbers (as they are) and durations (ms) */
	const char *const *words;  /* for config_parse_word: ends in NULL */
};

/* Where a heading stands. */
struct config_place {
	const char *file;
	unsigned line;
};

struct config_schema {
	const struct config_key *keys;
	size_t count;
	/*
	 * Called at every heading. `name` is "" for "[section]". Returns the target that
	 * the section's offsets count from, or NULL with a reason: the section is then
	 * refused whole. A NULL function: no section takes a NAME, and all count from
	 * `target`.
	 */
	void *(*section_begin)(void *target, const char *section, const char *name,
			       const struct config_place *place, char *reason,
			       size_t reason_size);
};

/* Sets every default that the table has. A default that does not parse aborts: our bug.
 */
void config_defaults(const struct config_schema *schema, void *target);

/*
 * Reads one file's text (it may hold NULs: they are refused). `file` is its name in
 * messages. 0, or -EINVAL when this added to `errors` (good lines have been taken all the
 * same, so the target must not be used), -ENOMEM.
 */
int config_parse(const char *file, const char *text, size_t size,
		 const struct config_schema *schema, void *target,
		 struct config_errors *errors) must_check;

/* Reads one trusted file (trusted_file.h). Also -ENOENT and its other errors, told. */
int config_load_file(const char *path, uid_t owner, const struct config_schema *schema,
		     void *target, struct config_errors *errors) must_check;

/*
 * Reads `path`, then PATH.d's files that end in ".conf", sorted: a later file replaces a
 * key's value. A missing PATH.d is fine; a missing `path` is unless `required`. Errors as
 * above.
 */
int config_load(const char *path, bool required, uid_t owner,
		const struct config_schema *schema, void *target,
		struct config_errors *errors) must_check;

/* Parsers. The field's type is in the name or said here. */
int config_parse_bool(const struct config_value *value, void *field, char *reason,
		      size_t reason_size); /* bool: yes, no, true, false, on, off */
int config_parse_unsigned(const struct config_value *value, void *field, char *reason,
			  size_t reason_size); /* unsigned, decimal */
/* unsigned milliseconds: "15" and "15s" seconds, "500ms", "2min", "1h" */
int config_parse_duration(const struct config_value *value, void *field, char *reason,
			  size_t reason_size);
int config_parse_path(const struct config_value *value, void *field, char *reason,
		      size_t reason_size); /* char[size]: absolute, no "..", no "//" */
int config_parse_name(
	const struct config_value *value, void *field, char *reason,
	size_t reason_size); /* char[size]: a user's, group's or service's */
/* int: the index in key->words */
int config_parse_word(const struct config_value *value, void *field, char *reason,
		      size_t reason_size);

/* Whether it could be a login, group or PAM service name: [A-Za-z0-9_][A-Za-z0-9_.@-]*.
 */
bool config_name_is_valid(const char *name);

/*
 * Takes the next item of a list, separated by blanks: copies it to `ret_item`. 1; 0 at
 * the end; -EINVAL when it does not fit. Begin with *cursor at the list's text.
 */
int config_list_next(const char **cursor, char *ret_item, size_t size);
