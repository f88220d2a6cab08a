/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what a card profile may say and its parsers; declared in profile_value.h.
 */
#include "hygied/profile_value.h"

#include "libhygie/protocol.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIN_MAX HYGIE_PIN_MAX

static int refuse(char *reason, size_t reason_size, const char *text)
{
	(void)snprintf(reason, reason_size, "%s", text);
	return -EINVAL;
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* "3B AC 00", "3B:AC:00" or "3BAC00": 2 to 33 bytes. */
static bool hex_read(const char *text, uint8_t ret_bytes[PROFILE_ATR_MAX],
		     size_t *ret_size)
{
	size_t size = 0;

	while (*text != '\0') {
		int high, low;

		if (size > 0 && (*text == ' ' || *text == ':' || *text == '\t'))
			text += *text == ':' ? 1 : strspn(text, " \t");
		high = digit_value(text[0]);
		low = high >= 0 ? digit_value(text[1]) : -1;
		if (low < 0 || size == PROFILE_ATR_MAX)
			return false;
		ret_bytes[size++] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	*ret_size = size;
	return size >= 2;
}

static const char hex_wanted[] =
	"hexadecimal bytes with blanks or colons between, 2 to 33";

static int parse_atr(const struct config_value *value, void *field, char *reason,
		     size_t reason_size)
{
	struct profile_draft *draft = field;
	uint8_t bytes[PROFILE_ATR_MAX] = { 0 };
	size_t size = 0;

	if (strcmp(value->text, "any") != 0 && !hex_read(value->text, bytes, &size)) {
		(void)snprintf(reason, reason_size, "any, nor %s", hex_wanted);
		return -EINVAL;
	}
	memcpy(draft->profile.atr, bytes, sizeof(bytes));
	draft->profile.atr_size = size;
	draft->atr_said = true;
	return 0;
}

static int parse_mask(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	struct profile_mask mask = { 0 };

	if (!hex_read(value->text, mask.bytes, &mask.size))
		return refuse(reason, reason_size, hex_wanted);
	*(struct profile_mask *)field = mask;
	return 0;
}

/* Any text of one line, not empty. */
static int parse_text(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	size_t length = strlen(value->text);

	if (length == 0 || length >= value->key->size) {
		(void)snprintf(reason, reason_size, "a text of 1 to %zu bytes",
			       value->key->size - 1);
		return -EINVAL;
	}
	memcpy(field, value->text, length + 1);
	return 0;
}

/* hygie-token parses it (p11-kit); what hygied must not let through is looked for here.
 */
static int parse_uri(const struct config_value *value, void *field, char *reason,
		     size_t reason_size)
{
	static const char *const refused[] = { "pin-value", "pin-source", "module-path",
					       "module-name" };

	for (size_t i = 0; i < array_size(refused); i++)
		if (strstr(value->text, refused[i]) != NULL)
			return refuse(
				reason, reason_size,
				"allowed: no PIN and no module in a URI; use the key "
				"\"module\", and let the person type the PIN");
	if (strncmp(value->text, "pkcs11:", 7) != 0 || value->text[7] == '\0')
		return refuse(reason, reason_size,
			      "a PKCS#11 URI such as pkcs11:token=NAME;serial=NUMBER");
	return parse_text(value, field, reason, reason_size);
}

static bool module_name_is_bare(const char *name)
{
	if (!isalnum((unsigned char)name[0]))
		return false;
	for (const char *at = name; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80 ||
		    (!isalnum((unsigned char)*at) && strchr("._+-", *at) == NULL))
			return false;
	return true;
}

static int parse_module(const struct config_value *value, void *field, char *reason,
			size_t reason_size)
{
	if (value->text[0] == '/')
		return config_parse_path(value, field, reason, reason_size);
	if (!module_name_is_bare(value->text))
		return refuse(reason, reason_size,
			      "a module: write an absolute path, or a file name as in "
			      "opensc-pkcs11.so");
	return parse_text(value, field, reason, reason_size);
}

static int parse_paths(const struct config_value *value, void *field, char *reason,
		       size_t reason_size)
{
	static const struct config_key one = { .size = PROFILE_PATH_SIZE };
	struct profile_paths paths = { 0 };
	const char *cursor = value->text;
	char item[PROFILE_PATH_SIZE];
	int r;

	while ((r = config_list_next(&cursor, item, sizeof(item))) > 0) {
		const struct config_value path = { &one, value->name, item };

		if (paths.count == PROFILE_PATHS_MAX ||
		    config_parse_path(&path, paths.path[paths.count], reason,
				      reason_size) < 0)
			break;
		paths.count++;
	}
	if (r != 0) {
		(void)snprintf(reason, reason_size,
			       "a list of up to %d absolute paths with blanks between",
			       PROFILE_PATHS_MAX);
		return -EINVAL;
	}
	*(struct profile_paths *)field = paths;
	return 0;
}

/*
 * Variables that change which code runs in the helper, or what Hygie itself sets there.
 * A name that ends in an underscore stands for all that begin so.
 */
static bool variable_is_refused(const char *name, size_t length)
{
	static const char *const refused[] = {
		"LD_",         "GLIBC_",   "MALLOC_", "GCONV_PATH",  "LOCPATH",
		"NLSPATH",     "PATH",     "HOME",    "SHELL",       "IFS",
		"ENV",         "BASH_",    "TMPDIR",  "OPENSSL_",    "OPENSC_",
		"PCSCLITE_",   "P11_KIT_", "HYGIE_",  "HOSTALIASES", "RES_OPTIONS",
		"LOCALDOMAIN",
	};

	for (size_t i = 0; i < array_size(refused); i++) {
		size_t size = strlen(refused[i]);
		bool prefix = refused[i][size - 1] == '_';

		if ((prefix ? length >= size : length == size) &&
		    strncmp(name, refused[i], size) == 0)
			return true;
	}
	return false;
}

static bool variable_is_fit(const char *variable)
{
	size_t length = strcspn(variable, "=");

	if (variable[length] != '=' || length == 0 || isdigit((unsigned char)variable[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)variable[i] >= 0x80 ||
		    (!isalnum((unsigned char)variable[i]) && variable[i] != '_'))
			return false;
	return !variable_is_refused(variable, length);
}

static int parse_environment(const struct config_value *value, void *field, char *reason,
			     size_t reason_size)
{
	struct profile_environment environment = { 0 };
	const char *cursor = value->text;
	char item[PROFILE_PATH_SIZE];
	int r;

	while ((r = config_list_next(&cursor, item, sizeof(item))) > 0) {
		if (environment.count == PROFILE_ENVIRONMENT_MAX ||
		    !variable_is_fit(item))
			break;
		memcpy(environment.variable[environment.count++], item, strlen(item) + 1);
	}
	if (r != 0) {
		(void)snprintf(
			reason, reason_size,
			"a list of up to %d NAME=value with blanks between, of the "
			"module's own variables (no LD_*, PATH, OPENSC_* and the like)",
			PROFILE_ENVIRONMENT_MAX);
		return -EINVAL;
	}
	*(struct profile_environment *)field = environment;
	return 0;
}

static const char *const charset_words[] = { "digits", "alphanumeric", "any", NULL };
static const char *const unblock_words[] = { "auto",    "no",     "set-pin",
					     "officer", "ykcs11", NULL };

#define field_of(member)                                                                 \
	.offset = offsetof(struct profile_draft, member),                                \
	.size = sizeof(((struct profile_draft *)NULL)->member)

static const struct config_key keys[] = {
	{ "card", "atr", parse_atr, 0, .documentation = "answer to reset, or any" },
	{ "card", "atr_mask", parse_mask, field_of(mask),
	  .documentation = "bits of the ATR that count" },
	{ "card", "reader", parse_text, field_of(profile.reader),
	  .documentation = "part of the reader's name" },
	{ "card", "uri", parse_uri, field_of(profile.uri),
	  .documentation = "token without a reader (RFC 7512)" },
	{ "card", "module", parse_module, field_of(profile.module),
	  .documentation = "PKCS#11 module: a path or a file name" },
	{ "card", "driver", config_parse_name, field_of(profile.driver),
	  .documentation = "OpenSC's card driver" },
	{ "card", "pin_min", config_parse_unsigned, field_of(profile.pin_min),
	  .minimum = 1, .maximum = PIN_MAX, .documentation = "shortest PIN, in bytes" },
	{ "card", "pin_max", config_parse_unsigned, field_of(profile.pin_max),
	  .minimum = 1, .maximum = PIN_MAX, .documentation = "longest PIN, in bytes" },
	{ "card", "pin_charset", config_parse_word, field_of(profile.pin_charset),
	  .default_text = "digits", .words = charset_words,
	  .documentation = "what a PIN is made of" },
	{ "card", "puk_min", config_parse_unsigned, field_of(profile.puk_min),
	  .default_text = "4", .minimum = 1, .maximum = PIN_MAX,
	  .documentation = "shortest PUK, in bytes" },
	{ "card", "puk_max", config_parse_unsigned, field_of(profile.puk_max),
	  .default_text = "16", .minimum = 1, .maximum = PIN_MAX,
	  .documentation = "longest PUK, in bytes" },
	{ "card", "puk_charset", config_parse_word, field_of(profile.puk_charset),
	  .default_text = "any", .words = charset_words,
	  .documentation = "what a PUK is made of" },
	{ "card", "unblock", config_parse_word, field_of(profile.unblock),
	  .default_text = "auto", .words = unblock_words,
	  .documentation = "how the module takes a PUK" },
	{ "card", "exclusive", config_parse_bool, field_of(profile.exclusive),
	  .default_text = "no",
	  .documentation = "whether the module shuts other programs out during a login" },
	{ "card", "pin_pad", config_parse_bool, field_of(profile.pin_pad),
	  .default_text = "yes",
	  .documentation = "whether a reader's own keys are used" },
	{ "card", "paths_rw", parse_paths, field_of(profile.paths_rw),
	  .documentation = "folders that the module may write" },
	{ "card", "environment", parse_environment, field_of(profile.environment),
	  .documentation = "variables for the module, NAME=value" },
};

static const struct config_schema schema = { keys, array_size(keys), NULL };

const struct config_schema *profile_schema(void)
{
	return &schema;
}

/* The first thing that is wrong about a section as a whole, or NULL. */
static const char *draft_mistake(const struct profile_draft *draft)
{
	const struct profile *profile = &draft->profile;

	if (profile->uri[0] != '\0' &&
	    (draft->atr_said || draft->mask.size > 0 || profile->reader[0] != '\0'))
		return "has a uri, so it has no reader: take out atr, atr_mask and reader";
	if (profile->uri[0] == '\0' && !draft->atr_said)
		return "says of no card which it is: add atr = (or atr = any, or uri =)";
	if (draft->mask.size > 0 && draft->mask.size != profile->atr_size)
		return "has an atr_mask of another length than its atr";
	if (profile->module[0] == '\0')
		return "names no module: add module =";
	if (profile->pin_min == 0 || profile->pin_max == 0)
		return "does not say how long a PIN is: add pin_min = and pin_max =";
	if (profile->pin_min > profile->pin_max)
		return "has a pin_min above its pin_max";
	if (profile->puk_min > profile->puk_max)
		return "has a puk_min above its puk_max";
	return NULL;
}

int profile_check(struct profile_draft *draft, struct config_errors *errors)
{
	struct profile *profile = &draft->profile;
	const char *mistake = draft_mistake(draft);

	if (mistake != NULL) {
		config_errors_add(errors, profile->file, profile->line, "[card %s] %s",
				  profile->name, mistake);
		return -EINVAL;
	}
	if (draft->mask.size > 0)
		memcpy(profile->atr_mask, draft->mask.bytes, sizeof(profile->atr_mask));
	else
		memset(profile->atr_mask, 0xFF, sizeof(profile->atr_mask));
	return 0;
}
