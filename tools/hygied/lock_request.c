/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locking by request; see lock_request.h.
 */
#include "hygied/lock_request.h"

#include "hygied/guard.h"
#include "hygied/policy.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-login.h>

struct wanted {
	bool all;
	uid_t uid;
};

static bool is_wanted(const struct wanted *wanted, const char *session)
{
	cleanup_free char *class = NULL;
	uid_t uid;

	return strlen(session) < HYGIE_SESSION_MAX &&
	       sd_session_get_uid(session, &uid) >= 0 &&
	       sd_session_get_class(session, &class) >= 0 && strcmp(class, "user") == 0 &&
	       (wanted->all || uid == wanted->uid);
}

/* How many were told to lock. */
static size_t lock_all(struct hygied *hygied, const struct wanted *wanted)
{
	char **sessions = NULL;
	size_t locked = 0;
	int count = sd_get_sessions(&sessions);

	for (int i = 0; i < count; i++) {
		if (is_wanted(wanted, sessions[i]) &&
		    guard_lock(hygied->guard, sessions[i]))
			locked++;
		free(sessions[i]);
	}
	free(sessions);
	return locked;
}

static void audit(const struct peer *peer, const char *user, enum hygie_outcome outcome,
		  size_t locked)
{
	char uid[16], count[24];

	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	(void)snprintf(count, sizeof(count), "%zu", locked);
	log_audit("lock-request", outcome,
		  (const struct log_field[]){
			  { "HYGIE_USER", user[0] ? user : NULL },
			  { "HYGIE_SESSIONS", count },
			  { "HYGIE_PEER_UID", uid },
		  },
		  3);
}

/* Whose sessions, and whether the peer may lock them. */
static enum hygie_outcome read_wanted(const struct peer *peer,
				      const struct wire_message *request,
				      char user[HYGIE_USER_MAX],
				      struct wanted *ret_wanted)
{
	bool root = policy_may_administer(peer_uid(peer));
	uint32_t flags = 0;
	gid_t gid;
	int r;

	(void)!wire_get_u32(request, TAG_FLAGS, &flags);
	*ret_wanted =
		(struct wanted){ .all = flags & REQUEST_ALL, .uid = peer_uid(peer) };
	r = wire_get_string(request, TAG_USER, user, HYGIE_USER_MAX);
	if (r < 0 && r != -ENOENT)
		return HYGIE_BAD_REQUEST;
	if (user[0] && !policy_user_ids(user, &ret_wanted->uid, &gid))
		return root ? HYGIE_NOT_FOUND : HYGIE_NOT_ALLOWED;
	return root || (!ret_wanted->all && ret_wanted->uid == peer_uid(peer))
		       ? HYGIE_OK
		       : HYGIE_NOT_ALLOWED;
}

void request_lock(struct hygied *hygied, struct peer *peer,
		  const struct wire_message *request)
{
	char user[HYGIE_USER_MAX] = "", number[24];
	const char *const arguments[] = { number };
	struct wanted wanted;
	enum hygie_outcome outcome = read_wanted(peer, request, user, &wanted);
	size_t locked = 0;

	if (outcome == HYGIE_OK)
		locked = lock_all(hygied, &wanted);
	audit(peer, user, outcome, locked);
	(void)snprintf(number, sizeof(number), "%zu", locked);
	if (outcome != HYGIE_OK)
		peer_finish(peer, outcome, NULL);
	else if (locked == 0)
		peer_finish(peer, HYGIE_NOT_FOUND,
			    N_("There is no session that could be locked."));
	else if (locked == 1)
		peer_finish(peer, HYGIE_OK, N_("The session was told to lock."));
	else
		peer_finish_text(peer, HYGIE_OK, TEXT_SESSIONS_LOCKED, arguments, 1);
}
