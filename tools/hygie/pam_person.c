/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conditions of pam_succeed_if(8), for supposed people; see pam_person.h.
 */
#include "pam_person.h"

#include "libhygie/attributes.h"

#include <stdio.h>
#include <string.h>

#define ORDINARY_UID 60000 /* above every limit that is meant for people */

struct condition {
	const char *field, *word, *value;
};

static bool is_flag(const char *word)
{
	static const char *const flags[] = { "debug",      "use_uid",       "quiet",
					     "quiet_fail", "quiet_success", "audit" };

	for (size_t i = 0; i < array_size(flags); i++)
		if (strcmp(word, flags[i]) == 0)
			return true;
	return false;
}

/* The next three words; false at the end. `state` is strtok_r's. */
static bool condition_next(char **text, char **state, struct condition *ret_condition)
{
	char *words[3];
	int count = 0;

	while (count < 3) {
		words[count] = strtok_r(*text, " ", state);
		*text = NULL;
		if (!words[count])
			return false;
		if (count > 0 || !is_flag(words[count]))
			count++;
	}
	*ret_condition = (struct condition){ words[0], words[1], words[2] };
	return true;
}

static bool number_compares(long left, const char *word, long right)
{
	if (strcmp(word, "=") == 0 || strcmp(word, "eq") == 0)
		return left == right;
	if (strcmp(word, "!=") == 0 || strcmp(word, "ne") == 0)
		return left != right;
	if (strcmp(word, "<") == 0 || strcmp(word, "lt") == 0)
		return left < right;
	if (strcmp(word, "<=") == 0 || strcmp(word, "le") == 0)
		return left <= right;
	if (strcmp(word, ">") == 0 || strcmp(word, "gt") == 0)
		return left > right;
	if (strcmp(word, ">=") == 0 || strcmp(word, "ge") == 0)
		return left >= right;
	return false;
}

/* Whether `item` is in "a:b:c". */
static bool list_has(const char *list, const char *item)
{
	size_t length = strlen(item);

	for (const char *at = list; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL)
		if (strncmp(at, item, length) == 0 &&
		    (at[length] == ':' || at[length] == '\0'))
			return true;
	return false;
}

static bool text_compares(const char *left, const char *word, const char *right)
{
	if (strcmp(word, "=") == 0)
		return strcmp(left, right) == 0;
	if (strcmp(word, "!=") == 0)
		return strcmp(left, right) != 0;
	if (strcmp(word, "in") == 0)
		return list_has(right, left);
	return strcmp(word, "notin") == 0 && !list_has(right, left);
}

static bool condition_holds(const struct condition *condition,
			    const struct pam_person *person, const char *service)
{
	bool named = strcmp(condition->field, "user") == 0;

	if (strcmp(condition->field, "uid") == 0)
		return number_compares(person->root ? 0 : ORDINARY_UID, condition->word,
				       strtol(condition->value, NULL, 10));
	if (strcmp(condition->field, "service") == 0)
		return text_compares(service, condition->word, condition->value);
	if (named && strcmp(condition->word, "ingroup") == 0)
		return person->group && list_has(condition->value, person->group);
	if (named && strcmp(condition->word, "notingroup") == 0)
		return !person->group || !list_has(condition->value, person->group);
	if (named)
		return text_compares(person->root ? "root" : "", condition->word,
				     condition->value);
	return false;
}

bool pam_person_passes(const struct pam_person *person, const char *service,
		       const char *arguments)
{
	cleanup_free char *copy = strdup(arguments);
	struct condition condition;
	char *state = NULL, *text = copy;
	bool any = false;

	while (copy && condition_next(&text, &state, &condition)) {
		if (!condition_holds(&condition, person, service))
			return false;
		any = true;
	}
	return any;
}

char *pam_condition_group(const char *arguments)
{
	cleanup_free char *copy = strdup(arguments);
	struct condition condition;
	char *state = NULL, *text = copy;

	while (copy && condition_next(&text, &state, &condition))
		if (strcmp(condition.field, "user") == 0 &&
		    strcmp(condition.word, "ingroup") == 0) {
			/* One name; of several the first. */
			return strndup(condition.value, strcspn(condition.value, ":"));
		}
	return NULL;
}
