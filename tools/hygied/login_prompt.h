/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prompts of a login. Some programs ([login] hidden_prompts) show what was said last
 * before a prompt, but not the prompt's own text. After a refusal they begin anew at once,
 * and put words of their own in the place of its reason: so it is said again.
 */
#pragma once

#include "hygied/login_result.h"

/*
 * Asks, with flags of enum prompt_flags; the answer comes to the dialogue. Where a prompt's
 * text is hidden, `said` is said first: the same, or more. {1} of both is `argument`.
 */
void login_ask(const struct login *login, unsigned flags, enum hygie_text text,
	       enum hygie_text said, const char *argument);

/* What is said for a PIN's prompt where that is hidden; `low`: few tries are left. */
enum hygie_text login_prompt_said(const struct login *login, enum hygie_text prompt,
				  bool low);

/* How this login ends: after a refusal the greeter may begin anew. */
void login_prompt_note(const struct login *login, enum hygie_outcome outcome);
