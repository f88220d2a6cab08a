/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts, and what is said in their place where they are hidden; see login_prompt.h. */
#include "hygied/login_prompt.h"

#include "libhygie/deadline.h"

#include <stdio.h>
#include <string.h>

#define ANEW_MS 5000 /* a greeter that begins anew does so sooner */

static bool hides(const struct login *login)
{
	return settings_hides_prompts(&login->hygied->settings, login->service);
}

void login_ask(const struct login *login, unsigned flags, enum hygie_text text,
	       enum hygie_text said, const char *argument)
{
	const char *arguments[] = { argument };

	if (hides(login))
		peer_say(login->peer, WIRE_INFO, said, arguments, 1);
	peer_ask(login->peer, flags, text, arguments, 1);
}

/* Of the same person at the same program, just now; HYGIE_OK for none. */
static enum hygie_outcome last_refusal(const struct login *login)
{
	const struct hygied *hygied = login->hygied;

	if (monotonic_now() >= hygied->refused.stands_until ||
	    hygied->refused.peer != peer_uid(login->peer) ||
	    strcmp(hygied->refused.service, login->service) != 0 ||
	    strcmp(hygied->refused.user, login->user) != 0)
		return HYGIE_OK;
	return hygied->refused.outcome;
}

enum hygie_text login_prompt_said(const struct login *login, enum hygie_text prompt,
				  bool low)
{
	if (prompt != TEXT_PIN_PROMPT) /* those say enough */
		return prompt;
	switch (last_refusal(login)) {
	case HYGIE_PIN_WRONG:
		return TEXT_PIN_PROMPT_WRONG;
	case HYGIE_PIN_MALFORMED:
		return TEXT_PIN_PROMPT_UNFIT;
	default:
		return low ? TEXT_PIN_PROMPT_LOW : prompt;
	}
}

void login_prompt_note(const struct login *login, enum hygie_outcome outcome)
{
	struct hygied *hygied = login->hygied;

	if (!hides(login))
		return;
	hygied->refused.outcome = outcome;
	(void)snprintf(hygied->refused.service, sizeof(hygied->refused.service), "%s",
		       login->service);
	(void)snprintf(hygied->refused.user, sizeof(hygied->refused.user), "%s",
		       login->user);
	hygied->refused.peer = peer_uid(login->peer);
	hygied->refused.stands_until = deadline_after(ANEW_MS);
}
