/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application's conversation function as the callbacks of client_run: one message a
 * call in the person's language, answers into a struct secret, the application's copy wiped. It decides nothing
 * but what a conversation that failed came to.
 */
#pragma once

#include "libhygie/translate.h"

#include <security/pam_modules.h>

struct conversation {
	pam_handle_t *handle;
	struct translator translator;
	bool silent; /* PAM_SILENT: no sentences, prompts only */
	bool mute;   /* the application refused a sentence: no more of them */
	/*
	 * The last answer, where hygied said that it may be a password; NULL otherwise.
	 * The owner of the conversation frees it.
	 */
	struct secret *password;
	/* The login secret that came with a success; NULL: none. Freed likewise. */
	struct secret *login_secret;
	/*
	 * HYGIE_OK as long as each prompt was answered; else what the dialogue came to on
	 * this side, which is never a success whatever hygied says.
	 */
	enum hygie_outcome outcome;
};

/*
 * INFO becomes PAM_TEXT_INFO, WARNING PAM_ERROR_MSG, PROMPT PAM_PROMPT_ECHO_OFF or _ON;
 * PROGRESS is not shown. The context is a struct conversation. An answer over
 * HYGIE_PIN_MAX bytes (HYGIE_USER_MAX - 1 with echo) is not cut but refused:
 * HYGIE_PIN_MALFORMED (HYGIE_REFUSED). A conversation that fails or gives no answer:
 * HYGIE_GAVE_UP. A sentence that the application refuses is no failure: nothing hangs on
 * it.
 */
extern const struct client_callbacks conversation_callbacks;

/* Shows a sentence as PAM_TEXT_INFO, unless silent or empty; escaped likewise. */
void conversation_tell(struct conversation *conversation,
		       const struct client_result *result);

/* Shows a refusal as PAM_ERROR_MSG, unless silent; control characters are escaped. */
void conversation_refuse(struct conversation *conversation,
			 const struct client_result *result);

/* The same for a text of this machine's administrator, in whatever language it is. */
void conversation_warn(struct conversation *conversation, const char *text);
