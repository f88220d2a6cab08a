/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of lockers; see locker.h, and docs/lockers.md for how it is known.
 */
#include "locker.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *const evidence_words[] = {
	[LOCKER_SEEN_BY_NOTHING] = "nothing",
	[LOCKER_SEEN_BY_FORK] = "fork",
	[LOCKER_SEEN_BY_SLEEP_FD] = "sleep-fd",
	[LOCKER_SEEN_BY_READY_FD] = "ready-fd",
};

/* Whether the words have the option; `with_value`: the short ones that take a value. */
static bool has_option(const char *const words[], size_t count, char letter,
		       const char *name, const char *with_value)
{
	size_t length = strlen(name);

	for (size_t i = 1; i < count && strcmp(words[i], "--") != 0; i++) {
		const char *word = words[i];

		if (strncmp(word, name, length) == 0 &&
		    (word[length] == '\0' || word[length] == '='))
			return true;
		if (word[0] != '-' || word[1] == '-')
			continue;
		while (*++word && *word != letter && !strchr(with_value, *word))
			;
		if (*word == letter)
			return true;
	}
	return false;
}

static enum locker_evidence guess(const char *const words[], size_t count)
{
	const char *slash = strrchr(words[0], '/');
	const char *name = slash ? slash + 1 : words[0];

	if (strcmp(name, "i3lock") == 0)
		return has_option(words, count, 'n', "--nofork", "cpiI")
			       ? LOCKER_SEEN_BY_SLEEP_FD
			       : LOCKER_SEEN_BY_FORK;
	if (strcmp(name, "xsecurelock") == 0)
		return LOCKER_SEEN_BY_SLEEP_FD;
	if (strcmp(name, "swaylock") == 0)
		return has_option(words, count, 'R', "--ready-fd", "cisC")
			       ? LOCKER_SEEN_BY_READY_FD
			       : LOCKER_SEEN_BY_FORK;
	return LOCKER_SEEN_BY_NOTHING;
}

static int evidence_parse(const char *word, enum locker_evidence *ret_evidence)
{
	for (size_t i = LOCKER_SEEN_BY_NOTHING; i < array_size(evidence_words); i++)
		if (strcmp(word, evidence_words[i]) == 0) {
			*ret_evidence = (enum locker_evidence)i;
			return 0;
		}
	return -EINVAL;
}

int locker_make(const char *const words[], size_t count, const char *seen_by,
		struct locker *ret_locker)
{
	struct locker locker = { .evidence = LOCKER_SEEN_BY_NOTHING };

	if (count == 0 || count > OPTION_OPERANDS_MAX)
		return -EINVAL;
	if (!seen_by)
		locker.evidence = guess(words, count);
	else if (evidence_parse(seen_by, &locker.evidence) < 0)
		return -EINVAL;
	memcpy(locker.argv, words, count * sizeof(words[0]));
	*ret_locker = locker;
	return 0;
}

/* Comments become blanks. */
static void erase_comments(char *text)
{
	bool comment = false, beginning = true;

	for (; *text; text++) {
		if (*text == '\n')
			comment = false;
		else if (beginning && *text == '#')
			comment = true;
		beginning = *text == '\n';
		if (comment)
			*text = ' ';
	}
}

int locker_split(char *text, const char *ret_words[OPTION_OPERANDS_MAX],
		 const char **ret_seen_by)
{
	static const char option[] = "--seen-by=", blanks[] = " \t\r\n";
	char *place = NULL;
	int count = 0;

	*ret_seen_by = NULL;
	erase_comments(text);
	for (char *word = strtok_r(text, blanks, &place); word;
	     word = strtok_r(NULL, blanks, &place)) {
		if (count == 0 && !*ret_seen_by &&
		    strncmp(word, option, sizeof(option) - 1) == 0) {
			*ret_seen_by = word + sizeof(option) - 1;
			continue;
		}
		if (count == OPTION_OPERANDS_MAX)
			return -E2BIG;
		ret_words[count++] = word;
	}
	return count;
}
