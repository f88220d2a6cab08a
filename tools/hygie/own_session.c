/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding one's own session; see own_session.h.
 */
#include "own_session.h"

#include "libhygie/attributes.h"

#include <string.h>
#include <systemd/sd-login.h>

/* Takes it if it is this user's; frees the name. */
static bool take(char *name, char ret_session[HYGIE_SESSION_MAX])
{
	cleanup_free char *owned = name;
	uid_t owner;

	if (!owned || strlen(owned) >= HYGIE_SESSION_MAX ||
	    sd_session_get_uid(owned, &owner) < 0 || owner != getuid())
		return false;
	memcpy(ret_session, owned, strlen(owned) + 1);
	return true;
}

bool own_session(char ret_session[HYGIE_SESSION_MAX])
{
	const char *said = getenv("XDG_SESSION_ID");
	char *name = NULL;

	if (sd_pid_get_session(0, &name) >= 0 && take(name, ret_session))
		return true;
	if (said && take(strdup(said), ret_session))
		return true;
	name = NULL;
	return sd_uid_get_display(getuid(), &name) >= 0 && take(name, ret_session);
}
