/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stack comes to: Linux-PAM's rules for authenticate, acct_mgmt and open_session,
 * over answers that somebody supposes; declared in pam_stack.h.
 */
#include "pam_stack.h"

#include <security/_pam_types.h>

#define MUST_FAIL PAM_PERM_DENIED
#define LEVELS 17

enum impression { UNDEFINED, POSITIVE, NEGATIVE };

struct state {
	enum impression impression;
	int status;
};

static bool goes_on(const struct pam_stack *stack, size_t i, unsigned level)
{
	return i + 1 < stack->count && stack->line[i + 1].level >= level;
}

/* The line after which to go on when `jump` modules are skipped; *jump is what is left. */
static size_t jump_from(const struct pam_stack *stack, size_t i, int *jump)
{
	const unsigned level = stack->line[i].level;

	/* A substack counts as one. */
	while (*jump > 0 && goes_on(stack, i, level)) {
		do
			i++;
		while (i + 1 < stack->count && stack->line[i + 1].level > level);
		(*jump)--;
	}
	return i;
}

bool pam_stack_jumps_out(const struct pam_stack *stack, size_t i, int action)
{
	int left = action;

	if (action <= 0)
		return false;
	(void)jump_from(stack, i, &left);
	return left > 0;
}

static void state_refuse(struct state *state, int code)
{
	state->impression = NEGATIVE;
	state->status = code == PAM_IGNORE ? MUST_FAIL : code;
}

/* Acts on one answer. Returns the line after which to go on. */
static size_t state_take(struct state *state, const struct state *outer,
			 const struct pam_stack *stack, size_t i, int code)
{
	const struct pam_line *line = &stack->line[i];
	int action = line->what == PAM_LINE_BROKEN ? PAM_DO_BAD : line->action[code];
	bool decided = action == PAM_DO_DIE;

	switch (action) {
	case PAM_DO_IGNORE:
		break;
	case PAM_DO_RESET:
		*state = outer[line->level];
		break;
	case PAM_DO_OK:
	case PAM_DO_DONE:
		if (state->impression == UNDEFINED ||
		    (state->impression == POSITIVE && state->status == PAM_SUCCESS))
			*state = (struct state){ POSITIVE, code };
		decided = action == PAM_DO_DONE && state->impression == POSITIVE;
		break;
	case PAM_DO_BAD:
	case PAM_DO_DIE:
		if (state->impression != NEGATIVE)
			state_refuse(state, code);
		break;
	default:
		if (action > 0)
			i = jump_from(stack, i, &action);
		if (action != 0)
			*state = (struct state){ NEGATIVE, MUST_FAIL };
	}
	/* A decision ends this stack; one inside a substack, only that. */
	while (decided && goes_on(stack, i, line->level))
		i++;
	return i;
}

int pam_stack_run(const struct pam_stack *stack, pam_answer answer, void *context)
{
	struct state state = { UNDEFINED, MUST_FAIL };
	struct state outer[LEVELS];
	unsigned level = 0;

	if (stack->broken)
		return PAM_ABORT;
	for (size_t k = 0; k < LEVELS; k++)
		outer[k] = state;
	for (size_t i = 0; i < stack->count; i++) {
		const struct pam_line *line = &stack->line[i];

		if (line->level > level && line->level < LEVELS)
			outer[line->level] = state;
		level = line->level;
		if (line->what == PAM_LINE_SUBSTACK)
			continue;
		i = state_take(&state, outer, stack, i,
			       line->what == PAM_LINE_BROKEN ? MUST_FAIL
							     : answer(line, context));
	}
	return state.status == PAM_SUCCESS && state.impression != POSITIVE ? MUST_FAIL
									   : state.status;
}
