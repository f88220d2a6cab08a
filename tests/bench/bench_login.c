/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One PAM application that logs in and tells what that took, for the benchmark: small, so
 * that the module's share is what is seen, and a process of its own for each measurement,
 * as login and sshd are. It judges nothing.
 *
 *	bench-login [-n COUNT] [-w PID] SERVICE USER PIN
 *
 * Logs in COUNT times, one right after the other, and answers every prompt with PIN. A
 * line for each: PAM's code, then in nanoseconds on the monotonic clock when it called,
 * was prompted last, answered, and had the result; then the processor time that this
 * process took from pam_start to pam_end, and process PID from pam_start to the result (0
 * without).
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct login {
	const char *service, *user, *pin;
	int code;
	uint64_t called, prompted, answered, result; /* ns, monotonic */
	uint64_t own_cpu, watched_cpu;               /* ns */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0) {
		perror("bench-login: clock");
		exit(2);
	}
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int converse(int count, const struct pam_message **messages,
		    struct pam_response **ret_responses, void *data)
{
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));
	struct login *login = data;

	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style != PAM_PROMPT_ECHO_OFF)
			continue;
		login->prompted = clock_ns(CLOCK_MONOTONIC);
		responses[i].resp = strdup(login->pin);
		login->answered = clock_ns(CLOCK_MONOTONIC);
	}
	*ret_responses = responses;
	return PAM_SUCCESS;
}

static void login_run(struct login *login, const clockid_t *watched)
{
	const struct pam_conv conversation = { converse, login };
	uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t other = watched ? clock_ns(*watched) : 0;
	pam_handle_t *pam = NULL;

	login->called = clock_ns(CLOCK_MONOTONIC);
	login->code = pam_start(login->service, login->user, &conversation, &pam);
	if (login->code == PAM_SUCCESS)
		login->code = pam_authenticate(pam, 0);
	login->result = clock_ns(CLOCK_MONOTONIC);
	login->watched_cpu = watched ? clock_ns(*watched) - other : 0;
	(void)pam_end(pam, login->code);
	login->own_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own;
}

static void login_print(const struct login *login)
{
	printf("%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
	       "\n",
	       login->code, login->called, login->prompted, login->answered,
	       login->result, login->own_cpu, login->watched_cpu);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench-login [-w PID] SERVICE USER PIN\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct login login = { 0 };
	clockid_t watched = 0;
	bool watches = false;
	int option;

	while ((option = getopt(argc, argv, "w:")) != -1) {
		if (option != 'w')
			return usage();
		errno = clock_getcpuclockid((pid_t)strtol(optarg, NULL, 10), &watched);
		if (errno) {
			perror("bench-login: -w");
			return 2;
		}
		watches = true;
	}
	if (argc - optind != 3)
		return usage();
	login.service = argv[optind];
	login.user = argv[optind + 1];
	login.pin = argv[optind + 2];
	login_run(&login, watches ? &watched : NULL);
	login_print(&login);
	return 0;
}
