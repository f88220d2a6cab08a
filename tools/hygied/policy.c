/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which peer may ask what; see policy.h.
 */
#include "hygied/policy.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSS_BUFFER_SIZE 16384
#define GROUPS_MAX 1024

bool policy_may_administer(uid_t peer)
{
	return peer == 0;
}

bool policy_user_name(uid_t uid, char *ret_name, size_t size)
{
	char buffer[NSS_BUFFER_SIZE];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	if (strlen(found->pw_name) >= size)
		return false;
	memcpy(ret_name, found->pw_name, strlen(found->pw_name) + 1);
	return true;
}

static bool user_entry(const char *user, char *buffer, size_t size,
		       struct passwd *ret_entry)
{
	struct passwd *found = NULL;

	return getpwnam_r(user, ret_entry, buffer, size, &found) == 0 && found;
}

bool policy_user_exists(const char *user)
{
	char buffer[NSS_BUFFER_SIZE];
	struct passwd entry;

	return user_entry(user, buffer, sizeof(buffer), &entry);
}

bool policy_user_ids(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	char buffer[NSS_BUFFER_SIZE];
	struct passwd entry;

	if (!user_entry(user, buffer, sizeof(buffer), &entry))
		return false;
	*ret_uid = entry.pw_uid;
	*ret_gid = entry.pw_gid;
	return true;
}

static bool is_member(const struct passwd *user, const char *group)
{
	char buffer[NSS_BUFFER_SIZE];
	struct group entry, *found = NULL;
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;

	if (getgrnam_r(group, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == found->gr_gid)
			return true;
	return false;
}

bool policy_is_member(const char *user, const char *group)
{
	char buffer[NSS_BUFFER_SIZE];
	struct passwd entry;

	return user_entry(user, buffer, sizeof(buffer), &entry) &&
	       is_member(&entry, group);
}

/* A service's account speaks for the members of the group that [peers] names. */
static bool service_may_authenticate(const struct settings *settings, const char *service,
				     const char *user)
{
	const char *group = settings_peer_group(settings, service);
	char buffer[NSS_BUFFER_SIZE];
	struct passwd entry;

	return group && user_entry(user, buffer, sizeof(buffer), &entry) &&
	       entry.pw_uid != 0 && is_member(&entry, group);
}

/*
 * The peer's own name is looked up, never the one that it says: a local user cannot have
 * the daemon ask a directory for any name he likes.
 */
bool policy_may_authenticate(const struct settings *settings, uid_t peer,
			     const char *user)
{
	char own[256];

	if (peer == 0)
		return true;
	if (!policy_user_name(peer, own, sizeof(own)))
		return false;
	return strcmp(own, user) == 0 || service_may_authenticate(settings, own, user);
}
