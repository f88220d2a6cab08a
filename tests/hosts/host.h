/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of this folder share. Each is a PAM application in one difficult
 * condition. It prints a line for each thing that happens and decides nothing: the test
 * reads the lines.
 */
#pragma once

#include <security/pam_appl.h>

/* One handle and who sits before it. Zeroed but for what is wanted. */
struct host {
	const char *user;   /* "-": none is named */
	const char *answer; /* to every prompt */
	const char *name;   /* before each line that is printed; NULL: nothing */
	/* Called at each prompt, before it is answered; NULL: nothing is done. */
	void (*at_prompt)(void *context);
	void *context;
	int silent; /* not 0: says nothing of the conversation */
	pam_handle_t *handle;
};

/* pam_start; PAM_SUCCESS and host->handle, or the program ends. */
void host_start(struct host *host, const char *service);

/*
 * Calls pam_NAME ("authenticate", "setcred", "acct_mgmt", "open_session",
 * "close_session"), prints "NAME CODE" and returns the code.
 */
int host_step(struct host *host, const char *name);

/* The same without the line. */
int host_call(struct host *host, const char *name);

/* Prints "ticket yes" or "ticket no": whether HYGIE_TICKET is in the PAM environment. */
void host_ticket(struct host *host);

/* pam_end. */
void host_end(struct host *host);

/* Says what failed, with errno, on standard output, and ends the program. */
_Noreturn void host_fail(const char *what);
