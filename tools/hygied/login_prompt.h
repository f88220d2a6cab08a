/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prompts of a login. Some programs ([login] hidden_prompts) show what is said before a
 * prompt, but not the prompt's own text.
 */
#pragma once

#include "hygied/login_result.h"

/*
 * Asks, with flags of enum prompt_flags; the answer comes to the dialogue. Where a prompt's
 * text is hidden, `said` is said first: the same, or more, as only what was said last is
 * seen.
 */
void login_ask(const struct login *login, unsigned flags, enum hygie_text text,
	       enum hygie_text said, const char *argument);
