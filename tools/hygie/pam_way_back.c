/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads passwd, group and shadow; see pam_way_back.h. A second card is no way back: it,
 * too, needs hygied.
 */
#include "pam_way_back.h"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400

/* Whether a password is set, not locked, and the account has not ended. */
static bool user_has_password(const char *user)
{
	const struct spwd *shadow = getspnam(user);

	if (!shadow || !shadow->sp_pwdp || strlen(shadow->sp_pwdp) < 3 ||
	    strchr("!*", shadow->sp_pwdp[0]))
		return false;
	return shadow->sp_expire < 0 || shadow->sp_expire > time(NULL) / DAY;
}

static void member_note(struct pam_way_back *way, const char *user)
{
	if (way->member[0] != '\0')
		return;
	if (user_has_password(user))
		(void)snprintf(way->member, sizeof(way->member), "%s", user);
	else
		way->passwordless = true;
}

static void group_search(struct pam_way_back *way)
{
	const struct group *group = getgrnam(PAM_EXEMPT_GROUP);
	const struct passwd *user;
	gid_t gid;

	if (!group)
		return;
	way->group = true;
	gid = group->gr_gid;
	for (char **member = group->gr_mem; *member; member++)
		member_note(way, *member);
	setpwent();
	while (way->member[0] == '\0' && (user = getpwent()) != NULL)
		if (user->pw_gid == gid)
			member_note(way, user->pw_name);
	endpwent();
}

void pam_way_back_find(struct pam_way_back *ret_way)
{
	*ret_way = (struct pam_way_back){ .known = geteuid() == 0 };
	if (!ret_way->known)
		return;
	ret_way->root = user_has_password("root");
	group_search(ret_way);
}

bool pam_way_back_exists(const struct pam_way_back *way)
{
	return way->root || way->member[0] != '\0';
}

const char *pam_way_back_advice(const struct pam_way_back *way)
{
	if (way->passwordless)
		return "nobody could log in without a card: root has no password, nor has "
		       "any member of the group " PAM_EXEMPT_GROUP
		       ". Give a member one (passwd USER)";
	if (way->group)
		return "nobody could log in without a card: root has no password, and the "
		       "group " PAM_EXEMPT_GROUP
		       " has no member. Add an administrator who has one (adduser USER " PAM_EXEMPT_GROUP
		       ")";
	return "nobody could log in without a card: root has no password, and there is no "
	       "group " PAM_EXEMPT_GROUP ". Make it (systemd-sysusers) and add an "
	       "administrator who has a password (adduser USER " PAM_EXEMPT_GROUP ")";
}
