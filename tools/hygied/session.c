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

bool session_of_peer(int fd, uid_t uid, char ret_session[HYGIE_SESSION_MAX])
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

static int bind(struct binding *binding, uid_t uid)
{
	int r;

	binding->uid = uid;
	binding->since = (uint64_t)time(NULL);
	r = binding_write(BINDINGS_FOLDER, binding);
	if (r < 0)
		log_error("session %s is not bound to its card: %s", binding->session,
			  error_text(-r));
	else
		log_info("session %s of %s is bound to the card in %s", binding->session,
			 binding->user, binding->reader);
	return r;
}

int session_bind_opened(struct binding *binding)
{
	uid_t uid, owner;
	gid_t gid;

	if (!policy_user_ids(binding->user, &uid, &gid) ||
	    sd_session_get_uid(binding->session, &owner) < 0 || owner != uid)
		return -ENOENT;
	return bind(binding, uid);
}

int session_bind_unlocked(const struct settings *settings, int fd, uid_t peer,
			  struct binding *binding)
{
	uid_t uid;
	gid_t gid;

	if (!policy_user_ids(binding->user, &uid, &gid) ||
	    (peer != uid &&
	     (peer != 0 || !settings_unlocks(settings, binding->service))) ||
	    !session_of_peer(fd, uid, binding->session))
		return -ENOENT;
	return bind(binding, uid);
}

int session_facts(const char *session, struct session_facts *ret_facts)
{
	static const char *const graphical[] = { "x11", "wayland", "mir" };
	struct session_facts facts = { .seat = "" };
	cleanup_free char *type = NULL;
	cleanup_free char *seat = NULL;

	if (sd_session_get_type(session, &type) < 0)
		return -ENOENT;
	for (size_t i = 0; i < array_size(graphical); i++)
		facts.graphical = facts.graphical || strcmp(type, graphical[i]) == 0;
	if (sd_session_get_seat(session, &seat) >= 0 && strlen(seat) < sizeof(facts.seat))
		memcpy(facts.seat, seat, strlen(seat) + 1);
	*ret_facts = facts;
	return 0;
}

bool session_lasts(const char *session, uid_t uid)
{
	cleanup_free char *state = NULL;
	uid_t owner;

	return sd_session_get_uid(session, &owner) >= 0 && owner == uid &&
	       (sd_session_get_state(session, &state) < 0 ||
		strcmp(state, "closing") != 0);
}

static void prune(void *context, const struct binding *binding)
{
	(void)context;
	if (session_lasts(binding->session, binding->uid))
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
