/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the values of configuration keys may look like: the parsers that config.h
 * declares. Each writes its field only when all of the text is right.
 */
#include "libhygie/config.h"
#include "libhygie/trusted_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 3, 4))) int refuse(char *reason, size_t reason_size,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reason, reason_size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int config_parse_bool(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < array_size(words); i++) {
		if (strcmp(value->text, words[i]) == 0) {
			*(bool *)field = i % 2 == 1;
			return 0;
		}
	}
	return refuse(reason, reason_size, "yes or no");
}

/* Digits alone, at the beginning of *text, which moves behind them; no sign, no blank. */
static bool number_read(const char **text, long *ret_number)
{
	const char *at = *text;
	long number = 0;

	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *at - '0', &number))
			return false;
	*text = at;
	*ret_number = number;
	return true;
}

int config_parse_unsigned(const struct config_value *value, void *field, char *reason,
			  size_t reason_size)
{
	const struct config_key *key = value->key;
	const char *at = value->text;
	long number;

	if (!number_read(&at, &number) || *at != '\0' || number < key->minimum ||
	    number > key->maximum)
		return refuse(reason, reason_size, "a number from %ld to %ld",
			      key->minimum, key->maximum);
	*(unsigned *)field = (unsigned)number;
	return 0;
}

/* Milliseconds in a unit; 0 for one that is not known. No unit means seconds. */
static long unit_milliseconds(const char *unit)
{
	static const struct {
		const char *name;
		long milliseconds;
	} units[] = {
		{ "", 1000 },          { "s", 1000 },         { "ms", 1 },
		{ "min", 60 * 1000L }, { "h", 3600 * 1000L },
	};

	for (size_t i = 0; i < array_size(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].milliseconds;
	return 0;
}

/* A duration as a person would write it. */
static void duration_say(long milliseconds, char ret_text[32])
{
	if (milliseconds > 0 && milliseconds % 60000 == 0)
		(void)snprintf(ret_text, 32, "%ldmin", milliseconds / 60000);
	else if (milliseconds % 1000 == 0)
		(void)snprintf(ret_text, 32, "%lds", milliseconds / 1000);
	else
		(void)snprintf(ret_text, 32, "%ldms", milliseconds);
}

int config_parse_duration(const struct config_value *value, void *field, char *reason,
			  size_t reason_size)
{
	const struct config_key *key = value->key;
	const char *at = value->text;
	long number, unit;

	if (number_read(&at, &number)) {
		unit = unit_milliseconds(at + strspn(at, " "));
		if (unit > 0 && !__builtin_mul_overflow(number, unit, &number) &&
		    number >= key->minimum && number <= key->maximum) {
			*(unsigned *)field = (unsigned)number;
			return 0;
		}
	}
	char low[32], high[32];

	duration_say(key->minimum, low);
	duration_say(key->maximum, high);
	return refuse(reason, reason_size,
		      "a duration from %s to %s (15, 15s, 500ms, 2min, 1h)", low, high);
}

static bool path_is_fit(const char *path)
{
	return trusted_path_is_plain(path) && strpbrk(path, " \t") == NULL;
}

int config_parse_path(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	size_t length = strlen(value->text);

	if (length >= value->key->size || length < 2 || !path_is_fit(value->text))
		return refuse(
			reason, reason_size,
			"an absolute path (under %zu bytes, no blanks, no \"..\", no "
			"slash at the end)",
			value->key->size);
	memcpy(field, value->text, length + 1);
	return 0;
}

bool config_name_is_valid(const char *name)
{
	if (!isalnum((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (const char *at = name; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80 ||
		    (!isalnum((unsigned char)*at) && strchr("_.@-", *at) == NULL))
			return false;
	return true;
}

int config_parse_name(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	size_t length = strlen(value->text);

	if (length >= value->key->size || !config_name_is_valid(value->text))
		return refuse(reason, reason_size,
			      "a name (letters, digits, _ . @ -, under %zu bytes)",
			      value->key->size);
	memcpy(field, value->text, length + 1);
	return 0;
}

int config_parse_word(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	const char *const *words = value->key->words;
	size_t used = 0;

	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(value->text, words[i]) == 0) {
			*(int *)field = i;
			return 0;
		}
	}
	for (size_t i = 0; words[i] != NULL && used < reason_size; i++)
		used += (size_t)snprintf(reason + used, reason_size - used, "%s%s",
					 i == 0                 ? ""
					 : words[i + 1] == NULL ? " or "
								: ", ",
					 words[i]);
	return -EINVAL;
}

int config_list_next(const char **cursor, char *ret_item, size_t size)
{
	const char *at = *cursor + strspn(*cursor, " \t");
	size_t length = strcspn(at, " \t");

	if (length == 0)
		return 0;
	if (length >= size)
		return -EINVAL;
	memcpy(ret_item, at, length);
	ret_item[length] = '\0';
	*cursor = at + length;
	return 1;
}
