/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which logind session a login belongs to, and its binding to the card (binding.h):
 *
 *	a session that is opened	the one that PAM names, if it is the user's
 *	one that is unlocked		the peer's own; else the user's display; else the
 *					active one of the first seat, if it is his
 *
 * Other programs that ask for the card (sudo, su within a session) bind nothing.
 */
#pragma once

#include "hygied/binding.h"
#include "libhygie/settings.h"

#define SESSION_SEAT_SIZE 32

/*
 * Binds `binding->session` as its opener says it, to its user; uid and since are filled
 * in here. 0; -ENOENT when logind knows no such session of that user (nothing is bound);
 * negative errno of writing.
 */
int session_bind_opened(struct binding *binding) must_check;

/*
 * A login for which no session is opened, by the connection `fd` of `peer`: binds the
 * session that it unlocked, if it may have been one: the peer is the user himself, or a
 * service in `settings` that unlocks for him. 0, and session, uid and since are filled in;
 * -ENOENT when there is none to bind, negative errno of writing.
 */
int session_bind_unlocked(const struct settings *settings, int fd, uid_t peer,
			  struct binding *binding) must_check;

/*
 * The session of the program at the other end of `fd`, which runs as `uid`: its own, else
 * the user's display, else the active one of the first seat; false when none is the
 * user's.
 */
bool session_of_peer(int fd, uid_t uid, char ret_session[HYGIE_SESSION_MAX]);

/* What a session is, as far as locking it goes. */
struct session_facts {
	bool graphical;               /* a locker can cover it */
	char seat[SESSION_SEAT_SIZE]; /* "" for none */
};

/* 0, or -ENOENT when there is no such session. */
int session_facts(const char *session, struct session_facts *ret_facts) must_check;

/*
 * Whether it is a session of that user's that lasts: not one that logind keeps for what
 * was left behind in it after the logout ("closing").
 */
bool session_lasts(const char *session, uid_t uid) must_check;

/* Takes away the bindings of sessions that have ended. */
void sessions_prune(void);
