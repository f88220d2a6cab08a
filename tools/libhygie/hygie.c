/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public functions, over the private client; see hygie.h. Publicly success is 0 and
 * refusal is not, so the two numbers change places here and nowhere else.
 */
#include "libhygie/hygie.h"

#include "libhygie/client.h"
#include "libhygie/deadline.h"

#include <errno.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif

#define PUBLIC_REFUSED 1
#define DIALOGUE_MS 180000 /* beside the time that a person takes */

static int public_number(enum hygie_outcome outcome)
{
	if (outcome == HYGIE_OK)
		return 0;
	return outcome == HYGIE_REFUSED ? PUBLIC_REFUSED : (int)outcome;
}

static enum hygie_outcome private_outcome(int number)
{
	if (number == 0)
		return HYGIE_OK;
	return number < 0 || number == PUBLIC_REFUSED
		       ? HYGIE_REFUSED
		       : outcome_from_wire((unsigned)number);
}

static void on_show(void *context, enum client_tone tone, const struct client_text *text)
{
	const struct hygie_conversation *conversation = context;

	(void)tone;
	if (conversation->show)
		conversation->show(conversation->context, text->english);
}

static int on_ask(void *context, int fd, bool echo, const struct client_text *text,
		  struct secret **ret_answer)
{
	const struct hygie_conversation *conversation = context;
	size_t size = echo ? HYGIE_USER_MAX : HYGIE_PIN_MAX;
	cleanup_secret struct secret *answer = NULL;
	long length;
	int r;

	(void)fd;
	if (!conversation->ask)
		return -EOPNOTSUPP;
	r = secret_new(size, &answer);
	if (r < 0)
		return r;
	length = conversation->ask(conversation->context, text->english, echo,
				   (char *)secret_bytes(answer), size);
	if (length < 0 || (size_t)length > size)
		return -ECANCELED;
	secret_set_size(answer, (size_t)length);
	*ret_answer = answer;
	answer = NULL;
	return 0;
}

const char *hygie_version(void)
{
	return HYGIE_VERSION;
}

int hygie_authenticate(const char *user, const char *service,
		       const struct hygie_conversation *conversation)
{
	static const struct client_callbacks callbacks = { .show = on_show,
							   .ask = on_ask };
	/* Borrowed for the call alone; the callbacks give it back as const. */
	struct hygie_conversation copy = *conversation;
	cleanup_message struct wire_message *request = NULL;
	struct client_result result;

	if (wire_message_new(WIRE_REQUEST_AUTHENTICATE, &request) < 0)
		return public_number(HYGIE_FAULT);
	if (user)
		wire_add_string(request, TAG_USER, user);
	wire_add_string(request, TAG_SERVICE, service ? service : "libhygie");
	client_run(NULL, request, deadline_after(DIALOGUE_MS), &callbacks, &copy,
		   &result);
	return public_number(result.outcome);
}

const char *hygie_outcome_name(int outcome)
{
	return outcome_name(private_outcome(outcome));
}

const char *hygie_outcome_text(int outcome)
{
	return outcome_text(private_outcome(outcome));
}
