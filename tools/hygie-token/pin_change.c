/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing and unblocking; see pin_change.h.
 *
 * OpenSC 0.23 changes a PIN only after C_Login: VERIFY and CHANGE REFERENCE DATA in one
 * transaction, in which it selects the application anew first. Without a login its
 * C_SetPIN takes the PUK for the old PIN (user_pin_unblock_style in opensc_conf.c) and
 * sends RESET RETRY COUNTER, in a transaction of the same kind. Others unblock as PKCS#11
 * has it: the PUK is the security officer's PIN, and C_InitPIN sets the user's; but not
 * all: ykcs11 spends a try of the PIN on an officer's login. So the order says how.
 * As for a login, nothing is asked of the module before (see login.c).
 */
#include "hygie-token/pin_change.h"

#include "hygie-token/login.h"
#include "hygie-token/report.h"

/* What the new PIN came to, where it was the token's to judge. */
static enum hygie_outcome outcome_of_new(CK_RV rv)
{
	switch (rv) {
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_ARGUMENTS_BAD:
	case CKR_DATA_INVALID:
	case CKR_DATA_LEN_RANGE:
	case CKR_FUNCTION_REJECTED:
	case CKR_USER_NOT_LOGGED_IN: /* OpenSC's word for 6985 and 6982 */
		return HYGIE_PIN_NEW_REFUSED;
	case CKR_FUNCTION_NOT_SUPPORTED:
	case CKR_SESSION_READ_ONLY:
	case CKR_TOKEN_WRITE_PROTECTED:
		return HYGIE_PIN_FIXED;
	default:
		return outcome_of_rv(rv);
	}
}

static enum hygie_outcome new_refused(const char *function, CK_RV rv,
				      struct failure *failure)
{
	return failure_set(failure, outcome_of_new(rv), "%s: %s (0x%lx)", function,
			   rv_name(rv), rv);
}

static enum hygie_outcome puk_refused(const char *function, CK_RV rv,
				      struct failure *failure)
{
	enum hygie_outcome outcome = outcome_of_new(rv);

	if (rv == CKR_PIN_INCORRECT)
		outcome = HYGIE_PUK_WRONG;
	else if (rv == CKR_PIN_LOCKED)
		outcome = HYGIE_PUK_BLOCKED;
	return failure_set(failure, outcome, "%s: %s (0x%lx)", function, rv_name(rv), rv);
}

static CK_RV set_pin(const struct token *token, const struct pin_order *order)
{
	if (!token->functions->C_SetPIN)
		return CKR_FUNCTION_NOT_SUPPORTED;
	return token->functions->C_SetPIN(token->session,
					  order->old ? secret_bytes(order->old) : NULL,
					  order->old ? secret_size(order->old) : 0,
					  order->new ? secret_bytes(order->new) : NULL,
					  order->new ? secret_size(order->new) : 0);
}

static enum hygie_outcome done_report(struct failure *failure)
{
	cleanup_message struct wire_message *message = NULL;
	int r;

	r = wire_message_new(WIRE_REPORT_DONE, &message);
	if (r < 0)
		return failure_errno(failure, "report", r);
	wire_add_u32(message, TAG_OUTCOME, HYGIE_OK);
	r = report_send(message);
	return r < 0 ? failure_errno(failure, "report", r) : HYGIE_OK;
}

static enum hygie_outcome change(const struct token *token, struct pin_order *order,
				 struct failure *failure)
{
	enum hygie_outcome outcome = HYGIE_OK;
	CK_RV rv;

	/* At a pin-pad C_SetPIN asks for the old PIN too; OpenSC wants the login first. */
	if (order->old || token->is_opensc) {
		rv = login_enter(token, CKU_USER, order->old);
		/* Expired: right, and good for nothing but this. */
		if (rv != CKR_OK && rv != CKR_PIN_EXPIRED)
			return login_refused(token, rv, failure);
	}
	rv = set_pin(token, order);
	pin_order_end(order);
	if (rv != CKR_OK)
		outcome = new_refused("C_SetPIN", rv, failure);
	else
		outcome = done_report(failure);
	login_leave(token);
	return outcome;
}

static enum hygie_outcome unblock_by_set_pin(const struct token *token,
					     struct pin_order *order,
					     struct failure *failure)
{
	CK_RV rv = set_pin(token, order);

	pin_order_end(order);
	return rv == CKR_OK ? done_report(failure) : puk_refused("C_SetPIN", rv, failure);
}

/* Puts four characters before a secret, which is replaced. */
static int prefix_add(const char prefix[4], struct secret **secret)
{
	cleanup_secret struct secret *whole = NULL;
	int r;

	r = secret_new(4 + secret_size(*secret), &whole);
	if (r >= 0)
		r = secret_append(whole, prefix, 4);
	if (r >= 0)
		r = secret_append(whole, secret_bytes(*secret), secret_size(*secret));
	if (r < 0)
		return r;
	secret_free(*secret);
	*secret = whole;
	whole = NULL;
	return 0;
}

/* ykcs11 2.2: with "puk:" alone its C_SetPIN would change the PUK into the new PIN. */
static enum hygie_outcome unblock_by_prefix(const struct token *token,
					    struct pin_order *order,
					    struct failure *failure)
{
	int r;

	if (!order->old)
		return failure_set(failure, HYGIE_PIN_FIXED, "no PUK at a pin-pad");
	r = prefix_add("puk:", &order->old);
	if (r >= 0)
		r = prefix_add("pin:", &order->new);
	return r < 0 ? failure_errno(failure, "PUK", r)
		     : unblock_by_set_pin(token, order, failure);
}

static enum hygie_outcome unblock_as_officer(const struct token *token,
					     struct pin_order *order,
					     struct failure *failure)
{
	enum hygie_outcome outcome;
	CK_RV rv;

	if (!token->functions->C_InitPIN)
		return new_refused("C_InitPIN", CKR_FUNCTION_NOT_SUPPORTED, failure);
	rv = login_enter(token, CKU_SO, order->old);
	if (rv != CKR_OK)
		return puk_refused("C_Login as security officer", rv, failure);
	rv = token->functions->C_InitPIN(token->session,
					 order->new ? secret_bytes(order->new) : NULL,
					 order->new ? secret_size(order->new) : 0);
	pin_order_end(order);
	outcome = rv == CKR_OK ? done_report(failure)
			       : new_refused("C_InitPIN", rv, failure);
	login_leave(token);
	return outcome;
}

/* A PUK's form is hygied's to know; what can be none at all stays here. */
static enum hygie_outcome secrets_check(const struct token *token,
					const struct pin_order *order,
					struct failure *failure)
{
	static const struct pin_rule any = { 1, HYGIE_PIN_MAX, PIN_ANY };

	if (order->operation == TOKEN_PIN_UNBLOCK && order->old &&
	    !pin_rule_accepts(&any, order->old))
		return failure_set(failure, HYGIE_PUK_MALFORMED, "not sent: no PUK");
	if (order->operation == TOKEN_PIN_CHANGE || !order->old) {
		enum hygie_outcome outcome = login_pin_check(token, order->old, failure);

		if (outcome != HYGIE_OK)
			return outcome;
	}
	if (order->new && !pin_rule_accepts(&token->pin, order->new))
		return failure_set(failure, HYGIE_PIN_NEW_UNFIT,
				   "not sent: the token's PIN has %u to %u bytes",
				   token->pin.min, token->pin.max);
	return HYGIE_OK;
}

enum hygie_outcome pin_change_run(const struct token *token, struct pin_order *order,
				  struct failure *failure)
{
	enum hygie_outcome outcome = secrets_check(token, order, failure);

	if (outcome != HYGIE_OK)
		return outcome;
	if (order->operation == TOKEN_PIN_CHANGE)
		return change(token, order, failure);
	switch (order->way) {
	case UNBLOCK_BY_SET_PIN:
		return unblock_by_set_pin(token, order, failure);
	case UNBLOCK_BY_PREFIX:
		return unblock_by_prefix(token, order, failure);
	default:
		return unblock_as_officer(token, order, failure);
	}
}
