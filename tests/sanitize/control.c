/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with one mistake, by its argument: what the sanitisers must find, or they
 * find nothing. No part of Hygie.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept;

int main(int argc, char **argv)
{
	volatile int number = INT_MAX - 2 + argc;
	char *bytes = malloc(16);

	if (argc < 2 || !bytes)
		return 2;
	kept = bytes;
	if (strcmp(argv[1], "overflow") == 0)
		((volatile char *)bytes)[16] = 1;
	if (strcmp(argv[1], "undefined") == 0)
		number = number + argc;
	kept = NULL;
	if (strcmp(argv[1], "leak") != 0)
		free(bytes);
	bytes = NULL;
	return 0;
}
