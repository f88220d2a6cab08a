/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie lock: locks sessions now, one's own or, for root, others'.
 */
#include "command.h"
#include "language.h"
#include "output.h"

#include <unistd.h>

#define LOCK_MILLISECONDS 15000

int command_lock(const struct options *options)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };
	bool all = options->given & OPTION_ALL;

	if (all && options->user)
		return output_usage(options,
				    N_("Say either --all or --user USER, not both."));
	if (options->user && options->user[0] == '\0')
		return output_usage(options, N_("That is not a user's name."));
	if (!all && !options->user && geteuid() == 0)
		return output_usage(options, N_("Say whose: --user USER, or --all."));
	if (wire_message_new(WIRE_REQUEST_LOCK, &request) < 0)
		return output_fault(options);
	if (all)
		wire_add_u32(request, TAG_FLAGS, REQUEST_ALL);
	if (options->user)
		wire_add_string(request, TAG_USER, options->user);
	exchange_run(options, request, LOCK_MILLISECONDS, &exchange);
	if (exchange.result.outcome != HYGIE_OK)
		return output_failure(options, &exchange.result);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&exchange.result), HYGIE_OK);
	return output_done(&exchange.result, N_("Locked."));
}
