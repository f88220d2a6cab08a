/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the command line by a table; see options.h.
 */
#include "options.h"

#include "libhygie/text.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define NO_VALUE ((size_t)-1)
#define FIRST_NUMBER 256 /* above every character */
#define OPERAND 1        /* what getopt_long gives for one */

static const struct option_row {
	const char *name; /* with its dashes */
	unsigned bit;
	size_t offset; /* of the value in struct options, or NO_VALUE */
	int letter;    /* short form, or 0 */
} rows[] = {
	{ "--help", OPTION_HELP, NO_VALUE, 'h' },
	{ "--version", OPTION_VERSION, NO_VALUE, 'V' },
	{ "--json", OPTION_JSON, NO_VALUE, 0 },
	{ "--socket", OPTION_SOCKET, offsetof(struct options, socket), 0 },
	{ "--pin-stdin", OPTION_PIN_STDIN, NO_VALUE, 0 },
	{ "--reassign", OPTION_REASSIGN, NO_VALUE, 0 },
	{ "--reader", OPTION_READER, offsetof(struct options, reader), 0 },
	{ "--user", OPTION_USER, offsetof(struct options, user), 0 },
	{ "--reason", OPTION_REASON, offsetof(struct options, reason), 0 },
	{ "--config", OPTION_CONFIG, offsetof(struct options, config), 0 },
	{ "--required", OPTION_REQUIRED, NO_VALUE, 0 },
	{ "--confirm", OPTION_CONFIRM, offsetof(struct options, confirm), 0 },
	{ "--no-confirm", OPTION_NO_CONFIRM, NO_VALUE, 0 },
	{ "--all", OPTION_ALL, NO_VALUE, 0 },
	{ "--watch", OPTION_WATCH, NO_VALUE, 0 },
	{ "--seen-by", OPTION_SEEN_BY, offsetof(struct options, seen_by), 0 },
	{ "--group", OPTION_GROUP, offsetof(struct options, group), 0 },
	{ "--mount", OPTION_MOUNT, offsetof(struct options, mount), 0 },
	{ "--cipher", OPTION_CIPHER, offsetof(struct options, cipher), 0 },
	{ "--backend", OPTION_BACKEND, offsetof(struct options, backend), 0 },
	{ "--until", OPTION_UNTIL, offsetof(struct options, until), 0 },
	{ "--no-grant", OPTION_NO_GRANT, NO_VALUE, 0 },
	{ "--new", OPTION_NEW, NO_VALUE, 0 },
	{ "--back", OPTION_BACK, NO_VALUE, 0 },
	{ "--abandon", OPTION_ABANDON, NO_VALUE, 0 },
	{ "--discard-old", OPTION_DISCARD, NO_VALUE, 0 },
	{ "--card", OPTION_CARD, NO_VALUE, 0 },
};

const char *option_name(unsigned bits)
{
	for (size_t i = 0; i < array_size(rows); i++)
		if (bits & rows[i].bit)
			return rows[i].name;
	return "";
}

static void options_take(struct options *options, const struct option_row *row,
			 const char *value)
{
	options->given |= row->bit;
	if (row->offset != NO_VALUE)
		memcpy((char *)options + row->offset, &value, sizeof(value));
}

static int operand_take(struct options *options, const char *word,
			struct complaint *ret_complaint)
{
	if (options->operand_count == OPTION_OPERANDS_MAX) {
		*ret_complaint = (struct complaint){ N_("Too many arguments."), "" };
		return -EINVAL;
	}
	options->operands[options->operand_count++] = word;
	return 0;
}

static int operands_take(struct options *options, int argc, char *argv[],
			 struct complaint *ret_complaint)
{
	int r = 0;

	for (int i = optind; r == 0 && i < argc; i++)
		r = operand_take(options, argv[i], ret_complaint);
	return r;
}

/* Whether all that follows is another program's. */
static bool is_verbatim(const struct options *options)
{
	return options->operand_count > 1 &&
	       strcmp(options->operands[0], OPTION_VERBATIM) == 0;
}

int options_parse(int argc, char *argv[], struct options *ret_options,
		  struct complaint *ret_complaint)
{
	struct option longs[array_size(rows) + 1] = { 0 };
	int error = 0;
	int number;

	*ret_options = (struct options){ 0 };
	for (size_t i = 0; i < array_size(rows); i++)
		longs[i] = (struct option){
			.name = rows[i].name + 2,
			.has_arg = rows[i].offset == NO_VALUE ? no_argument
							      : required_argument,
			.val = rows[i].letter ? rows[i].letter : FIRST_NUMBER + (int)i,
		};
	opterr = 0;
	/* Goes on after a mistake: a later --json still says how to tell it. */
	while (!is_verbatim(ret_options) &&
	       (number = getopt_long(argc, argv, "-:hV", longs, NULL)) != -1) {
		bool known = false;

		if (number == OPERAND) {
			int r = operand_take(ret_options, optarg, ret_complaint);

			error = error < 0 ? error : r;
			continue;
		}
		for (size_t i = 0; i < array_size(rows); i++)
			if (number == longs[i].val) {
				options_take(ret_options, &rows[i], optarg);
				known = true;
			}
		if (known || error < 0)
			continue;
		error = -EINVAL;
		ret_complaint->template =
			number == ':' ? N_("A value is missing after \"{1}\".")
				      : N_("There is no option \"{1}\".");
		ret_complaint->argument = argv[optind - 1];
	}
	return error < 0 ? error : operands_take(ret_options, argc, argv, ret_complaint);
}
