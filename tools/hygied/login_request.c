/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a login's (or PIN change's) request says and whether it may; see login_request.h.
 */
#include "hygied/login_request.h"

#include "hygied/policy.h"

#include <errno.h>
#include <string.h>

int login_request_read(struct login *login, const struct wire_message *request)
{
	uint32_t flags = 0;
	int r;

	login->enrolment = wire_message_type(request) == WIRE_REQUEST_ENROL;
	if (wire_message_type(request) == WIRE_REQUEST_PIN_CHANGE)
		login->pin_operation = TOKEN_PIN_CHANGE;
	else if (wire_message_type(request) == WIRE_REQUEST_PIN_UNBLOCK)
		login->pin_operation = TOKEN_PIN_UNBLOCK;
	r = wire_optional(
		wire_get_string(request, TAG_USER, login->user, sizeof(login->user)));
	if (r >= 0)
		r = wire_optional(wire_get_string(request, TAG_SERVICE, login->service,
						  sizeof(login->service)));
	if (r >= 0)
		r = wire_optional(wire_get_string(request, TAG_READER, login->reader,
						  sizeof(login->reader)));
	if (r >= 0)
		r = wire_optional(wire_get_u32(request, TAG_FLAGS, &flags));
	if (r >= 0 && login->enrolment && login->user[0] == '\0')
		r = -EBADMSG;
	login->store_open = wire_message_type(request) == WIRE_REQUEST_STORE_OPEN;
	login->reencrypt = wire_message_type(request) == WIRE_REQUEST_STORE_REENCRYPT;
	login->secret_show = wire_message_type(request) == WIRE_REQUEST_SECRET_SHOW;
	if (r >= 0)
		r = wire_optional(wire_get_string(request, TAG_STORE, login->store,
						  sizeof(login->store)));
	login->reassign = (flags & REQUEST_REASSIGN) != 0;
	login->check = login->pin_operation && (flags & REQUEST_CHECK) != 0;
	return r;
}

/* A name with a typing mistake costs no PIN, and enrols nobody who is not there. */
static enum hygie_outcome admit_enrolment(const struct login *login)
{
	if (!policy_may_administer(peer_uid(login->peer)))
		return HYGIE_NOT_ALLOWED;
	return policy_user_exists(login->user) ? HYGIE_OK : HYGIE_NO_SUCH_USER;
}

/*
 * His own card is anybody's to change the PIN of, and nobody else's but root's: who is
 * believed for others' logins is not for that. Root may name no user: then whatever card
 * is in.
 */
static enum hygie_outcome admit_pin_change(struct login *login)
{
	uid_t peer = peer_uid(login->peer);
	char own[HYGIE_USER_MAX];

	if (policy_may_administer(peer)) {
		login->any_card = login->user[0] == '\0';
		return HYGIE_OK;
	}
	if (!policy_user_name(peer, own, sizeof(own)) ||
	    (login->user[0] && strcmp(login->user, own) != 0))
		return HYGIE_NOT_ALLOWED;
	memcpy(login->user, own, sizeof(own));
	return HYGIE_OK;
}

/* The person himself: neither root, nor who is believed for others' logins. */
static enum hygie_outcome admit_secret(struct login *login)
{
	char own[HYGIE_USER_MAX];

	if (!policy_user_name(peer_uid(login->peer), own, sizeof(own)) ||
	    (login->user[0] && strcmp(login->user, own) != 0))
		return HYGIE_NOT_ALLOWED;
	memcpy(login->user, own, sizeof(own));
	return HYGIE_OK;
}

enum hygie_outcome login_request_admit(struct login *login)
{
	const struct settings *settings = &login->hygied->settings;
	uid_t peer = peer_uid(login->peer);
	enum enrolment_state state;
	enum hygie_outcome outcome;

	if (login->enrolment)
		return admit_enrolment(login);
	if (login->pin_operation) {
		outcome = admit_pin_change(login);
		if (outcome != HYGIE_OK || login->any_card)
			return outcome;
	}
	if (login->secret_show) {
		outcome = admit_secret(login);
		if (outcome != HYGIE_OK)
			return outcome;
	}
	if (login->user[0] == '\0' && peer != 0 &&
	    !policy_user_name(peer, login->user, sizeof(login->user)))
		return HYGIE_NOT_ALLOWED;
	if (login->user[0] == '\0')
		return HYGIE_OK;
	if (!policy_may_authenticate(settings, peer, login->user))
		return HYGIE_NOT_ALLOWED;
	if (registry_user_state(login->hygied->registry, login->user, &state) < 0)
		return HYGIE_BROKEN_SETUP;
	/* Whose cards were all revoked is no stranger whom the password may let in. */
	if (state == ENROLMENT_REVOKED)
		return HYGIE_CARD_REVOKED;
	return state == ENROLMENT_ACTIVE ? HYGIE_OK : HYGIE_USER_UNKNOWN;
}
