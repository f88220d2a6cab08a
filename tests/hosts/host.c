/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PAM application in parts; see host.h.
 */
#include "hosts/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define array_size(array) (sizeof(array) / sizeof((array)[0]))

_Noreturn void host_fail(const char *what)
{
	(void)printf("failed %s %s\n", what, strerrorname_np(errno));
	(void)fflush(stdout);
	_exit(3);
}

static const char *prefix(const struct host *host)
{
	return host->name ? host->name : "";
}

static const char *style_name(int style)
{
	switch (style) {
	case PAM_PROMPT_ECHO_OFF:
		return "hidden";
	case PAM_PROMPT_ECHO_ON:
		return "shown";
	default:
		return style == PAM_ERROR_MSG ? "error" : "info";
	}
}

static int converse(int count, const struct pam_message **messages,
		    struct pam_response **ret_responses, void *context)
{
	struct host *host = context;
	const int style = messages[0]->msg_style;
	struct pam_response *response = calloc((size_t)count, sizeof(*response));

	if (!response)
		return PAM_BUF_ERR;
	if (!host->silent)
		(void)printf("%ssay %s %s\n", prefix(host), style_name(style),
			     messages[0]->msg);
	if (style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON) {
		if (host->at_prompt)
			host->at_prompt(host->context);
		response->resp = strdup(host->answer);
	}
	*ret_responses = response;
	return PAM_SUCCESS;
}

void host_start(struct host *host, const char *service)
{
	const struct pam_conv conversation = { .conv = converse, .appdata_ptr = host };
	const char *user = strcmp(host->user, "-") == 0 ? NULL : host->user;

	if (pam_start(service, user, &conversation, &host->handle) != PAM_SUCCESS)
		host_fail("pam_start");
}

int host_call(struct host *host, const char *name)
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
	};

	for (size_t i = 0; i < array_size(calls); i++)
		if (strcmp(name, calls[i].name) == 0)
			return calls[i].function(host->handle, calls[i].flags);
	errno = EINVAL;
	host_fail(name);
}

int host_step(struct host *host, const char *name)
{
	int code = host_call(host, name);

	(void)printf("%s%s %d\n", prefix(host), name, code);
	return code;
}

void host_ticket(struct host *host)
{
	(void)printf("%sticket %s\n", prefix(host),
		     pam_getenv(host->handle, "HYGIE_TICKET") ? "yes" : "no");
}

void host_end(struct host *host)
{
	(void)pam_end(host->handle, PAM_SUCCESS);
	host->handle = NULL;
}
