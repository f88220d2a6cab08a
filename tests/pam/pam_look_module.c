/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PAM module for tests that stands beside pam_hygie in a stack and looks at what it
 * left: authenticate puts LOOK_AUTHTOK=unset, empty or the text itself into the PAM
 * environment. With the argument set=TEXT it sets PAM_AUTHTOK instead, as an earlier
 * module might. chauthtok notes PAM_AUTHTOK and PAM_OLDAUTHTOK, each time it is called, and
 * succeeds.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>

/* Puts NAME=unset, empty or the text into the environment. */
static int note(pam_handle_t *handle, int item, const char *name)
{
	const void *token = NULL;
	char line[256];

	if (pam_get_item(handle, item, &token) != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	(void)snprintf(line, sizeof(line), "%s=%s", name,
		       !token                             ? "unset"
		       : ((const char *)token)[0] == '\0' ? "empty"
							  : (const char *)token);
	return pam_putenv(handle, line);
}

int pam_sm_authenticate(pam_handle_t *handle, int flags, int argc, const char *argv[])
{
	(void)flags;
	if (argc > 0 && strncmp(argv[0], "set=", 4) == 0)
		return pam_set_item(handle, PAM_AUTHTOK, argv[0] + 4) == PAM_SUCCESS
			       ? PAM_IGNORE
			       : PAM_SYSTEM_ERR;
	return note(handle, PAM_AUTHTOK, "LOOK_AUTHTOK") == PAM_SUCCESS ? PAM_IGNORE
									: PAM_SYSTEM_ERR;
}

int pam_sm_chauthtok(pam_handle_t *handle, int flags, int argc, const char *argv[])
{
	(void)flags;
	(void)argc;
	(void)argv;
	if (note(handle, PAM_AUTHTOK, "LOOK_AUTHTOK") != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	return note(handle, PAM_OLDAUTHTOK, "LOOK_OLDAUTHTOK");
}

int pam_sm_setcred(pam_handle_t *handle, int flags, int argc, const char *argv[])
{
	(void)handle;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_IGNORE;
}
