/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which peer may ask what. Decided by the peer's uid alone, as the kernel gives it; a pid
 * or a program's path is never a right.
 */
#pragma once

#include "libhygie/settings.h"

#include <stdbool.h>
#include <sys/types.h>

/* Root alone enrols, revokes, and sees everybody's cards. */
bool policy_may_administer(uid_t peer);

/*
 * Whether `peer` may authenticate `user`: root anybody, everybody himself, a service's
 * account named in [peers] the members of its group.
 */
bool policy_may_authenticate(const struct settings *settings, uid_t peer,
			     const char *user);

/* The login name of a uid, into `ret_name`; false when it has none. */
bool policy_user_name(uid_t uid, char *ret_name, size_t size);

/* Whether the system knows a user of that name. */
bool policy_user_exists(const char *user);

/* The ids of a user by name; false when there is none. */
bool policy_user_ids(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/* Whether a user is in a group, also by his first group. */
bool policy_is_member(const char *user, const char *group);
