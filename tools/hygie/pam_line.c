/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a PAM line apart; see pam_line.h.
 */
#include "pam_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n"
#define JUMP_MAX 10000

static const char *const kind_names[PAM_KINDS] = { "auth", "account", "password",
						   "session" };

/* In the order of their numbers, which are Linux-PAM's interface. */
static const char *const code_names[PAM_CODES] = {
	"success",
	"open_err",
	"symbol_err",
	"service_err",
	"system_err",
	"buf_err",
	"perm_denied",
	"auth_err",
	"cred_insufficient",
	"authinfo_unavail",
	"user_unknown",
	"maxtries",
	"new_authtok_reqd",
	"acct_expired",
	"session_err",
	"cred_unavail",
	"cred_expired",
	"cred_err",
	"no_module_data",
	"conv_err",
	"authtok_err",
	"authtok_recover_err",
	"authtok_lock_busy",
	"authtok_disable_aging",
	"try_again",
	"ignore",
	"abort",
	"authtok_expired",
	"module_unknown",
	"bad_item",
	"conv_again",
	"incomplete",
};

/* What the four words stand for. */
static const struct control_word {
	const char *word, *meaning;
} control_words[] = {
	{ "required", "success=ok new_authtok_reqd=ok ignore=ignore default=bad" },
	{ "requisite", "success=ok new_authtok_reqd=ok ignore=ignore default=die" },
	{ "sufficient", "success=done new_authtok_reqd=done default=ignore" },
	{ "optional", "success=ok new_authtok_reqd=ok default=ignore" },
};

const char *pam_kind_name(enum pam_kind kind)
{
	return kind_names[kind];
}

/* The next word of *text, a [...] whole and without its brackets; NULL at the end. */
static char *word_next(char **text, bool *ret_bracket)
{
	char *word = *text + strspn(*text, BLANKS), *to, *from;

	*ret_bracket = false;
	if (*word == '\0')
		return NULL;
	if (*word != '[') {
		*text = word + strcspn(word, BLANKS);
		if (**text != '\0')
			*(*text)++ = '\0';
		return word;
	}
	*ret_bracket = true;
	to = from = ++word;
	/* "\]" is a bracket inside. */
	for (; *from != '\0' && *from != ']'; from++) {
		if (from[0] == '\\' && from[1] == ']')
			from++;
		*to++ = *from;
	}
	*text = *from == ']' ? from + 1 : from;
	*to = '\0';
	return word;
}

static int code_find(const char *name)
{
	for (int i = 0; i < PAM_CODES; i++)
		if (strcasecmp(code_names[i], name) == 0)
			return i;
	return -1;
}

/* "ok", "die", "3"; false when it is none. */
static bool action_read(const char *text, int *ret_action)
{
	static const char *const words[] = {
		"ignore", "ok", "done", "bad", "die", "reset"
	};
	char *end;
	long jump;

	for (size_t i = 0; i < array_size(words); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*ret_action = -(int)i;
			return true;
		}
	if (strspn(text, "0123456789") != strlen(text) || text[0] == '\0')
		return false;
	jump = strtol(text, &end, 10);
	*ret_action = (int)jump;
	return jump > 0 && jump <= JUMP_MAX;
}

/* "default" is for the codes that were not named so far. */
static void action_set(int action[PAM_CODES], int code, int value)
{
	for (int i = 0; i < PAM_CODES; i++)
		if (i == code || (code < 0 && action[i] == PAM_DO_UNSET))
			action[i] = value;
}

/* Fills `action` from "success=ok default=ignore". False when it makes no sense. */
static bool control_read(const char *text, int action[PAM_CODES])
{
	cleanup_free char *copy = strdup(text);
	char *state = NULL;

	for (int i = 0; i < PAM_CODES; i++)
		action[i] = PAM_DO_UNSET;
	for (char *word = copy ? strtok_r(copy, BLANKS, &state) : NULL; word;
	     word = strtok_r(NULL, BLANKS, &state)) {
		char *equals = strchr(word, '=');
		int value, code;

		if (!equals || !action_read(equals + 1, &value))
			return false;
		*equals = '\0';
		code = code_find(word);
		if (code < 0 && strcasecmp(word, "default") != 0)
			return false;
		action_set(action, code, value);
	}
	return copy != NULL;
}

/* What the control says, into `line`; its sentence when it is wrong, else NULL. */
static const char *control_take(struct pam_line *line, const char *word, bool bracket)
{
	if (bracket)
		return control_read(word, line->action)
			       ? NULL
			       : "the control in brackets is not VALUE=ACTION pairs";
	if (strcasecmp(word, "include") == 0)
		line->what = PAM_LINE_INCLUDE;
	else if (strcasecmp(word, "substack") == 0)
		line->what = PAM_LINE_SUBSTACK;
	if (line->what != PAM_LINE_MODULE)
		return NULL;
	for (size_t i = 0; i < array_size(control_words); i++)
		if (strcasecmp(word, control_words[i].word) == 0)
			return control_read(control_words[i].meaning, line->action)
				       ? NULL
				       : "no memory";
	return "the control is none of required, requisite, sufficient, optional, "
	       "include, substack, [...]";
}

/* "auth", "-auth"; false when it is no kind. */
static bool kind_read(const char *word, struct pam_line *line)
{
	line->quiet = word[0] == '-';
	for (int i = 0; i < PAM_KINDS; i++)
		if (strcasecmp(word + line->quiet, kind_names[i]) == 0) {
			line->kind = (enum pam_kind)i;
			return true;
		}
	return false;
}

/* The rest of the line with one blank between two words, malloc'ed. */
static char *arguments_join(char *rest)
{
	size_t room = strlen(rest) + 2, used = 0;
	char *joined = calloc(1, room);
	bool bracket;
	char *word;

	if (!joined)
		return NULL;
	while ((word = word_next(&rest, &bracket)) != NULL)
		used += (size_t)snprintf(joined + used, room - used, "%s%s",
					 used > 0 ? " " : "", word);
	return joined;
}

/* Reads the words behind the kind. NULL, or what is wrong. */
static const char *rest_read(char **rest, struct pam_line *line)
{
	const char *wrong = NULL;
	bool bracket = false;
	char *word;

	if (line->what != PAM_LINE_INCLUDE_ALL) {
		word = word_next(rest, &bracket);
		if (!word)
			return "the control and the module are missing";
		if (asprintf(&line->control, bracket ? "[%s]" : "%s", word) < 0)
			line->control = NULL; /* the caller sees that it is missing */
		wrong = control_take(line, word, bracket);
	}
	word = word_next(rest, &bracket);
	if (!word)
		return "the module is missing";
	line->module = strdup(word);
	return wrong;
}

int pam_line_parse(const char *text, struct pam_line *ret_line)
{
	cleanup_free char *copy = strdup(text);
	struct pam_line line = { .what = PAM_LINE_MODULE };
	char *rest = copy;
	bool bracket;
	char *word;

	if (!copy)
		return -ENOMEM;
	word = word_next(&rest, &bracket);
	if (!word)
		return 0;
	if (strcmp(word, "@include") == 0)
		line.what = PAM_LINE_INCLUDE_ALL;
	else if (!kind_read(word, &line))
		line.wrong = "it begins with none of auth, account, password, session";
	if (!line.wrong)
		line.wrong = rest_read(&rest, &line);
	if (line.wrong)
		line.what = PAM_LINE_BROKEN;
	if (!line.control && (line.wrong || line.what == PAM_LINE_INCLUDE_ALL))
		line.control = strdup("");
	line.module = line.module ? line.module : strdup("");
	line.arguments = arguments_join(rest);
	if (!line.control || !line.module || !line.arguments) {
		pam_line_clear(&line);
		return -ENOMEM;
	}
	*ret_line = line;
	return 1;
}

int pam_line_copy(const struct pam_line *line, struct pam_line *ret_line)
{
	struct pam_line copy = *line;

	copy.control = strdup(line->control);
	copy.module = strdup(line->module);
	copy.arguments = strdup(line->arguments);
	copy.file = line->file ? strdup(line->file) : NULL;
	if (!copy.control || !copy.module || !copy.arguments ||
	    (line->file && !copy.file)) {
		pam_line_clear(&copy);
		return -ENOMEM;
	}
	*ret_line = copy;
	return 0;
}

void pam_line_clear(struct pam_line *line)
{
	free(line->control);
	free(line->module);
	free(line->arguments);
	free(line->file);
	*line = (struct pam_line){ .what = PAM_LINE_BROKEN };
}

void pam_line_module_name(const struct pam_line *line, char *ret_name, size_t size)
{
	const char *slash = strrchr(line->module, '/');
	const char *name = slash ? slash + 1 : line->module;
	const char *dot = strstr(name, ".so");

	(void)snprintf(ret_name, size, "%.*s",
		       (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
}

bool pam_line_calls(const struct pam_line *line, const char *module)
{
	char name[64];

	if (line->what != PAM_LINE_MODULE)
		return false;
	pam_line_module_name(line, name, sizeof(name));
	return strcmp(name, module) == 0;
}

bool pam_line_has_argument(const struct pam_line *line, const char *argument)
{
	size_t length = strlen(argument);

	for (const char *word = line->arguments; *word != '\0';) {
		size_t end = strcspn(word, " ");

		if (end == length && strncmp(word, argument, length) == 0)
			return true;
		word += end + (word[end] == ' ');
	}
	return false;
}

const char *pam_line_first_pass(const struct pam_line *line)
{
	static const char *const words[] = { "use_first_pass", "force_first_pass" };

	for (size_t i = 0; i < array_size(words); i++)
		if (pam_line_has_argument(line, words[i]))
			return words[i];
	return NULL;
}
