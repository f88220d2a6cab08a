/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reencryption by a holder's card, until the store is open; see login_reencrypt.h.
 */
#include "hygied/login_reencrypt.h"

#include "hygied/store_admin.h"
#include "hygied/store_grantor.h"
#include "hygied/store_reencrypt.h"

#include <errno.h>

enum hygie_outcome login_reencrypt_plan(struct login *login, const char **ret_text)
{
	store_grantor_free(login->grantor);
	login->grantor = NULL;
	return store_grantor_new(login->card, login->user, login->store, &login->grantor,
				 ret_text);
}

void login_reencrypt_take(struct login *login)
{
	cleanup_unlocked struct store_unlocked unlocked = { .store = NULL };
	struct file_error error = { "" };
	enum hygie_outcome outcome;
	const char *text;

	if (!store_admin_is_free(login->hygied, login->peer, STORE_REENCRYPT_EVENT,
				 login->store))
		return;
	outcome =
		store_grantor_take(login->grantor, login->card, &unlocked, &text, &error);
	login->card = NULL; /* nobody tells this dialogue of it any more */
	if (outcome == HYGIE_OK) {
		store_reencrypt_unlocked(login->hygied, login->peer, login->user,
					 &unlocked);
	} else if (outcome == HYGIE_BROKEN_SETUP) {
		store_admin_fail(login->peer, STORE_REENCRYPT_EVENT, login->store, -EIO,
				 &error);
	} else {
		store_admin_audit(login->peer, STORE_REENCRYPT_EVENT, outcome,
				  login->store, login->user);
		peer_finish(login->peer, outcome, text);
	}
}
