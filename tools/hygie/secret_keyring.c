/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie secret keyring: gives the GNOME keyring of the running session the login secret for
 * its password, or, back, a password of one's own.
 */
#include "command.h"
#include "display.h"
#include "keyring.h"
#include "language.h"
#include "output.h"
#include "prompt.h"
#include "secret_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX 256

static int fail(const struct options *options, enum hygie_outcome outcome,
		const char *text)
{
	struct client_result result = { .outcome = outcome };

	(void)snprintf(result.text, sizeof(result.text), "%s",
		       text ? text : outcome_text(outcome));
	return output_failure(options, &result);
}

/* What stands between us and the keyring. */
static int fail_bus(const struct options *options, int error)
{
	switch (-error) {
	case ENOTCONN:
		return fail(options, HYGIE_UNAVAILABLE,
			    N_("There is no session bus here. Run this in a terminal of "
			       "your desktop session, as yourself."));
	case ENOSYS:
		return fail(options, HYGIE_UNAVAILABLE,
			    N_("No keyring daemon answers on the session bus. Install "
			       "and start gnome-keyring; for other keyrings, take the "
			       "secret that \"hygie secret show\" prints as the "
			       "password."));
	case EOPNOTSUPP:
		return fail(options, HYGIE_UNAVAILABLE,
			    N_("The keyring of this session is not GNOME's. Change its "
			       "password by its own program: take the secret that "
			       "\"hygie secret show\" prints."));
	case EACCES:
		return fail(options, HYGIE_REFUSED,
			    N_("That is not the keyring's password. Nothing was "
			       "changed."));
	default:
		return fail(options, HYGIE_FAULT,
			    N_("The keyring daemon did not do it, and gave no reason "
			       "that is known. Its password is what it was."));
	}
}

static int ask(const struct options *options, const char *text,
	       struct secret **ret_answer)
{
	char shown[HYGIE_TEXT_MAX];
	const struct prompt prompt = { .text = shown,
				       .most = PASSWORD_MAX,
				       .watched = -1 };

	display_encode(tr(text), shown, sizeof(shown));
	return options->given & OPTION_PIN_STDIN ? prompt_stdin(&prompt, ret_answer)
						 : prompt_terminal(&prompt, ret_answer);
}

static bool same(const struct secret *one, const struct secret *other)
{
	return secret_size(one) == secret_size(other) &&
	       memcmp(secret_bytes_const(one), secret_bytes_const(other),
		      secret_size(one)) == 0;
}

static int done(const struct options *options, const char *text)
{
	struct client_result result = { .outcome = HYGIE_OK };

	(void)snprintf(result.text, sizeof(result.text), "%s", text);
	if (options->given & OPTION_JSON)
		return output_json(output_result(&result), HYGIE_OK);
	return output_done(&result, "");
}

static int change_over(const struct options *options, struct keyring *keyring,
		       const struct secret *own)
{
	cleanup_secret struct secret *old = NULL;
	bool exists = false;
	int r = keyring_exists(keyring, &exists);

	if (r == 0 && !exists) {
		r = keyring_create(keyring, own);
		return r < 0 ? fail_bus(options, r)
			     : done(options,
				    N_("There was no login keyring; one is made, and "
				       "your card opens it at login."));
	}
	if (r == 0 && ask(options, N_("Present password of the keyring: "), &old) < 0)
		return fail(options, HYGIE_GAVE_UP, NULL);
	if (r == 0)
		r = keyring_change(keyring, old, own);
	return r < 0 ? fail_bus(options, r)
		     : done(options,
			    N_("Your card opens the keyring from now on, at each "
			       "login."));
}

static int change_back(const struct options *options, struct keyring *keyring,
		       const struct secret *own)
{
	cleanup_secret struct secret *new = NULL, *again = NULL;
	bool exists = false;
	int r = keyring_exists(keyring, &exists);

	if (r < 0)
		return fail_bus(options, r);
	if (!exists)
		return fail(options, HYGIE_NOT_FOUND,
			    N_("There is no login keyring in this session."));
	if (ask(options, N_("New password of the keyring: "), &new) < 0 ||
	    ask(options, N_("The same again: "), &again) < 0)
		return fail(options, HYGIE_GAVE_UP, NULL);
	if (secret_size(new) == 0)
		return fail(options, HYGIE_REFUSED,
			    N_("A keyring without a password is open to everybody who "
			       "reads its file. Nothing was changed."));
	if (!same(new, again))
		return fail(options, HYGIE_REFUSED,
			    N_("The two differ. Nothing was changed."));
	r = keyring_change(keyring, own, new);
	return r < 0 ? fail_bus(options, r)
		     : done(options, N_("The keyring has the new password. Your card "
					"opens it no more."));
}

int command_secret_keyring(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 };
	cleanup_keyring struct keyring *keyring = NULL;
	int r = keyring_open(&keyring), status;

	if (r < 0) /* before a PIN is typed for nothing */
		return fail_bus(options, r);
	status = secret_exchange(options, &exchange);
	if (status != 0)
		return status;
	return options->given & OPTION_BACK
		       ? change_back(options, keyring, exchange.secret)
		       : change_over(options, keyring, exchange.secret);
}
