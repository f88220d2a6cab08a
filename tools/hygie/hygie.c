/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie: what an administrator types. It reads the command line, finds the subcommand and
 * gives its exit status; the subcommands ask hygied and show what it says.
 */
#include "command.h"
#include "libhygie/error_text.h"
#include "output.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif

#define REASON_MAX 256

static const struct command commands[] = {
	{ { "status", NULL },
	  command_status,
	  "Show services, readers and the cards in them",
	  "",
	  0,
	  0,
	  0 },
	{ { "cards", NULL }, command_cards, "List the enrolled cards", "", 0, 0, 0 },
	{ { "enroll", NULL },
	  command_enroll,
	  "Enrol the card in the reader for a user",
	  "USER [--reassign] [--reader NAME] [--pin-stdin]",
	  OPTION_REASSIGN | OPTION_READER | OPTION_PIN_STDIN,
	  1,
	  1 },
	{ { "revoke", NULL },
	  command_revoke,
	  "Revoke a card, or all cards of a user",
	  "(CARD-ID | --user USER) [--reason TEXT]",
	  OPTION_USER | OPTION_REASON,
	  0,
	  1 },
	{ { "config", "check" },
	  command_config_check,
	  "Check the configuration",
	  "[--config FILE]",
	  OPTION_CONFIG,
	  0,
	  0 },
};

static size_t command_words(const struct command *command)
{
	return command->words[1] ? 2 : 1;
}

static void command_usage(FILE *to, const struct command *command)
{
	(void)fprintf(to, "Usage: hygie %s%s%s%s%s\n", command->words[0],
		      command->words[1] ? " " : "",
		      command->words[1] ? command->words[1] : "",
		      command->usage[0] ? " " : "", command->usage);
}

static void print_help(FILE *to)
{
	(void)fputs(
		"Usage: hygie [--json] [--socket PATH] COMMAND [ARGUMENT...]\n\nCommands:\n",
		to);
	for (size_t i = 0; i < array_size(commands); i++)
		(void)fprintf(
			to, "  %s%s%-*s  %s\n", commands[i].words[0],
			commands[i].words[1] ? " " : "",
			commands[i].words[1] ? 5 : 12 - (int)strlen(commands[i].words[0]),
			commands[i].words[1] ? commands[i].words[1] : "",
			commands[i].help);
	(void)fputs("\nOptions of all commands:\n"
		    "  --json         Print JSON, errors too\n"
		    "  --socket PATH  Ask the hygied that listens there\n"
		    "  --help         Show this, or the usage of a command\n"
		    "  --version      Show the version\n",
		    to);
}

static int usage_error(const struct options *options, const struct command *command,
		       const char *reason)
{
	int status = output_usage(options, reason);

	if (options->given & OPTION_JSON)
		return status;
	if (command)
		command_usage(stderr, command);
	else
		(void)fputs("Try \"hygie --help\".\n", stderr);
	return status;
}

static const struct command *command_find(const struct options *options)
{
	for (size_t i = 0; i < array_size(commands); i++) {
		size_t words = command_words(&commands[i]);
		size_t k = 0;

		while (k < words && k < options->operand_count &&
		       strcmp(options->operands[k], commands[i].words[k]) == 0)
			k++;
		if (k == words)
			return &commands[i];
	}
	return NULL;
}

/* Takes the subcommand's words off; a sentence when the rest does not fit it, else NULL.
 */
static const char *command_check(const struct command *command, struct options *options,
				 char reason[REASON_MAX])
{
	size_t words = command_words(command);
	unsigned foreign = options->given & ~(OPTION_COMMON | command->options);

	options->operand_count -= words;
	memmove(options->operands, options->operands + words,
		options->operand_count * sizeof(options->operands[0]));
	if (foreign) {
		(void)snprintf(reason, REASON_MAX, "%s has no meaning here.",
			       option_name(foreign));
		return reason;
	}
	if (options->operand_count < command->operands_min)
		return "An argument is missing.";
	if (options->operand_count > command->operands_max)
		return "Too many arguments.";
	return NULL;
}

static int run(int argc, char *argv[])
{
	const struct command *command;
	struct options options;
	char reason[REASON_MAX];
	const char *wrong;

	if (options_parse(argc, argv, &options, reason, sizeof(reason)) < 0)
		return usage_error(&options, NULL, reason);
	command = command_find(&options);
	if (options.given & OPTION_VERSION) {
		(void)puts("hygie " HYGIE_VERSION);
		return 0;
	}
	if (options.given & OPTION_HELP) {
		if (command)
			command_usage(stdout, command);
		else
			print_help(stdout);
		return 0;
	}
	if (!command)
		return usage_error(&options, NULL,
				   options.operand_count > 0 ? "There is no such command."
							     : "A command is missing.");
	wrong = command_check(command, &options, reason);
	return wrong ? usage_error(&options, command, wrong) : command->run(&options);
}

int main(int argc, char *argv[])
{
	int status;

	(void)setlocale(LC_ALL, "");
	status = run(argc, argv);
	/* A full disk or a closed pipe is not a success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		(void)fprintf(stderr, "hygie: cannot write the output: %s\n",
			      error_text(errno));
		return 1;
	}
	return status;
}
