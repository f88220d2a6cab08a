/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pam_hygie.so: what a PAM application calls. Each function sends one request to hygied,
 * relays what it says, and translates the outcome. The module decides nothing, holds no
 * key and knows no card; it keeps no state of its own, so that any number of handles and
 * threads may use it at once, and links libpam and libc alone.
 */
#include "contact.h"
#include "conversation.h"
#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/pin_guess.h"
#include "login_mark.h"
#include "module_options.h"
#include "pin_change.h"
#include "request.h"

#include <errno.h>
#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define PUBLIC __attribute__((visibility("default")))

#define LOGIN_MILLISECONDS 180000 /* besides what the person needs to type */
#define SESSION_MILLISECONDS 5000

/* One call of pam_sm_authenticate. */
struct login {
	pam_handle_t *handle;
	struct module_options options;
	struct conversation conversation;
};

/* Whether no card can be enrolled to such a name: hygied would not read it either. */
static bool user_is_impossible(const char *user)
{
	return user &&
	       (strlen(user) >= HYGIE_USER_MAX || !utf8_is_valid(user, strlen(user)));
}

/*
 * Takes a success over: the user is who was asked for, or becomes PAM_USER; the ticket
 * and the mark are left for the session. Anything missing makes it a refusal.
 */
static enum hygie_outcome login_accept(const struct login *login,
				       const struct client_result *result)
{
	char ticket[sizeof(TICKET_NAME) + HYGIE_TICKET_MAX] = TICKET_NAME "=";
	const char *user = request_user(login->handle);
	bool kept = true;

	if (result->user[0] == '\0' || (user && strcmp(user, result->user) != 0)) {
		pam_syslog(login->handle, LOG_ERR, "hygied answered for another user");
		return HYGIE_REFUSED;
	}
	if (result->ticket[0] != '\0') {
		memcpy(ticket + sizeof(TICKET_NAME), result->ticket,
		       strlen(result->ticket) + 1);
		kept = pam_putenv(login->handle, ticket) == PAM_SUCCESS;
		wipe(ticket, sizeof(ticket));
	}
	if (!kept || login_mark_set(login->handle, result) < 0)
		return HYGIE_FAULT;
	/* Last, so that a refusal above names nobody. */
	if (!user && pam_set_item(login->handle, PAM_USER, result->user) != PAM_SUCCESS)
		return HYGIE_FAULT;
	return HYGIE_OK;
}

/* Takes away what an earlier authenticate on this handle left. */
static int login_forget(pam_handle_t *handle)
{
	/* Deletes; there may be none, and then it says so. */
	if (pam_getenv(handle, TICKET_NAME) &&
	    pam_putenv(handle, TICKET_NAME) != PAM_SUCCESS)
		return -EIO;
	return login_mark_clear(handle);
}

/* Whether the person before the screen has something to learn from the refusal. */
static bool outcome_is_told(enum hygie_outcome outcome)
{
	switch (outcome) {
	case HYGIE_OK:
	case HYGIE_USER_UNKNOWN: /* the next module goes on: nothing went wrong */
	case HYGIE_NOT_FOUND:
	case HYGIE_GAVE_UP: /* they know, or nobody listens */
		return false;
	default:
		return true;
	}
}

/* Whom to call, after what is wrong. */
static void login_contact(struct login *login, enum hygie_outcome outcome)
{
	char contact[HYGIE_TEXT_MAX];

	if (!contact_helps(outcome))
		return;
	contact_read(CONTACT_PATH, 0, contact, sizeof(contact));
	if (contact[0] != '\0')
		conversation_warn(&login->conversation, contact);
}

/* Makes it PAM_AUTHTOK, of which libpam keeps a copy of its own. */
static bool authtok_set(pam_handle_t *handle, const struct secret *secret)
{
	cleanup_secret struct secret *text = NULL;

	if (secret_new(secret_size(secret) + 1, &text) < 0 ||
	    secret_append(text, secret_bytes_const(secret), secret_size(secret)) < 0 ||
	    secret_append(text, "", 1) < 0)
		return false;
	return pam_set_item(handle, PAM_AUTHTOK, secret_bytes(text)) == PAM_SUCCESS;
}

/*
 * A text that cannot be the card's PIN is a password, where the site wants it so: the
 * next module takes it from PAM_AUTHTOK. Never what may be a PIN, of whatever card.
 */
static bool login_pass_on(const struct login *login)
{
	const struct secret *password = login->conversation.password;

	return password && secret_size(password) > 0 && !pin_guess_is_likely(password) &&
	       authtok_set(login->handle, password);
}

/* The login secret of a success: for keyrings and volumes that modules after us open. */
static void login_hand_over(const struct login *login)
{
	const struct secret *secret = login->conversation.login_secret;

	if (secret && !authtok_set(login->handle, secret))
		pam_syslog(login->handle, LOG_WARNING,
			   "the login secret could not be handed on");
}

/* What the person is told is about hygied; that this process cannot reach it stands here. */
static void login_log(const struct login *login, const struct client_result *result)
{
	const char *reason = result->error ? strerrordesc_np(-result->error) : NULL;

	pam_syslog(login->handle, LOG_NOTICE, "not logged in: %s%s%s%s",
		   outcome_name(result->outcome), reason ? " (" : "",
		   reason ? reason : "", reason ? ")" : "");
}

/*
 * The only way out of authenticate. PAM_SUCCESS needs HYGIE_OK from hygied, from our side
 * of the conversation and from login_accept; nothing becomes PAM_IGNORE.
 */
static int login_end(struct login *login, struct client_result *result)
{
	bool passed_on;
	int code;

	if (login->conversation.outcome != HYGIE_OK)
		client_result_set(result, login->conversation.outcome);
	if (result->outcome == HYGIE_OK) {
		enum hygie_outcome accepted = login_accept(login, result);

		if (accepted != HYGIE_OK) {
			(void)login_forget(login->handle);
			client_result_set(result, accepted);
		}
	}
	passed_on = result->outcome == HYGIE_PIN_MALFORMED && login_pass_on(login);
	if (result->outcome == HYGIE_OK)
		login_hand_over(login);
	secret_free(login->conversation.password);
	secret_free(login->conversation.login_secret);
	login->conversation.password = login->conversation.login_secret = NULL;
	code = outcome_pam_code(result->outcome);
	if (result->outcome != HYGIE_OK && (code == PAM_SUCCESS || code == PAM_IGNORE))
		code = PAM_AUTH_ERR;
	if (outcome_is_told(result->outcome) && !passed_on) {
		login_log(login, result);
		conversation_refuse(&login->conversation, result);
		login_contact(login, result->outcome);
	} else if (login->options.debug) {
		pam_syslog(login->handle, LOG_DEBUG, "authenticate: %s",
			   outcome_name(result->outcome));
	}
	wipe(result->ticket, sizeof(result->ticket));
	return code;
}

PUBLIC int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_catalogue struct catalogue *catalogue = NULL;
	struct login login = {
		.handle = pamh,
		.options = module_options_parse(pamh, argc, argv),
		.conversation = { .handle = pamh,
				  .silent = ((unsigned)flags & PAM_SILENT) != 0,
				  .outcome = HYGIE_OK },
	};
	struct client_result result;
	int r;

	catalogue = language_catalogue(pamh, &login.options);
	login.conversation.translator = language_translator(catalogue);
	client_result_set(&result, HYGIE_FAULT);
	if (login_forget(pamh) < 0)
		return login_end(&login, &result);
	if (user_is_impossible(request_user(pamh))) {
		client_result_set(&result, HYGIE_USER_UNKNOWN);
		return login_end(&login, &result);
	}
	r = request_authenticate(pamh, flags, &request);
	if (r < 0) {
		client_result_fault(&result, r);
		return login_end(&login, &result);
	}
	client_run(login.options.socket_path, request, deadline_after(LOGIN_MILLISECONDS),
		   &conversation_callbacks, &login.conversation, &result);
	return login_end(&login, &result);
}

/*
 * There are no credentials of ours to set, and that is done. Not PAM_IGNORE: cron calls this
 * without authenticate, sshd in another process than it, and a stack that ends in default=die
 * would refuse both.
 */
PUBLIC int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}

PUBLIC int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const struct login_mark *mark = login_mark_get(pamh);
	time_t now = time(NULL);

	(void)flags;
	(void)argc;
	(void)argv;
	if (!mark)
		return PAM_IGNORE;
	if (mark->not_after != 0 && (now < 0 || (uint64_t)now > mark->not_after))
		return PAM_ACCT_EXPIRED;
	return (mark->flags & RESULT_PIN_MUST_CHANGE) ? PAM_NEW_AUTHTOK_REQD
						      : PAM_SUCCESS;
}

/* Asks hygied about a session, without a conversation. */
static enum hygie_outcome session_request(pam_handle_t *handle,
					  const struct module_options *options,
					  uint16_t type, const char *ticket)
{
	static const struct client_callbacks no_callbacks = { .show = NULL };
	cleanup_message struct wire_message *request = NULL;
	struct client_result result;
	int r;

	r = request_session(handle, type, ticket, &request);
	if (r < 0)
		client_result_fault(&result, r);
	else
		client_run(options->socket_path, request,
			   deadline_after(SESSION_MILLISECONDS), &no_callbacks, NULL,
			   &result);
	if (options->debug)
		pam_syslog(handle, LOG_DEBUG, "session %s: %s",
			   type == WIRE_REQUEST_OPEN_SESSION ? "open" : "close",
			   outcome_name(result.outcome));
	return result.outcome;
}

/* A refusal by a daemon that lives is an error; one that is not there is ignored. */
static int session_code(enum hygie_outcome outcome)
{
	switch (outcome) {
	case HYGIE_OK:
		return PAM_SUCCESS;
	case HYGIE_UNAVAILABLE:
	case HYGIE_TIMED_OUT:
		return PAM_IGNORE;
	default:
		return PAM_SESSION_ERR;
	}
}

PUBLIC int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct module_options options = module_options_parse(pamh, argc, argv);
	const char *ticket = pam_getenv(pamh, TICKET_NAME);
	enum hygie_outcome outcome = HYGIE_FAULT;

	(void)flags;
	if (!ticket)
		return PAM_IGNORE;
	/* The mark comes first: a session that is bound must also be ended. */
	if (session_mark_set(pamh) == 0)
		outcome = session_request(pamh, &options, WIRE_REQUEST_OPEN_SESSION,
					  ticket);
	/* One use, whatever came of it: the session's programs shall not see it. */
	(void)pam_putenv(pamh, TICKET_NAME);
	if (outcome != HYGIE_OK) {
		session_mark_clear(pamh);
		pam_syslog(pamh, LOG_ERR, "session not bound to the card: %s",
			   outcome_name(outcome));
	}
	return session_code(outcome);
}

PUBLIC int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc,
				const char **argv)
{
	struct module_options options;
	enum hygie_outcome outcome;

	(void)flags;
	if (!session_mark_get(pamh))
		return PAM_IGNORE;
	options = module_options_parse(pamh, argc, argv);
	outcome = session_request(pamh, &options, WIRE_REQUEST_CLOSE_SESSION, NULL);
	session_mark_clear(pamh);
	return session_code(outcome);
}

/* Passwords are for other modules; the PIN is changed here where `pin_change` says so. */
PUBLIC int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct module_options options = module_options_parse(pamh, argc, argv);

	return pin_change_run(pamh, flags, &options);
}
