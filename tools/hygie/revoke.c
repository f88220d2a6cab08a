/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie revoke: ends what a card, or all cards of a user, may do here.
 */
#include "command.h"
#include "language.h"
#include "output.h"

#include <string.h>

#define REVOKE_MILLISECONDS 30000
#define SHORT_ID_DIGITS 16
#define LONG_ID_DIGITS ((size_t)2 * HYGIE_KEY_ID_SIZE)

static bool card_id_is_valid(const char *id)
{
	size_t length = strspn(id, "0123456789abcdefABCDEF");

	return id[length] == '\0' &&
	       (length == SHORT_ID_DIGITS || length == LONG_ID_DIGITS);
}

/* A sentence when the command line names no card or two things, else NULL. */
static const char *revoke_check(const struct options *options)
{
	const char *id = options->operand_count > 0 ? options->operands[0] : NULL;

	if (!id && !options->user)
		return N_("Say which card, or --user USER.");
	if (id && options->user)
		return N_("Say either a card or --user USER, not both.");
	if (id && !card_id_is_valid(id))
		return N_(
			"A card's id is 16 or 64 hexadecimal digits, as \"hygie cards\" shows "
			"it.");
	if (options->user && options->user[0] == '\0')
		return N_("That is not a user's name.");
	return NULL;
}

int command_revoke(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };
	const char *wrong = revoke_check(options);

	if (wrong)
		return output_usage(options, wrong);
	if (wire_message_new(WIRE_REQUEST_REVOKE, &request) < 0)
		return output_fault(options);
	if (options->user)
		wire_add_string(request, TAG_USER, options->user);
	else
		wire_add_string(request, TAG_CARD_ID, options->operands[0]);
	if (options->reason)
		wire_add_string(request, TAG_TEXT, options->reason);
	exchange_run(options, request, REVOKE_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, N_("Revoked."));
}
