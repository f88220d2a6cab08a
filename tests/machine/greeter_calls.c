/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the calls of PAM that a graphical greeter makes, in its order, and speaks on standard
 * input and output: a contract, not the greeter.
 *
 *	greeter_calls gdm-login SERVICE -|USER    gdm's worker, for a new session
 *	greeter_calls gdm-unlock SERVICE USER     gdm's worker, for a session that is locked
 *	greeter_calls kde SERVICE USER            Plasma's locker, where somebody types
 *	greeter_calls kde-aside SERVICE USER      the same for a card or a finger: its prompts
 *	                                          are shown to nobody and wait to be cancelled
 *
 * Prompts are printed as they come, a line is the answer; end of file cancels. Each call is
 * printed as "CALL CODE", a success in the end as "open-for-USER".
 */
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 512

struct greeter {
	const char *name;
	bool unlocks;   /* no account's word counts, no session is opened */
	bool is_worker; /* gdm's, which runs as root */
	bool aside;
};

static const struct greeter greeters[] = {
	{ "gdm-login", false, true, false },
	{ "gdm-unlock", true, true, false },
	{ "kde", true, false, false },
	{ "kde-aside", true, false, true },
};

static int read_answer(char **ret_answer)
{
	char line[LINE_MAX_SIZE];

	if (!fgets(line, sizeof(line), stdin))
		return PAM_CONV_ERR;
	line[strcspn(line, "\r\n")] = '\0';
	*ret_answer = strdup(line);
	explicit_bzero(line, sizeof(line));
	return *ret_answer ? PAM_SUCCESS : PAM_BUF_ERR;
}

/* Nobody answers: until the greeter cancels, by ending standard input. */
static int wait_cancelled(void)
{
	puts("a prompt that nobody sees");
	while (getchar() != EOF)
		;
	return PAM_CONV_ERR;
}

static int converse_one(const struct greeter *greeter, const struct pam_message *message,
			struct pam_response *response)
{
	switch (message->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
	case PAM_PROMPT_ECHO_ON:
		if (greeter->aside)
			return wait_cancelled();
		fputs(message->msg, stdout);
		return read_answer(&response->resp);
	case PAM_TEXT_INFO:
		printf("info: %s\n", message->msg);
		return PAM_SUCCESS;
	default:
		printf("error: %s\n", message->msg);
		return PAM_SUCCESS;
	}
}

static int converse(int count, const struct pam_message **messages,
		    struct pam_response **ret_responses, void *userdata)
{
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));
	int code = responses ? PAM_SUCCESS : PAM_BUF_ERR;

	for (int i = 0; i < count && code == PAM_SUCCESS; i++)
		code = converse_one(userdata, messages[i], &responses[i]);
	if (code == PAM_SUCCESS) {
		*ret_responses = responses;
		return code;
	}
	for (int i = 0; responses && i < count; i++)
		free(responses[i].resp);
	free(responses);
	return code;
}

static int told(const char *call, int code)
{
	printf("%s %d\n", call, code);
	return code;
}

/* What gdm's worker says of the display before it asks. */
static void introduce(pam_handle_t *handle, const char *user)
{
	if (!user)
		(void)pam_set_item(handle, PAM_USER_PROMPT, "Username:");
	(void)pam_set_item(handle, PAM_TTY, "/dev/tty1");
	(void)pam_set_item(handle, PAM_XDISPLAY, ":0");
	(void)pam_putenv(handle, "XDG_SEAT=seat0");
}

static int admit(pam_handle_t *handle, const struct greeter *greeter)
{
	int code = told("authenticate", pam_authenticate(handle, 0));

	if (code == PAM_SUCCESS && greeter->is_worker) {
		code = told("acct_mgmt", pam_acct_mgmt(handle, 0));
		if (greeter->unlocks)
			code = PAM_SUCCESS;
	}
	if (code == PAM_SUCCESS) {
		int flag = !greeter->unlocks    ? PAM_ESTABLISH_CRED
			   : greeter->is_worker ? PAM_REINITIALIZE_CRED
						: PAM_REFRESH_CRED;

		code = told("setcred", pam_setcred(handle, flag));
		if (!greeter->is_worker)
			code = PAM_SUCCESS;
	}
	if (code == PAM_SUCCESS && !greeter->unlocks)
		code = told("open_session", pam_open_session(handle, 0));
	return code;
}

static int run(const struct greeter *greeter, const char *service, const char *user)
{
	const struct pam_conv conversation = { converse, (void *)(uintptr_t)greeter };
	pam_handle_t *handle = NULL;
	const void *name = NULL;
	int code = pam_start(service, user, &conversation, &handle);

	if (code != PAM_SUCCESS)
		return told("start", code);
	if (greeter->is_worker)
		introduce(handle, user);
	code = admit(handle, greeter);
	if (code == PAM_SUCCESS && pam_get_item(handle, PAM_USER, &name) == PAM_SUCCESS &&
	    name)
		printf("open-for-%s\n", (const char *)name);
	if (code == PAM_SUCCESS && !greeter->unlocks)
		(void)told("close_session", pam_close_session(handle, 0));
	(void)pam_end(handle, code);
	return code;
}

int main(int argc, char *argv[])
{
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; argc == 4 && i < sizeof(greeters) / sizeof(greeters[0]); i++)
		if (strcmp(argv[1], greeters[i].name) == 0)
			return run(&greeters[i], argv[2],
				   strcmp(argv[3], "-") == 0 ? NULL : argv[3]);
	return 2;
}
