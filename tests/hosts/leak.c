/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PAM module with a slip: each refusal leaves 40 bytes and a descriptor. What looks for
 * leaks must find it.
 */
#include <fcntl.h>
#include <security/pam_modules.h>
#include <stdlib.h>

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	volatile char *lost = malloc(40);

	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	if (lost)
		lost[0] = 1;
	(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
	return PAM_AUTH_ERR;
}
