/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions as logind tells of them; see session.h. Only its files under /run are read:
 * no call to its bus can make hygied wait.
 */
#include "hygied/session.h"

#include "hygied/policy.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <time.h>

#define SEAT "seat0"

/* Takes the session over if it is the user's; frees the name that logind gave. */
static bool take_session(char *name, uid_t uid, char ret_session[HYGIE_SESSION_MAX])
{
	cleanup_free char *owned = name;
	uid_t owner;

	if (!owned || strlen(owned) >= HYGIE_SESSION_MAX ||
	    sd_session_get_uid(owned, &owner) < 0 || owner != uid)
		return false;
	memcpy(ret_session, owned, strlen(owned) + 1);
	return true;
}

static bool find_unlocked(int fd, uid_t uid, char ret_session[HYGIE_SESSION_MAX])
{
	char *name = NULL;

	if (sd_peer_get_session(fd, &name) >= 0 && take_session(name, uid, ret_session))
		return true;
	name = NULL;
	if (sd_uid_get_display(uid, &name) >= 0 && take_session(name, uid, ret_session))
		return true;
	name = NULL;
	return sd_seat_get_active(SEAT, &name, NULL) >= 0 &&
	       take_session(name, uid, ret_session);
}

static int bind(const struct binding *binding, uid_t uid)
{
	struct binding whole = *binding;
	int r;

	whole.uid = uid;
	whole.since = (uint64_t)time(NULL);
	r = binding_write(BINDINGS_FOLDER, &whole);
	if (r < 0)
		log_error("session %s is not bound to its card: %s", whole.session,
			  error_text(-r));
	else
		log_info("session %s of %s is bound to the card in %s", whole.session,
			 whole.user, whole.reader);
	return r;
}

int session_bind_opened(const struct binding *binding)
{
	uid_t uid, owner;
	gid_t gid;

	if (!policy_user_ids(binding->user, &uid, &gid) ||
	    sd_session_get_uid(binding->session, &owner) < 0 || owner != uid)
		return -ENOENT;
	return bind(binding, uid);
}

int session_bind_unlocked(const struct settings *settings, int fd, uid_t peer,
			  const struct binding *binding,
			  char ret_session[HYGIE_SESSION_MAX])
{
	struct binding found = *binding;
	uid_t uid;
	gid_t gid;

	if (!policy_user_ids(binding->user, &uid, &gid) ||
	    (peer != uid &&
	     (peer != 0 || !settings_unlocks(settings, binding->service))) ||
	    !find_unlocked(fd, uid, found.session))
		return -ENOENT;
	memcpy(ret_session, found.session, sizeof(found.session));
	return bind(&found, uid);
}

static void prune(void *context, const struct binding *binding)
{
	uid_t owner;
	int r = sd_session_get_uid(binding->session, &owner);

	(void)context;
	if (r >= 0 && owner == binding->uid)
		return;
	log_info("session %s of %s has ended", binding->session, binding->user);
	(void)binding_remove(BINDINGS_FOLDER, binding->session);
}

void sessions_prune(void)
{
	int r = bindings_each(BINDINGS_FOLDER, prune, NULL);

	if (r < 0)
		log_warning("%s: %s", BINDINGS_FOLDER, error_text(-r));
}
