/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie: what an administrator types. It reads the command line, finds the subcommand and
 * gives its exit status; the subcommands ask hygied and show what it says.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/error_text.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif

#define COLUMN 14 /* of what is typed, in the help */

static const struct command commands[] = {
	{ { "status", NULL },
	  command_status,
	  N_("Show services, readers, cards and sessions"),
	  "[--watch]",
	  OPTION_WATCH,
	  0,
	  0 },
	{ { "cards", NULL }, command_cards, N_("List the enrolled cards"), "", 0, 0, 0 },
	{ { "enroll", NULL },
	  command_enroll,
	  N_("Enrol the card in the reader for a user"),
	  "USER [--reassign] [--reader NAME] [--pin-stdin]",
	  OPTION_REASSIGN | OPTION_READER | OPTION_PIN_STDIN,
	  1,
	  1 },
	{ { "revoke", NULL },
	  command_revoke,
	  N_("Revoke a card, or all cards of a user"),
	  "(CARD-ID | --user USER) [--reason TEXT]",
	  OPTION_USER | OPTION_REASON,
	  0,
	  1 },
	{ { "lock", NULL },
	  command_lock,
	  N_("Lock sessions now"),
	  "[--all | --user USER]",
	  OPTION_ALL | OPTION_USER,
	  0,
	  0 },
	{ { "session-lock", NULL },
	  command_session_lock,
	  N_("Lock this session's screen whenever it is told to"),
	  "[--seen-by HOW] [LOCKER [ARGUMENT...]]",
	  OPTION_SEEN_BY,
	  0,
	  OPTION_OPERANDS_MAX },
	{ { "pin", "change" },
	  command_pin_change,
	  N_("Change the PIN of the card in the reader"),
	  "[--reader NAME] [--pin-stdin]",
	  OPTION_READER | OPTION_PIN_STDIN,
	  0,
	  0 },
	{ { "pin", "unblock" },
	  command_pin_unblock,
	  N_("Unblock the card in the reader by its PUK"),
	  "[--reader NAME] [--pin-stdin]",
	  OPTION_READER | OPTION_PIN_STDIN,
	  0,
	  0 },
	{ { "store", "create" },
	  command_store_create,
	  N_("Make a record store, for the cards of these users"),
	  "NAME --group GROUP [--backend gocryptfs|fscrypt] [--mount DIR] [--cipher DIR] "
	  "[--pin-stdin] [USER...]",
	  OPTION_GROUP | OPTION_BACKEND | OPTION_MOUNT | OPTION_CIPHER | OPTION_PIN_STDIN,
	  1,
	  32 },
	{ { "store", "list" },
	  command_store_list,
	  N_("List record stores and their holders"),
	  "[NAME]",
	  0,
	  0,
	  1 },
	{ { "store", "check" },
	  command_store_check,
	  N_("Say what is wrong with record stores"),
	  "[NAME]",
	  0,
	  0,
	  1 },
	{ { "store", "add" },
	  command_store_add,
	  N_("Give a user the right to open a store"),
	  "NAME USER [--until YYYY-MM-DD] [--no-grant]",
	  OPTION_UNTIL | OPTION_NO_GRANT,
	  2,
	  2 },
	{ { "store", "remove" },
	  command_store_remove,
	  N_("Take a user's right to open a store"),
	  "NAME USER",
	  0,
	  2,
	  2 },
	{ { "store", "rotate" },
	  command_store_rotate,
	  N_("Have a store's envelope made anew"),
	  "NAME",
	  0,
	  1,
	  1 },
	{ { "store", "recover" },
	  command_store_recover,
	  N_("Grant pending rights by the passphrase on paper"),
	  "NAME [--pin-stdin]",
	  OPTION_PIN_STDIN,
	  1,
	  1 },
	{ { "store", "recovery" },
	  command_store_recovery,
	  N_("Change a store's recovery key: a new page"),
	  "NAME [--pin-stdin]",
	  OPTION_PIN_STDIN,
	  1,
	  1 },
	{ { "store", "reencrypt" },
	  command_store_reencrypt,
	  N_("Give a store a new secret and encrypt its records anew"),
	  "NAME [--card [--user USER] [--reader NAME]] [--pin-stdin] | NAME --abandon | "
	  "NAME --discard-old",
	  OPTION_PIN_STDIN | OPTION_ABANDON | OPTION_DISCARD | OPTION_CARD | OPTION_USER |
		  OPTION_READER,
	  1,
	  1 },
	{ { "store", "export" },
	  command_store_export,
	  N_("Copy a store into a folder, with a list of checksums"),
	  "NAME FOLDER",
	  0,
	  2,
	  2 },
	{ { "store", "import" },
	  command_store_import,
	  N_("Take in a store that was exported"),
	  "FOLDER NAME",
	  0,
	  2,
	  2 },
	{ { "store", "open" },
	  command_store_open,
	  N_("Open the record stores of the card in the reader"),
	  "[NAME] [--user USER] [--reader NAME] [--pin-stdin]",
	  OPTION_USER | OPTION_READER | OPTION_PIN_STDIN,
	  0,
	  1 },
	{ { "store", "close" },
	  command_store_close,
	  N_("Let go of record stores, so that they close"),
	  "[NAME]",
	  0,
	  0,
	  1 },
	{ { "store", "status" },
	  command_store_status,
	  N_("Show which record stores are open, and what keeps them so"),
	  "",
	  0,
	  0,
	  0 },
	{ { "secret", "enable" },
	  command_secret_enable,
	  N_("Give a user a secret for the keyring, opened by the card at login"),
	  "USER [--new]",
	  OPTION_NEW,
	  1,
	  1 },
	{ { "secret", "disable" },
	  command_secret_disable,
	  N_("Put a user's login secret aside"),
	  "USER",
	  0,
	  1,
	  1 },
	{ { "secret", "list" },
	  command_secret_list,
	  N_("List who has a login secret, and which cards open it"),
	  "",
	  0,
	  0,
	  0 },
	{ { "secret", "show" },
	  command_secret_show,
	  N_("Print your login secret, opened by your card"),
	  "[--reader NAME] [--pin-stdin]",
	  OPTION_READER | OPTION_PIN_STDIN,
	  0,
	  0 },
	{ { "secret", "keyring" },
	  command_secret_keyring,
	  N_("Have your card open the GNOME keyring from now on"),
	  "[--back] [--reader NAME] [--pin-stdin]",
	  OPTION_BACK | OPTION_READER | OPTION_PIN_STDIN,
	  0,
	  0 },
	{ { "config", "check" },
	  command_config_check,
	  N_("Check the configuration"),
	  "[--config FILE]",
	  OPTION_CONFIG,
	  0,
	  0 },
	{ { "pam", "status" },
	  command_pam_status,
	  N_("Show at which doors a card opens"),
	  "[SERVICE...]",
	  0,
	  0,
	  OPTION_OPERANDS_MAX },
	{ { "pam", "check" },
	  command_pam_check,
	  N_("Check the PAM stacks"),
	  "",
	  0,
	  0,
	  0 },
	{ { "pam", "enable" },
	  command_pam_enable,
	  N_("Let cards open every door that common-auth keeps"),
	  "[--required] [--confirm TIME | --no-confirm]",
	  OPTION_REQUIRED | OPTION_CONFIRM | OPTION_NO_CONFIRM,
	  0,
	  0 },
	{ { "pam", "disable" },
	  command_pam_disable,
	  N_("Take cards out of common-auth again"),
	  "",
	  0,
	  0,
	  0 },
	{ { "pam", "revert" },
	  command_pam_revert,
	  N_("Undo a trial or an interrupted change"),
	  "",
	  0,
	  0,
	  0 },
};

static size_t command_words(const struct command *command)
{
	return command->words[1] ? 2 : 1;
}

static void command_usage(FILE *to, const struct command *command)
{
	display_put(to, COLOUR_NONE, tr("Usage:"));
	(void)fprintf(to, " hygie %s%s%s%s%s\n", command->words[0],
		      command->words[1] ? " " : "",
		      command->words[1] ? command->words[1] : "",
		      command->usage[0] ? " " : "", command->usage);
}

/* A line of the help: what is typed, and what it does. */
static void print_line(FILE *to, const char *typed, const char *help)
{
	(void)fputs(typed, to);
	display_put(to, COLOUR_NONE, help);
	(void)fputc('\n', to);
}

static void print_help(FILE *to)
{
	display_put(to, COLOUR_NONE, tr("Usage:"));
	(void)fputs(" hygie [--json] [--socket PATH] COMMAND [ARGUMENT...]\n\n", to);
	print_line(to, "", tr("Commands:"));
	for (size_t i = 0; i < array_size(commands); i++) {
		(void)fprintf(to, "  %s%s%-*s", commands[i].words[0],
			      commands[i].words[1] ? " " : "",
			      COLUMN - (int)strlen(commands[i].words[0]) -
				      (commands[i].words[1] ? 1 : 0),
			      commands[i].words[1] ? commands[i].words[1] : "");
		print_line(to, "  ", tr(commands[i].help));
	}
	print_line(to, "\n", tr("Options of all commands:"));
	print_line(to, "  --json           ", tr("Print JSON, errors too"));
	print_line(to, "  --socket PATH    ", tr("Ask the hygied that listens there"));
	print_line(to, "  --help           ", tr("Show this, or the usage of a command"));
	print_line(to, "  --version        ", tr("Show the version"));
}

static int usage_error(const struct options *options, const struct command *command,
		       const struct complaint *complaint)
{
	int status = output_complaint(options, complaint);

	if (options->given & OPTION_JSON)
		return status;
	if (command)
		command_usage(stderr, command);
	else
		print_line(stderr, "", tr("Try \"hygie --help\"."));
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

/* Takes the subcommand's words off; -EINVAL when the rest does not fit it. */
static int command_check(const struct command *command, struct options *options,
			 struct complaint *ret_complaint)
{
	size_t words = command_words(command);
	unsigned foreign = options->given & ~(OPTION_COMMON | command->options);

	options->operand_count -= words;
	memmove(options->operands, options->operands + words,
		options->operand_count * sizeof(options->operands[0]));
	if (foreign)
		*ret_complaint = (struct complaint){ N_("{1} has no meaning here."),
						     option_name(foreign) };
	else if (options->operand_count < command->operands_min)
		*ret_complaint = (struct complaint){ N_("An argument is missing."), "" };
	else if (options->operand_count > command->operands_max)
		*ret_complaint = (struct complaint){ N_("Too many arguments."), "" };
	else
		return 0;
	return -EINVAL;
}

static int run(int argc, char *argv[])
{
	const struct command *command;
	struct complaint complaint;
	struct options options;

	if (options_parse(argc, argv, &options, &complaint) < 0)
		return usage_error(&options, NULL, &complaint);
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
	if (!command) {
		complaint.template = options.operand_count > 0
					     ? N_("There is no such command.")
					     : N_("A command is missing.");
		complaint.argument = "";
		return usage_error(&options, NULL, &complaint);
	}
	if (command_check(command, &options, &complaint) < 0)
		return usage_error(&options, command, &complaint);
	return command->run(&options);
}

int main(int argc, char *argv[])
{
	int status;

	language_begin();
	status = run(argc, argv);
	/* A full disk or a closed pipe is not a success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		(void)fprintf(stderr, "hygie: %s: %s\n", tr("cannot write the output"),
			      error_text(errno));
		return 1;
	}
	return status;
}
