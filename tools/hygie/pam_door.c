/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suppositions about people at a door; see pam_door.h.
 */
#include "pam_door.h"

#include <errno.h>
#include <security/_pam_types.h>
#include <stdio.h>
#include <string.h>

/* One supposition: what our module and a password module say, to whom, at which door. */
struct guess {
	const struct pam_stack *stack;
	const char *service;
	struct pam_person person;
	int card, password;
	bool secret;                     /* a right card hands one on as PAM_AUTHTOK */
	struct pam_door *door;           /* where the run is noted */
	size_t turn;                     /* modules asked so far */
	size_t card_turn, password_turn; /* when each was asked first; 0: never */
};

/* Modules that ask for a password, and those that give no way in by themselves here. */
static bool module_is_password(const struct pam_line *line)
{
	static const char *const names[] = {
		"pam_unix",         "pam_sss",  "pam_ldap", "pam_krb5",  "pam_winbind",
		"pam_systemd_home", "pam_pwdb", "pam_tcb",  "pam_userdb"
	};

	for (size_t i = 0; i < array_size(names); i++)
		if (pam_line_calls(line, names[i]))
			return true;
	return false;
}

/* Other keys, or who asks: nobody in these suppositions has them. */
static bool module_is_other_proof(const struct pam_line *line)
{
	static const char *const names[] = {
		"pam_deny",      "pam_rootok",   "pam_wheel",
		"pam_fprintd",   "pam_u2f",      "pam_pkcs11",
		"pam_p11",       "pam_yubico",   "pam_google_authenticator",
		"pam_oath",      "pam_listfile", "pam_ssh_agent_auth",
		"pam_timestamp", "pam_rhosts",
	};

	for (size_t i = 0; i < array_size(names); i++)
		if (pam_line_calls(line, names[i]))
			return true;
	return false;
}

/*
 * Whether a PAM_AUTHTOK that is no password ends in a refusal: pam_unix and pam_ldap (of
 * nss-pam-ldapd) ask only where there is none, whatever their arguments; with
 * try_first_pass the others ask again.
 */
static bool module_trusts_authtok(const struct pam_line *line)
{
	return pam_line_calls(line, "pam_unix") || pam_line_calls(line, "pam_ldap") ||
	       pam_line_first_pass(line) != NULL;
}

/* What a password module says; the password is right, if it is asked for. */
static int password_answer(struct guess *guess, const struct pam_line *line)
{
	struct pam_door *door = guess->door;

	guess->password_turn = guess->password_turn ? guess->password_turn : guess->turn;
	if (!guess->secret || guess->card_turn == 0 || !module_trusts_authtok(line))
		return guess->password;
	if (!door->takes_secret)
		door->takes_secret = line;
	return PAM_AUTH_ERR;
}

static int guess_answer(const struct pam_line *line, void *context)
{
	struct guess *guess = context;

	guess->turn++;
	guess->door->reached[line - guess->stack->line] = true;
	if (pam_line_calls(line, "pam_hygie")) {
		guess->card_turn = guess->card_turn ? guess->card_turn : guess->turn;
		return guess->card;
	}
	if (module_is_password(line))
		return password_answer(guess, line);
	if (pam_line_calls(line, "pam_succeed_if"))
		return pam_person_passes(&guess->person, guess->service, line->arguments)
			       ? PAM_SUCCESS
			       : PAM_AUTH_ERR;
	if (pam_line_calls(line, "pam_permit") || pam_line_calls(line, "pam_localuser"))
		return PAM_SUCCESS;
	return module_is_other_proof(line) ? PAM_AUTH_ERR : PAM_IGNORE;
}

static bool guess_opens(struct guess *guess, int card, int password)
{
	guess->card = card;
	guess->password = password;
	guess->turn = guess->card_turn = guess->password_turn = 0;
	return pam_stack_run(guess->stack, guess_answer, guess) == PAM_SUCCESS;
}

static int door_exempt(struct pam_door *door, const char *sign, const char *name)
{
	char *text = NULL;

	if (door->exempt_count == PAM_EXEMPT_MAX)
		return 0;
	if (asprintf(&text, "%s%s", sign, name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < door->exempt_count; i++)
		if (strcmp(door->exempt[i], text) == 0) {
			free(text);
			return 0;
		}
	door->exempt[door->exempt_count++] = text;
	return 0;
}

/* Whether they get in by password while the card's part is missing. */
static bool person_is_exempt(struct guess *guess, struct pam_person person)
{
	bool opens;

	guess->person = person;
	opens = guess_opens(guess, PAM_MODULE_UNKNOWN, PAM_SUCCESS);
	guess->person = (struct pam_person){ .root = false };
	return opens;
}

static int door_find_exempt(struct guess *guess)
{
	struct pam_door *door = guess->door;
	int r = 0;

	if (door->card == PAM_CARD_NO || door->card == PAM_CARD_OPTIONAL)
		return 0;
	if (person_is_exempt(guess, (struct pam_person){ .root = true }))
		r = door_exempt(door, "", "root");
	for (size_t i = 0; r == 0 && i < guess->stack->count; i++) {
		const struct pam_line *line = &guess->stack->line[i];
		cleanup_free char *group = NULL;

		if (!pam_line_calls(line, "pam_succeed_if"))
			continue;
		group = pam_condition_group(line->arguments);
		if (group &&
		    person_is_exempt(guess, (struct pam_person){ .group = group }))
			r = door_exempt(door, "@", group);
	}
	return r;
}

/* Whether who has card and password is let in, but not with a login secret, too. */
static void door_try_secret(struct guess *guess)
{
	bool opens = guess_opens(guess, PAM_SUCCESS, PAM_SUCCESS);

	guess->secret = true;
	if (guess_opens(guess, PAM_SUCCESS, PAM_SUCCESS) == opens)
		guess->door->takes_secret = NULL;
	guess->secret = false;
}

/* What an ordinary person meets. */
static void door_try(struct guess *guess)
{
	struct pam_door *door = guess->door;
	bool needless = guess_opens(guess, PAM_AUTH_ERR, PAM_AUTH_ERR);
	bool cardless = guess_opens(guess, PAM_USER_UNKNOWN, PAM_SUCCESS);
	bool both = guess_opens(guess, PAM_SUCCESS, PAM_SUCCESS);
	bool password = guess_opens(guess, PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS);
	bool card = guess_opens(guess, PAM_SUCCESS, PAM_AUTH_ERR);

	for (size_t i = 0; i < guess->stack->count; i++)
		if (pam_line_calls(&guess->stack->line[i], "pam_hygie")) {
			door->used = true;
			door->asked = door->asked || door->reached[i];
		}
	door->password_first =
		door->asked && guess->password_turn > 0 &&
		(guess->card_turn == 0 || guess->password_turn < guess->card_turn);
	if (!door->asked || needless)
		door->card = PAM_CARD_NO;
	else if (card)
		door->card = password ? PAM_CARD_OPTIONAL : PAM_CARD_REQUIRED;
	else
		door->card = both && !password ? PAM_CARD_BOTH : PAM_CARD_NO;
	door->password = needless   ? PAM_PASSWORD_NEEDLESS
			 : password ? PAM_PASSWORD_YES
			 : cardless ? PAM_PASSWORD_CARDLESS
				    : PAM_PASSWORD_NO;
}

int pam_door_judge(const struct pam_stack *stack, const char *service,
		   struct pam_door *ret_door)
{
	cleanup_pam_door struct pam_door door = { .card = PAM_CARD_NO };
	struct guess guess = { .stack = stack, .service = service, .door = &door };
	int r;

	door.reached = calloc(stack->count + 1, sizeof(*door.reached));
	if (!door.reached)
		return -ENOMEM;
	door_try(&guess);
	door_try_secret(&guess);
	r = door_find_exempt(&guess);
	if (r < 0)
		return r;
	*ret_door = door;
	door = (struct pam_door){ .card = PAM_CARD_NO };
	return 0;
}

void pam_door_free(struct pam_door *door)
{
	for (size_t i = 0; i < door->exempt_count; i++)
		free(door->exempt[i]);
	free(door->reached);
	*door = (struct pam_door){ .card = PAM_CARD_NO };
}

const char *pam_door_card_name(enum pam_door_card card)
{
	static const char *const names[] = { "no", "optional", "required",
					     "with-password" };

	return names[card];
}

const char *pam_door_password_name(enum pam_door_password password)
{
	static const char *const names[] = { "no", "no-card", "yes", "needless" };

	return names[password];
}
