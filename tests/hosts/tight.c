/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has nearly as many descriptors open as it may: LIMIT, of which those in
 * FREE (numbers, comma between) are not open. 0, 1 and 2 may be among them. What it has to
 * say goes to descriptor 3 and is said at the end.
 *
 *	tight LIMIT FREE SERVICE USER ANSWER
 */
#include "hosts/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAID 3

static void fill(unsigned limit)
{
	const struct rlimit descriptors = { .rlim_cur = limit, .rlim_max = limit };

	if (setrlimit(RLIMIT_NOFILE, &descriptors) < 0 || dup2(STDOUT_FILENO, SAID) < 0)
		host_fail("limit");
	while (open("/dev/null", O_RDWR | O_CLOEXEC) >= 0)
		;
}

/* As a program does that was never told that its standard streams are gone. */
static void write_everywhere(void *context)
{
	(void)context;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)!write(fd, "asking\n", strlen("asking\n"));
}

int main(int argc, char *argv[])
{
	char *said = NULL, *list, *word;
	size_t size = 0;
	struct host host;

	if (argc != 6)
		return 2;
	list = argv[2];
	host = (struct host){ .user = argv[4],
			      .answer = argv[5],
			      .at_prompt = write_everywhere };
	host_start(&host, argv[3]);
	stdout = open_memstream(&said, &size);
	fill((unsigned)strtoul(argv[1], NULL, 10));
	while ((word = strsep(&list, ",")))
		if (*word)
			(void)close(atoi(word));
	host_step(&host, "authenticate");
	host_step(&host, "acct_mgmt");
	(void)fclose(stdout);
	(void)!write(SAID, said, size);
	free(said);
	host_end(&host);
	return 0;
}
