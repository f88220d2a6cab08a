/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling how far it is; see tree_progress.h.
 */
#include "tree_progress.h"

#include "display.h"
#include "language.h"
#include "libhygie/deadline.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOW_EVERY 200000u /* microseconds */

static void show(const struct tree_progress *progress)
{
	char numbers[4][24], text[HYGIE_TEXT_MAX];
	const char *arguments[] = { numbers[0], numbers[1], numbers[2], numbers[3] };
	const uint64_t values[] = { progress->files, progress->all_files,
				    progress->bytes >> 20, progress->all_bytes >> 20 };

	for (unsigned i = 0; i < 4; i++)
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, values[i]);
	text_render(tr(progress->sentence), arguments, 4, text, sizeof(text));
	if (progress->terminal)
		(void)fputc('\r', stderr);
	display_put(stderr, COLOUR_NONE, text);
	(void)fputc(progress->terminal ? ' ' : '\n', stderr);
}

void tree_progress_begin(struct tree_progress *progress, const char *sentence)
{
	progress->sentence = sentence;
	progress->files = progress->bytes = progress->next = 0;
	progress->tenth = 0;
}

void tree_progress_add(struct tree_progress *progress, uint64_t files, uint64_t bytes)
{
	uint64_t now;
	unsigned tenth;

	progress->files += files;
	progress->bytes += bytes;
	if (progress->quiet || !progress->sentence)
		return;
	if (!progress->terminal) {
		tenth = progress->all_bytes ? (unsigned)((double)progress->bytes * 10.0 /
							 (double)progress->all_bytes)
					    : 0;
		if (tenth > progress->tenth)
			show(progress);
		if (tenth > progress->tenth)
			progress->tenth = tenth;
		return;
	}
	now = monotonic_now();
	if (now < progress->next)
		return;
	progress->next = now + SHOW_EVERY;
	show(progress);
}

void tree_progress_end(struct tree_progress *progress)
{
	if (!progress->quiet && progress->terminal && progress->sentence) {
		show(progress);
		(void)fputc('\n', stderr);
	}
	progress->sentence = NULL;
}
