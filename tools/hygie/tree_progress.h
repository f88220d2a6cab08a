/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far long work is, on standard error: a line that changes where a person reads, at
 * most five times a second; else a line for each tenth of the bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tree_progress {
	bool quiet, terminal;
	const char *sentence; /* English, N_()'d: {1} of {2} files, {3} of {4} MiB */
	uint64_t all_files, all_bytes;
	uint64_t files, bytes;
	uint64_t next;  /* monotonic microseconds, when it is shown again */
	unsigned tenth; /* told last */
};

void tree_progress_begin(struct tree_progress *progress, const char *sentence);
void tree_progress_add(struct tree_progress *progress, uint64_t files, uint64_t bytes);
void tree_progress_end(struct tree_progress *progress);
