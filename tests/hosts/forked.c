/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does the parts of a login in several processes. "apart": as sshd does, a
 * child authenticates and sends the PAM environment to its parent, which opens the session
 * with it. "worker": the parent authenticates and a child with a copy of the handle does
 * the rest; then the parent tries to open the session once more.
 *
 *	forked apart|worker SERVICE USER ANSWER
 */
#include "hosts/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENVIRONMENT_MAX 4096

/* What is printed is told apart by who did it. */
static pid_t split(struct host *host)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		host_fail("fork");
	host->name = pid == 0 ? "child: " : "parent: ";
	return pid;
}

static void child_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		host_fail("waitpid");
	(void)printf("ended %d\n", status);
}

_Noreturn static void child_end(struct host *host)
{
	(void)pam_end(host->handle, PAM_SUCCESS | PAM_DATA_SILENT);
	(void)fflush(stdout);
	_exit(0);
}

static void environment_send(const struct host *host, int fd)
{
	char **list = pam_getenvlist(host->handle);

	for (size_t i = 0; list && list[i]; i++) {
		if (write(fd, list[i], strlen(list[i]) + 1) < 0)
			host_fail("write");
		free(list[i]);
	}
	free(list);
	(void)close(fd);
}

/* Until the sender has closed its end. */
static void environment_take(struct host *host, int fd)
{
	char text[ENVIRONMENT_MAX];
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, text + size, sizeof(text) - size)) > 0)
		size += (size_t)n;
	for (size_t at = 0; at < size; at += strlen(text + at) + 1)
		(void)pam_putenv(host->handle, text + at);
	(void)close(fd);
}

static void apart(struct host *host)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0)
		host_fail("pipe");
	pid = split(host);
	if (pid == 0) {
		(void)close(ends[0]);
		host_step(host, "authenticate");
		host_step(host, "acct_mgmt");
		environment_send(host, ends[1]);
		child_end(host);
	}
	(void)close(ends[1]);
	environment_take(host, ends[0]);
	child_wait(pid);
	host_ticket(host);
	host_step(host, "acct_mgmt");
	host_step(host, "setcred");
	host_step(host, "open_session");
	host_ticket(host);
	host_step(host, "close_session");
}

static void worker(struct host *host)
{
	pid_t pid;

	host_step(host, "authenticate");
	pid = split(host);
	if (pid == 0) {
		host_step(host, "acct_mgmt");
		host_step(host, "setcred");
		host_step(host, "open_session");
		host_step(host, "close_session");
		child_end(host);
	}
	child_wait(pid);
	host_step(host, "acct_mgmt");
	host_step(host, "open_session");
	host_ticket(host);
}

int main(int argc, char *argv[])
{
	struct host host;

	if (argc != 5)
		return 2;
	host = (struct host){ .user = argv[3], .answer = argv[4] };
	host_start(&host, argv[2]);
	if (strcmp(argv[1], "worker") == 0)
		worker(&host);
	else
		apart(&host);
	host_end(&host);
	return 0;
}
