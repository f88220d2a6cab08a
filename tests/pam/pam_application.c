/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PAM application for tests, where pamtester does not reach: it takes its service files
 * from a folder of its own and behaves as badly as real applications do. It prints one
 * line for each thing that happens and decides nothing: the test reads the lines.
 *
 *	pam_application [option...] CONFDIR SERVICE USER STEP...
 *
 * USER "-" gives none. Steps: authenticate setcred acct_mgmt open_session close_session
 * chauthtok, each printed as "STEP CODE"; user and env print PAM_USER and the
 * environment; ticket-forged puts a HYGIE_TICKET into the environment; session-id puts
 * XDG_SESSION_ID; putenv:NAME=VALUE puts that; locale prints the locale as it then is;
 * scan counts the copies of the first answer, a hidden one, in writable
 * memory.
 */
#include "own_pages.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWERS_MAX 8
#define HIDING 0x5A
#define array_size(array) (sizeof(array) / sizeof((array)[0]))

enum answer_kind { ANSWER_TEXT, ANSWER_HIDDEN, ANSWER_NULL, ANSWER_ERROR };

struct setting {
	int flags;
	const char *tty, *remote_host;
	const char *fifo; /* read before each answer: the test says when */
	struct {
		enum answer_kind kind;
		const char *text;
	} answers[ANSWERS_MAX];
	size_t answer_count;
	bool say_fails, no_conversation, threads, closed;
	unsigned fail_at;
	bool fail, interrupt;
	FILE *out;
};

struct run {
	const struct setting *setting;
	const char *confdir, *service, *user;
	char *const *steps;
	size_t answered;
	const char *prefix;
};

static void hidden_decode(const char *hex, char *ret_text)
{
	for (; hex[0] && hex[1]; hex += 2) {
		const char digits[] = { hex[0], hex[1], '\0' };

		*ret_text++ = (char)(strtoul(digits, NULL, 16) ^ HIDING);
	}
	*ret_text = '\0';
}

static void fifo_wait(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte;

	(void)!read(fd, &byte, 1);
	(void)close(fd);
}

/* The next answer as PAM wants it. The last one serves all prompts that follow. */
static int answer_make(struct run *run, struct pam_response *response)
{
	const struct setting *setting = run->setting;
	size_t at = run->answered < setting->answer_count ? run->answered
							  : setting->answer_count - 1;

	if (setting->answer_count == 0)
		return PAM_CONV_ERR;
	if (setting->fifo)
		fifo_wait(setting->fifo);
	run->answered++;
	switch (setting->answers[at].kind) {
	case ANSWER_TEXT:
		response->resp = strdup(setting->answers[at].text);
		break;
	case ANSWER_HIDDEN:
		response->resp = malloc(strlen(setting->answers[at].text) / 2 + 1);
		hidden_decode(setting->answers[at].text, response->resp);
		break;
	case ANSWER_NULL:
		break;
	default:
		return PAM_CONV_ERR;
	}
	return PAM_SUCCESS;
}

static int converse(int count, const struct pam_message **messages,
		    struct pam_response **ret_responses, void *context)
{
	static const char *const styles[] = { [PAM_PROMPT_ECHO_OFF] = "hidden",
					      [PAM_PROMPT_ECHO_ON] = "shown",
					      [PAM_ERROR_MSG] = "error",
					      [PAM_TEXT_INFO] = "info" };
	struct run *run = context;
	struct pam_response *response;
	int code = PAM_SUCCESS;

	(void)fprintf(run->setting->out, "%ssay %d %s %s\n", run->prefix, count,
		      styles[messages[0]->msg_style], messages[0]->msg);
	/* As programs do that write to their standard streams, open or not. */
	for (int fd = run->setting->closed ? 0 : STDERR_FILENO; fd <= STDERR_FILENO; fd++)
		(void)!write(fd, "asking\n", 7);
	response = calloc(1, sizeof(*response));
	if (!response)
		return PAM_BUF_ERR;
	if (messages[0]->msg_style == PAM_PROMPT_ECHO_OFF ||
	    messages[0]->msg_style == PAM_PROMPT_ECHO_ON)
		code = answer_make(run, response);
	else if (run->setting->say_fails)
		code = PAM_CONV_ERR;
	if (code != PAM_SUCCESS) {
		free(response);
		return code;
	}
	*ret_responses = response;
	return PAM_SUCCESS;
}

static void env_print(pam_handle_t *handle, const struct run *run)
{
	char **list = pam_getenvlist(handle);

	for (size_t i = 0; list && list[i]; i++) {
		(void)fprintf(run->setting->out, "%senv %s\n", run->prefix, list[i]);
		free(list[i]);
	}
	free(list);
}

static void user_print(pam_handle_t *handle, const struct run *run)
{
	const void *user = NULL;

	(void)pam_get_item(handle, PAM_USER, &user);
	(void)fprintf(run->setting->out, "%suser %s\n", run->prefix,
		      user ? (const char *)user : "(none)");
}

/* Counts copies of a hidden answer in one mapping, without making another one. */
static unsigned region_scan(const uint8_t *begin, size_t size, const char *hex)
{
	size_t length = strlen(hex) / 2;
	unsigned found = 0;

	/* The end of it: the allocator overwrites the beginning of what was freed. */
	if (length > 16) {
		hex += 2 * (length - 16);
		length = 16;
	}
	for (size_t at = 0; at + length <= size; at++) {
		size_t k = 0;

		for (; k < length; k++) {
			const char digits[] = { hex[2 * k], hex[2 * k + 1], '\0' };

			if ((begin[at + k] ^ HIDING) !=
			    (uint8_t)strtoul(digits, NULL, 16))
				break;
		}
		found += k == length;
	}
	return found;
}

static void scan_print(const struct run *run)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned found = 0;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		uintptr_t begin, end;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) == 3 &&
		    mode[0] == 'r' && mode[1] == 'w')
			found += region_scan((const uint8_t *)begin, end - begin,
					     run->setting->answers[0].text);
	}
	if (maps)
		(void)fclose(maps);
	(void)fprintf(run->setting->out, "found %u\n", found);
}

static void step_run(pam_handle_t *handle, const struct run *run, const char *step)
{
	static const struct {
		const char *name;
		int (*function)(pam_handle_t *handle, int flags);
		int flags;
	} calls[] = {
		{ "authenticate", pam_authenticate, 0 },
		{ "setcred", pam_setcred, PAM_ESTABLISH_CRED },
		{ "acct_mgmt", pam_acct_mgmt, 0 },
		{ "open_session", pam_open_session, 0 },
		{ "close_session", pam_close_session, 0 },
		{ "chauthtok", pam_chauthtok, 0 },
		{ "chauthtok_expired", pam_chauthtok, PAM_CHANGE_EXPIRED_AUTHTOK },
	};

	for (size_t i = 0; i < array_size(calls); i++)
		if (strcmp(step, calls[i].name) == 0)
			(void)fprintf(
				run->setting->out, "%s%s %d\n", run->prefix, step,
				calls[i].function(handle,
						  calls[i].flags | run->setting->flags));
	if (strcmp(step, "user") == 0)
		user_print(handle, run);
	if (strcmp(step, "scan") == 0)
		scan_print(run);
	if (strcmp(step, "env") == 0)
		env_print(handle, run);
	if (strncmp(step, "putenv:", strlen("putenv:")) == 0)
		(void)pam_putenv(handle, step + strlen("putenv:"));
	if (strcmp(step, "locale") == 0)
		(void)fprintf(run->setting->out, "locale %s %s\n",
			      setlocale(LC_ALL, NULL), nl_langinfo(CODESET));
	if (strcmp(step, "ticket-forged") == 0)
		(void)pam_putenv(handle, "HYGIE_TICKET=forged");
	if (strcmp(step, "session-id") == 0)
		(void)pam_putenv(handle, "XDG_SESSION_ID=c7");
}

/* The steps, with fail_calls.so preloaded and at work until the handle is gone. */
static void steps_failing(pam_handle_t *handle, const struct run *run)
{
	void (*arm)(unsigned at, bool interrupt, const char *secret);
	const char *(*disarm)(unsigned *ret_calls, unsigned *ret_owned, bool *ret_leaked);
	unsigned calls, owned;
	const char *failed;
	bool leaked;

	*(void **)&arm = dlsym(RTLD_DEFAULT, "fail_arm");
	*(void **)&disarm = dlsym(RTLD_DEFAULT, "fail_disarm");
	if (!arm || !disarm)
		return;
	arm(run->setting->fail_at, run->setting->interrupt,
	    run->setting->answers[0].text);
	for (char *const *step = run->steps; *step; step++)
		step_run(handle, run, *step);
	(void)pam_end(handle, PAM_SUCCESS);
	failed = disarm(&calls, &owned, &leaked);
	(void)fprintf(run->setting->out, "calls %u %s\nowned %u\nsecret-freed %d\n",
		      calls, failed ? failed : "none", owned, leaked);
}

static void *run_all(void *context)
{
	struct run *run = context;
	const struct pam_conv conversation = {
		.conv = run->setting->no_conversation ? NULL : converse,
		.appdata_ptr = run,
	};
	const char *user = strcmp(run->user, "-") == 0 ? NULL : run->user;
	pam_handle_t *handle = NULL;
	int code;

	code = pam_start_confdir(run->service, user, &conversation, run->confdir,
				 &handle);
	if (code != PAM_SUCCESS) {
		(void)fprintf(run->setting->out, "start %d\n", code);
		return NULL;
	}
	if (run->setting->tty)
		(void)pam_set_item(handle, PAM_TTY, run->setting->tty);
	if (run->setting->remote_host)
		(void)pam_set_item(handle, PAM_RHOST, run->setting->remote_host);
	if (run->setting->fail) {
		steps_failing(handle, run);
		return NULL;
	}
	for (char *const *step = run->steps; *step; step++)
		step_run(handle, run, *step);
	(void)pam_end(handle, PAM_SUCCESS);
	return NULL;
}

static int run_threads(const struct run *run)
{
	struct run second = *run, first = *run;
	pthread_t threads[2];

	first.prefix = "1: ";
	second.prefix = "2: ";
	if (pthread_create(&threads[0], NULL, run_all, &first) != 0 ||
	    pthread_create(&threads[1], NULL, run_all, &second) != 0)
		return 1;
	(void)pthread_join(threads[0], NULL);
	(void)pthread_join(threads[1], NULL);
	return 0;
}

static int reload(const char *module, unsigned times)
{
	long before = 0;

	for (unsigned i = 0; i < times; i++) {
		void *loaded = dlopen(module, RTLD_NOW | RTLD_LOCAL);

		if (!loaded || !dlsym(loaded, "pam_sm_authenticate") ||
		    dlclose(loaded) != 0)
			return 1;
		if (dlopen(module, RTLD_NOW | RTLD_NOLOAD))
			return 2; /* it stayed */
		if (i == times / 10)
			before = own_pages();
	}
	(void)printf("grown %ld\n", own_pages() - before);
	return 0;
}

static int open_descriptors(unsigned count)
{
	const struct rlimit limit = { .rlim_cur = count + 64, .rlim_max = count + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	for (unsigned i = 0; i < count; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return 1;
	return 0;
}

static void on_alarm(int number)
{
	(void)number;
}

static int start_alarms(void)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval often = { .it_interval = { .tv_usec = 500 },
					 .it_value = { .tv_usec = 500 } };

	return sigaction(SIGALRM, &action, NULL) < 0 ||
	       setitimer(ITIMER_REAL, &often, NULL) < 0;
}

static int close_stdio(struct setting *setting)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);

	setting->out = fd < 0 ? NULL : fdopen(fd, "w");
	setting->closed = true;
	for (int i = 0; i <= STDERR_FILENO; i++)
		(void)close(i);
	return setting->out ? 0 : 1;
}

static void answer_add(struct setting *setting, enum answer_kind kind, const char *text)
{
	if (setting->answer_count == ANSWERS_MAX)
		return;
	setting->answers[setting->answer_count].kind = kind;
	setting->answers[setting->answer_count++].text = text;
}

enum option_value {
	OPTION_ANSWER = 256,
	OPTION_HIDDEN,
	OPTION_NULL,
	OPTION_ERROR,
	OPTION_SAY_FAILS,
	OPTION_NO_CONVERSATION,
	OPTION_SILENT,
	OPTION_TTY,
	OPTION_FIFO,
	OPTION_RHOST,
	OPTION_DESCRIPTORS,
	OPTION_IGNORE_CHILDREN,
	OPTION_CLOSE_STDIO,
	OPTION_THREADS,
	OPTION_ALARMS,
	OPTION_FAIL,
	OPTION_INTERRUPT,
	OPTION_RELOAD,
	OPTION_LOCALE,
};

static const struct option longs[] = {
	{ "answer", required_argument, NULL, OPTION_ANSWER },
	{ "hidden-answer", required_argument, NULL, OPTION_HIDDEN },
	{ "null-answer", no_argument, NULL, OPTION_NULL },
	{ "error-answer", no_argument, NULL, OPTION_ERROR },
	{ "say-fails", no_argument, NULL, OPTION_SAY_FAILS },
	{ "no-conversation", no_argument, NULL, OPTION_NO_CONVERSATION },
	{ "silent", no_argument, NULL, OPTION_SILENT },
	{ "tty", required_argument, NULL, OPTION_TTY },
	{ "fifo", required_argument, NULL, OPTION_FIFO },
	{ "rhost", required_argument, NULL, OPTION_RHOST },
	{ "descriptors", required_argument, NULL, OPTION_DESCRIPTORS },
	{ "ignore-children", no_argument, NULL, OPTION_IGNORE_CHILDREN },
	{ "close-stdio", no_argument, NULL, OPTION_CLOSE_STDIO },
	{ "threads", no_argument, NULL, OPTION_THREADS },
	{ "alarms", no_argument, NULL, OPTION_ALARMS },
	{ "fail", required_argument, NULL, OPTION_FAIL },
	{ "interrupt", no_argument, NULL, OPTION_INTERRUPT },
	{ "reload", required_argument, NULL, OPTION_RELOAD },
	{ "locale", required_argument, NULL, OPTION_LOCALE },
	{ 0 },
};

/* 0, or the exit status with which to stop. */
static int option_take(struct setting *setting, int option, const char *value)
{
	switch (option) {
	case OPTION_ANSWER:
		answer_add(setting, ANSWER_TEXT, value);
		return 0;
	case OPTION_HIDDEN:
		answer_add(setting, ANSWER_HIDDEN, value);
		return 0;
	case OPTION_NULL:
		answer_add(setting, ANSWER_NULL, NULL);
		return 0;
	case OPTION_ERROR:
		answer_add(setting, ANSWER_ERROR, NULL);
		return 0;
	case OPTION_SAY_FAILS:
		setting->say_fails = true;
		return 0;
	case OPTION_NO_CONVERSATION:
		setting->no_conversation = true;
		return 0;
	case OPTION_SILENT:
		setting->flags = (int)PAM_SILENT;
		return 0;
	case OPTION_TTY:
		setting->tty = value;
		return 0;
	case OPTION_FIFO:
		setting->fifo = value;
		return 0;
	case OPTION_RHOST:
		setting->remote_host = value;
		return 0;
	case OPTION_DESCRIPTORS:
		return open_descriptors((unsigned)strtoul(value, NULL, 10));
	case OPTION_IGNORE_CHILDREN:
		return signal(SIGCHLD, SIG_IGN) == SIG_ERR;
	case OPTION_CLOSE_STDIO:
		return close_stdio(setting);
	case OPTION_THREADS:
		setting->threads = true;
		return 0;
	case OPTION_ALARMS:
		return start_alarms();
	case OPTION_LOCALE: /* "" is the environment's */
		return setlocale(LC_ALL, value) ? 0 : 4;
	case OPTION_INTERRUPT:
		setting->interrupt = true;
		return 0;
	case OPTION_FAIL:
		setting->fail = true;
		setting->fail_at = (unsigned)strtoul(value, NULL, 10);
		return 0;
	default:
		return 2;
	}
}

int main(int argc, char *argv[])
{
	struct setting setting = { .out = stdout };
	struct run run = { .setting = &setting, .prefix = "" };
	int option, status;

	while ((option = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (option == OPTION_RELOAD)
			return reload(argv[optind], (unsigned)strtoul(optarg, NULL, 10));
		status = option_take(&setting, option, optarg);
		if (status != 0)
			return status;
	}
	if (argc - optind < 4)
		return 2;
	run.confdir = argv[optind];
	run.service = argv[optind + 1];
	run.user = argv[optind + 2];
	run.steps = argv + optind + 3;
	if (setting.threads)
		status = run_threads(&run);
	else
		status = (run_all(&run), 0);
	return fflush(setting.out) != 0 ? 3 : status;
}
