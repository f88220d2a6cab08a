/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay between client_run and the application's conversation; see conversation.h.
 */
#include "conversation.h"

#include "libhygie/printable.h"

#include <errno.h>
#include <string.h>

static void response_free(struct pam_response *response)
{
	if (!response)
		return;
	if (response->resp) {
		wipe(response->resp, strlen(response->resp));
		free(response->resp);
	}
	free(response);
}

define_cleanup(cleanup_response_function, struct pam_response, response_free)
#define cleanup_response cleanup_with(cleanup_response_function)

	/* Has the application show or ask one thing. The caller owns the response, which
	   may be NULL. */
	static int conversation_call(const struct conversation *conversation, int style,
				     const char *text, struct pam_response **ret_response)
{
	char escaped[HYGIE_TEXT_MAX], encoded[HYGIE_TEXT_MAX];
	struct pam_message message = { .msg_style = style, .msg = encoded };
	const struct pam_message *messages = &message;
	struct pam_response *response = NULL;
	const struct pam_conv *conv;
	const void *item = NULL;

	if (!printable_is_clean(text, strlen(text))) {
		(void)printable_copy(escaped, sizeof(escaped), text, strlen(text));
		text = escaped;
	}
	translate_encode(text, encoded, sizeof(encoded));
	if (pam_get_item(conversation->handle, PAM_CONV, &item) != PAM_SUCCESS || !item)
		return -ENOTCONN;
	conv = item;
	if (!conv->conv)
		return -ENOTCONN;
	/* What a failed conversation left in `response` is not ours to read or free. */
	if (conv->conv(1, &messages, &response, conv->appdata_ptr) != PAM_SUCCESS)
		return -ECANCELED;
	*ret_response = response;
	return 0;
}

static void conversation_say(struct conversation *conversation, int style,
			     const char *text)
{
	cleanup_response struct pam_response *response = NULL;

	if (conversation->silent || conversation->mute || text[0] == '\0')
		return;
	if (conversation_call(conversation, style, text, &response) < 0)
		conversation->mute = true;
}

static void conversation_show(void *context, enum client_tone tone,
			      const struct client_text *text)
{
	struct conversation *conversation = context;
	char translated[HYGIE_TEXT_MAX];

	if (tone == CLIENT_PROGRESS)
		return;
	translate_text(&conversation->translator, text, translated);
	conversation_say(conversation,
			 tone == CLIENT_INFO ? PAM_TEXT_INFO : PAM_ERROR_MSG, translated);
}

/* Ends the dialogue from this side. */
static int conversation_end(struct conversation *conversation, enum hygie_outcome outcome,
			    int error)
{
	conversation->outcome = outcome;
	return error;
}

/* An answer to a prompt that a password answers as well. */
static int conversation_keep(struct conversation *conversation,
			     const struct wire_message *prompt, const char *answer,
			     size_t size)
{
	uint32_t flags = 0;

	secret_free(conversation->password);
	conversation->password = NULL;
	if (wire_get_u32(prompt, TAG_FLAGS, &flags) < 0 || !(flags & PROMPT_OR_PASSWORD))
		return 0;
	return secret_new_from(answer, size, &conversation->password);
}

/* `fd` stays unwatched: PAM has no way to take a prompt back. */
static int conversation_ask(void *context, int fd, bool echo,
			    const struct client_text *text, struct secret **ret_answer)
{
	cleanup_response struct pam_response *response = NULL;
	struct conversation *conversation = context;
	const size_t most = echo ? HYGIE_USER_MAX - 1 : HYGIE_PIN_MAX;
	char translated[HYGIE_TEXT_MAX];
	size_t size;
	int r;

	(void)fd;
	if (conversation->outcome != HYGIE_OK)
		return -ECANCELED;
	translate_text(&conversation->translator, text, translated);
	r = conversation_call(conversation,
			      echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, translated,
			      &response);
	if (r < 0)
		return conversation_end(conversation, HYGIE_GAVE_UP, r);
	if (!response || !response->resp)
		return conversation_end(conversation, HYGIE_GAVE_UP, -ECANCELED);
	size = strlen(response->resp);
	r = conversation_keep(conversation, text->message, response->resp, size);
	if (r < 0)
		return conversation_end(conversation, HYGIE_FAULT, r);
	if (size > most)
		return conversation_end(
			conversation, echo ? HYGIE_REFUSED : HYGIE_PIN_MALFORMED, -E2BIG);
	r = secret_new_from(response->resp, size, ret_answer);
	return r < 0 ? conversation_end(conversation, HYGIE_FAULT, r) : 0;
}

static void conversation_take(void *context, struct secret *secret)
{
	struct conversation *conversation = context;

	secret_free(conversation->login_secret);
	conversation->login_secret = secret;
}

const struct client_callbacks conversation_callbacks = {
	.show = conversation_show,
	.ask = conversation_ask,
	.secret = conversation_take,
};

void conversation_tell(struct conversation *conversation,
		       const struct client_result *result)
{
	char translated[HYGIE_TEXT_MAX];

	translate_result(&conversation->translator, result, translated);
	conversation_say(conversation, PAM_TEXT_INFO, translated);
}

void conversation_refuse(struct conversation *conversation,
			 const struct client_result *result)
{
	char translated[HYGIE_TEXT_MAX];

	translate_result(&conversation->translator, result, translated);
	conversation_say(conversation, PAM_ERROR_MSG, translated);
}

void conversation_warn(struct conversation *conversation, const char *text)
{
	conversation_say(conversation, PAM_ERROR_MSG, text);
}
