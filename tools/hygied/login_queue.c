/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One list of all logins that wait, kept in their order; see login_queue.h. There are never
 * more than connections, so it is walked.
 */
#include "hygied/login_queue.h"

static bool gives_way(const struct login *login)
{
	return login->enrolment ||
	       settings_gives_way(&login->hygied->settings, login->service);
}

void login_queue_join(struct login *login)
{
	struct login **at = &login->hygied->queue;
	bool yields = gives_way(login);

	while (*at && (yields || !gives_way(*at)))
		at = &(*at)->next_queued;
	login->next_queued = *at;
	*at = login;
}

void login_queue_leave(struct login *login)
{
	struct login **at = &login->hygied->queue;

	while (*at && *at != login)
		at = &(*at)->next_queued;
	if (*at)
		*at = login->next_queued;
	login->next_queued = NULL;
}

struct login *login_queue_next(const struct hygied *hygied, const struct card *card)
{
	struct login *login = hygied->queue;

	while (login && login->card != card)
		login = login->next_queued;
	return login;
}
