/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory a test program has of its own.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Pages, counted in the page tables: statm is off by up to 32 a processor (Linux 6.2 and
 * later), and what is mapped from files comes and goes. Ends the program where /proc does
 * not tell.
 */
static inline long own_pages(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kilobytes = -1;

	while (file && kilobytes < 0 && fgets(line, sizeof(line), file))
		(void)sscanf(line, "Anonymous: %ld kB", &kilobytes);
	if (kilobytes < 0)
		abort();
	(void)fclose(file);
	return kilobytes * 1024 / sysconf(_SC_PAGESIZE);
}
