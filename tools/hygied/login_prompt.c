/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts, and what is said in their place where they are hidden; see login_prompt.h. */
#include "hygied/login_prompt.h"

void login_ask(const struct login *login, unsigned flags, enum hygie_text text,
	       enum hygie_text said, const char *argument)
{
	const char *arguments[] = { argument };

	if (settings_hides_prompts(&login->hygied->settings, login->service))
		peer_say(login->peer, WIRE_INFO, said, arguments, 1);
	peer_ask(login->peer, flags, text, arguments, 1);
}
