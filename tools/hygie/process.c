/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program and collects what it says, or looks at one; see process.h.
 */
#include "process.h"

#include "libhygie/printable.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PIECE_MAX (PROCESS_OUTPUT_MAX / 4 - 1)

static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
static char locale_variable[] = "LC_ALL=C";
static char debconf_variable[] = "DEBIAN_FRONTEND=noninteractive";
static char *const environment[] = { path_variable, locale_variable, debconf_variable,
				     NULL };

/* Standard input is nothing, the rest goes into the pipe. */
static int actions_fill(posix_spawn_file_actions_t *actions, int to)
{
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
						 O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, to, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, to, STDERR_FILENO);
	return r;
}

/* Reads to the end; keeps the beginning. */
static void output_read(int fd, char ret_output[PROCESS_OUTPUT_MAX])
{
	char kept[PIECE_MAX], more[512];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, more, sizeof(more))) > 0 || (n < 0 && errno == EINTR)) {
		size_t size = n > 0 ? (size_t)n : 0;
		size_t room = sizeof(kept) - used;

		memcpy(kept + used, more, size < room ? size : room);
		used += size < room ? size : room;
	}
	while (used > 0 && kept[used - 1] == '\n')
		used--;
	for (size_t i = 0; i < used; i++)
		if (kept[i] == '\n')
			kept[i] = ' ';
	(void)printable_copy(ret_output, PROCESS_OUTPUT_MAX, kept, used);
}

int process_run(char *const argv[], char ret_output[PROCESS_OUTPUT_MAX])
{
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, r;
	pid_t pid = -1;

	ret_output[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = actions_fill(&actions, fds[1]);
		if (r == 0)
			r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environment);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(fds[1]);
	if (r == 0)
		output_read(fds[0], ret_output);
	(void)close(fds[0]);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool process_field(pid_t pid, enum process_field field, uint64_t *ret_value)
{
	char path[64], text[1024];
	cleanup_close int fd = -1;
	const char *at;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')'); /* the name may hold anything */
	for (int i = 0; at && i < (int)field; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_value = strtoull(at, NULL, 10);
	return true;
}
