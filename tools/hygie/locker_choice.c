/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which locker is run: what the command line says, else the site's file.
 */
#include "command.h"
#include "libhygie/log.h"
#include "libhygie/trusted_file.h"
#include "locker.h"
#include "output.h"

#include <errno.h>

#define FILE_MAX 65536

static int complain_of_none(const struct options *options)
{
	const struct complaint complaint = {
		N_("Say which locker to run, here or in the file {1}."), LOCKER_FILE
	};

	return output_complaint(options, &complaint);
}

/* The words of the site's file, which point into *ret_text. */
static int read_words(char **ret_text, const char *words[OPTION_OPERANDS_MAX],
		      const char **ret_seen_by)
{
	struct file_error error = { "" };
	size_t size;
	int r = trusted_file_read(LOCKER_FILE, 0, FILE_MAX, ret_text, &size, &error);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_error("%s", error.text);
		return r;
	}
	r = locker_split(*ret_text, words, ret_seen_by);
	if (r < 0)
		log_error(LOCKER_FILE ": too many words");
	return r;
}

int locker_choose(const struct options *options, char **ret_text,
		  struct locker *ret_locker)
{
	const char *words[OPTION_OPERANDS_MAX], *said = NULL;
	const char *const *chosen = options->operands;
	size_t count = options->operand_count;

	*ret_text = NULL;
	if (count == 0) {
		int found = read_words(ret_text, words, &said);

		if (found < 0)
			return outcome_exit_status(HYGIE_BROKEN_SETUP);
		if (found == 0)
			return complain_of_none(options);
		count = (size_t)found;
		chosen = words;
	}
	if (options->seen_by)
		said = options->seen_by;
	if (locker_make(chosen, count, said, ret_locker) == 0)
		return 0;
	return output_usage(
		options, N_("--seen-by is one of fork, sleep-fd, ready-fd and nothing."));
}
