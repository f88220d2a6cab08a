/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending to hygied; see report.h.
 */
#include "hygie-token/report.h"

#include "libhygie/printable.h"
#include "libhygie/protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

int report_send(const struct wire_message *message)
{
	struct pollfd room = { .fd = TOKEN_SOCKET, .events = POLLOUT };
	int r;

	while ((r = wire_send(TOKEN_SOCKET, message)) == -EAGAIN)
		if (poll(&room, 1, -1) < 0 && errno != EINTR)
			return -errno;
	return r;
}

void helper_exit(int status)
{
	_exit(status);
}

static int failure_send(const struct failure *failure)
{
	char text[PRINTABLE_SIZE(FAILURE_TEXT_MAX)];
	cleanup_message struct wire_message *message = NULL;
	int r;

	r = wire_message_new(WIRE_REPORT_FAILED, &message);
	if (r < 0)
		return r;
	(void)printable_copy(text, sizeof(text), failure->text, strlen(failure->text));
	wire_add_u32(message, TAG_OUTCOME, (uint32_t)failure->outcome);
	wire_add_string(message, TAG_TEXT, text);
	if (failure->has_flags)
		wire_add_u32(message, TAG_TOKEN_FLAGS, failure->flags);
	return report_send(message);
}

void report_failure_and_exit(const struct failure *failure)
{
	/* Nothing is left to try when even this cannot be said: hygied sees the end. */
	if (failure_send(failure) < 0)
		(void)fprintf(stderr, "hygie-token: %s\n", failure->text);
	helper_exit(1);
}
