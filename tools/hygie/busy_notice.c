/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notice; see busy_notice.h.
 */
#include "busy_notice.h"

#include "language.h"
#include "libhygie/protocol.h"
#include "libhygie/text.h"
#include "notification.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct busy_notice {
	struct notification *notification;
	char told[HYGIE_TEXT_MAX]; /* "": nothing is busy */
};

static void write_text(const struct busy_program *program, bool more,
		       char ret_text[HYGIE_TEXT_MAX])
{
	char pid[16];
	const char *const arguments[] = { program->store, program->name, pid,
					  program->file };

	(void)snprintf(pid, sizeof(pid), "%" PRIu32, program->pid);
	text_render(
		more ? tr("Record store {1}: {2} (process {3}) still has {4}, and there "
			  "is more: see \"hygie store status\". Save your work and "
			  "close it; the store then closes by itself.")
		     : tr("Record store {1}: {2} (process {3}) still has {4}. Save your "
			  "work and close it; the store then closes by itself."),
		arguments, array_size(arguments), ret_text, HYGIE_TEXT_MAX);
}

void busy_notice_set(struct busy_notice *notice, const struct busy_program *programs,
		     size_t count)
{
	char text[HYGIE_TEXT_MAX] = "";

	if (count > 0)
		write_text(&programs[0], count > 1, text);
	if (strcmp(text, notice->told) == 0)
		return;
	memcpy(notice->told, text, sizeof(text));
	if (count == 0) {
		notification_hide(notice->notification);
		return;
	}
	output_warning(text);
	notification_show(notice->notification, text);
}

int busy_notice_new(sd_event *loop, struct busy_notice **ret_notice)
{
	struct busy_notice *notice = calloc(1, sizeof(*notice));

	if (!notice)
		return -ENOMEM;
	if (notification_new(loop, tr("Record store still open"), &notice->notification) <
	    0) {
		free(notice);
		return -ENOMEM;
	}
	*ret_notice = notice;
	return 0;
}

void busy_notice_free(struct busy_notice *notice)
{
	if (!notice)
		return;
	notification_free(notice->notification);
	free(notice);
}
