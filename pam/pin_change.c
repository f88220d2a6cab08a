/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pam_sm_chauthtok; see pin_change.h. It asks nothing in the first of its two calls, and
 * sets neither PAM_AUTHTOK nor PAM_OLDAUTHTOK: other modules would take a PIN that lies
 * there for a password.
 */
#include "pin_change.h"

#include "conversation.h"
#include "language.h"
#include "libhygie/deadline.h"
#include "login_mark.h"
#include "request.h"

#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#define CHECK_MILLISECONDS 20000 /* a card that was just put in is read first */
#define CHANGE_MILLISECONDS 240000

int pin_check_code(enum hygie_outcome outcome)
{
	switch (outcome) {
	case HYGIE_OK:
		return PAM_SUCCESS;
	case HYGIE_USER_UNKNOWN:
	case HYGIE_NO_CARD:
	case HYGIE_NO_READER:
	case HYGIE_CARD_UNKNOWN:
	case HYGIE_CARD_OTHER_USER:
	case HYGIE_CARD_REVOKED:
		return PAM_IGNORE;
	case HYGIE_NOT_ALLOWED:
		return PAM_PERM_DENIED;
	default:
		return PAM_TRY_AGAIN;
	}
}

int pin_change_code(enum hygie_outcome outcome)
{
	switch (outcome) {
	case HYGIE_OK:
		return PAM_SUCCESS;
	case HYGIE_PIN_WRONG:
	case HYGIE_PIN_BLOCKED:
	case HYGIE_PIN_MALFORMED:
	case HYGIE_PIN_LAST_TRY:
	case HYGIE_PIN_NOT_SET:
		return PAM_AUTHTOK_RECOVERY_ERR; /* the old one is not to be had */
	case HYGIE_NOT_ALLOWED:
		return PAM_PERM_DENIED;
	default:
		return PAM_AUTHTOK_ERR;
	}
}

/*
 * Whether the call is ours at all. Root's PIN is changed by "hygie pin change": what
 * becomes of root's password is nobody's to decide but other modules'.
 */
static bool is_ours(pam_handle_t *handle, int flags, const struct module_options *options)
{
	const struct login_mark *mark = login_mark_get(handle);
	const char *user = request_user(handle);

	if (!options->pin_change || !user || strcmp(user, "root") == 0 ||
	    strlen(user) >= HYGIE_USER_MAX || !utf8_is_valid(user, strlen(user)))
		return false;
	/* Only what expired: then it is the PIN where the token said so at this login. */
	if ((unsigned)flags & PAM_CHANGE_EXPIRED_AUTHTOK)
		return mark && (mark->flags & RESULT_PIN_MUST_CHANGE) != 0;
	return true;
}

static void request_run(struct conversation *conversation, int flags, bool check,
			const struct module_options *options,
			struct client_result *ret_result)
{
	static const struct client_callbacks no_callbacks = { .show = NULL };
	cleanup_message struct wire_message *request = NULL;

	client_result_set(ret_result, HYGIE_FAULT);
	if (request_pin_change(conversation->handle, flags, check, &request) < 0)
		return;
	client_run(options->socket_path, request,
		   deadline_after(check ? CHECK_MILLISECONDS : CHANGE_MILLISECONDS),
		   check ? &no_callbacks : &conversation_callbacks, conversation,
		   ret_result);
	if (conversation->outcome != HYGIE_OK)
		client_result_set(ret_result, conversation->outcome);
}

static int check_run(struct conversation *conversation, int flags,
		     const struct module_options *options)
{
	/* Who came in by his card, and must change its PIN, is not sent to a password. */
	bool marked = login_mark_get(conversation->handle) != NULL;
	struct client_result result;
	int code;

	request_run(conversation, flags, true, options, &result);
	code = pin_check_code(result.outcome);
	if (code == PAM_IGNORE && marked)
		code = PAM_TRY_AGAIN;
	if (code != PAM_SUCCESS && code != PAM_IGNORE) {
		pam_syslog(conversation->handle, LOG_NOTICE, "PIN cannot be changed: %s",
			   outcome_name(result.outcome));
		conversation_refuse(conversation, &result);
	}
	if (code == PAM_SUCCESS && pin_mark_set(conversation->handle) < 0)
		return PAM_TRY_AGAIN;
	return code;
}

static int update_run(struct conversation *conversation, int flags,
		      const struct module_options *options)
{
	struct client_result result;

	request_run(conversation, flags, false, options, &result);
	if (result.outcome == HYGIE_OK) {
		login_mark_pin_changed(conversation->handle);
		conversation_tell(conversation, &result);
	} else {
		pam_syslog(conversation->handle, LOG_NOTICE, "PIN not changed: %s",
			   outcome_name(result.outcome));
		conversation_refuse(conversation, &result);
	}
	return pin_change_code(result.outcome);
}

int pin_change_run(pam_handle_t *handle, int flags, const struct module_options *options)
{
	cleanup_catalogue struct catalogue *catalogue = NULL;
	struct conversation conversation = {
		.handle = handle,
		.silent = ((unsigned)flags & PAM_SILENT) != 0,
		.outcome = HYGIE_OK,
	};

	if (!is_ours(handle, flags, options))
		return PAM_IGNORE;
	catalogue = language_catalogue(handle, options);
	conversation.translator = language_translator(catalogue);
	if ((unsigned)flags & PAM_PRELIM_CHECK) {
		pin_mark_clear(handle);
		return check_run(&conversation, flags, options);
	}
	/* A card that was put in since is not what the first call spoke of. */
	if (!pin_mark_get(handle))
		return PAM_IGNORE;
	pin_mark_clear(handle);
	return update_run(&conversation, flags, options);
}
