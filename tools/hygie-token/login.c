/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login and operations; see login.h.
 *
 * Nothing is asked of the module between REPORT_READY and C_Login: hygied has reset the
 * card by then, and the module must notice that in C_Login's own transaction, where it
 * selects the card's application anew before VERIFY goes out. A call before C_Login would
 * notice too early, and leave room for another program's select in between.
 */
#include "hygie-token/login.h"

#include "hygie-token/decrypt.h"
#include "hygie-token/derive.h"
#include "hygie-token/key.h"
#include "hygie-token/report.h"
#include "hygie-token/sign.h"

#include "libhygie/deadline.h"

/* Its key, and what an operation came to: a signature, or a secret. */
struct result {
	struct key key;
	bool missing;  /* the key */
	bool left_out; /* on purpose, so that the signature is not put at risk */
	struct signature signature;
	struct secret *plain;
};

enum hygie_outcome login_pin_check(const struct token *token, const struct secret *pin,
				   struct failure *failure)
{
	if (!pin)
		return token->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH
			       ? HYGIE_OK
			       : failure_set(failure, HYGIE_PIN_MALFORMED,
					     "no PIN, and the reader has no pin-pad");
	if (!pin_rule_accepts(&token->pin, pin))
		return failure_set(failure, HYGIE_PIN_MALFORMED,
				   "not sent: the token's PIN has %u to %u bytes",
				   token->pin.min, token->pin.max);
	return HYGIE_OK;
}

/* The token is asked for its flags again: with OpenSC and PIV a VERIFY without PIN. */
enum hygie_outcome login_refused(const struct token *token, CK_RV rv,
				 struct failure *failure)
{
	enum hygie_outcome outcome = failure_pkcs11(failure, "C_Login", rv);

	if (outcome == HYGIE_PIN_WRONG) {
		failure->flags = token_flags_again(token);
		failure->has_flags = true;
	}
	return outcome;
}

CK_RV login_enter(const struct token *token, CK_USER_TYPE user, struct secret *pin)
{
	return token->functions->C_Login(token->session, user,
					 pin ? secret_bytes(pin) : NULL,
					 pin ? secret_size(pin) : 0);
}

static enum hygie_outcome token_login(const struct token *token,
				      struct login_order *order, struct failure *failure)
{
	enum hygie_outcome outcome = login_pin_check(token, order->pin, failure);
	CK_RV rv;

	if (outcome != HYGIE_OK)
		return outcome;
	rv = login_enter(token, CKU_USER, order->pin);
	if (rv == CKR_OK)
		return HYGIE_OK;
	login_order_forget_pin(order);
	return login_refused(token, rv, failure);
}

/*
 * What is decrypted before a signature opens a record store; whether it does is for the
 * login to say, which the signature decides: it goes on with an empty answer.
 */
static bool may_fail(const struct login_order *order, size_t index)
{
	return order->operations[index].operation != TOKEN_SIGN &&
	       order->operations[order->operation_count - 1].operation == TOKEN_SIGN;
}

/* At a pin-pad it would ask the person once more, who cannot know what for. */
static bool asks_again(const struct login_order *order, const struct key *key)
{
	return !order->pin && key->always_authenticate && !order->ask_again;
}

static enum hygie_outcome keys_find(const struct token *token, struct login_order *order,
				    struct result *ret_results, struct failure *failure)
{
	bool needed_again = false;

	for (size_t i = 0; i < order->operation_count; i++) {
		const struct login_operation *operation = &order->operations[i];
		struct result *result = &ret_results[i];
		enum hygie_outcome outcome;

		outcome = key_find(token, operation->object_id, operation->object_id_size,
				   &result->key, failure);
		result->missing = outcome != HYGIE_OK;
		if (result->missing && may_fail(order, i))
			continue;
		if (outcome != HYGIE_OK)
			return outcome;
		result->left_out = may_fail(order, i) && asks_again(order, &result->key);
		needed_again = needed_again || result->key.always_authenticate;
	}
	if (!needed_again)
		login_order_forget_pin(order);
	return HYGIE_OK;
}

static enum hygie_outcome operation_run(const struct token *token, const struct key *key,
					const struct login_operation *operation,
					struct secret *pin, struct result *ret_result,
					struct failure *failure)
{
	switch (operation->operation) {
	case TOKEN_SIGN:
		return key_sign(token, key, operation, pin, &ret_result->signature,
				failure);
	case TOKEN_DECRYPT:
		return key_decrypt(token, key, operation, pin, &ret_result->plain,
				   failure);
	case TOKEN_DERIVE:
		return key_derive(token, key, operation, &ret_result->plain, failure);
	default:
		return failure_set(failure, HYGIE_BAD_REQUEST, "operation %d",
				   (int)operation->operation);
	}
}

/* What the card says of the PIN concerns the person, whatever it was asked for. */
static bool is_of_pin(enum hygie_outcome outcome)
{
	return outcome == HYGIE_PIN_WRONG || outcome == HYGIE_PIN_BLOCKED ||
	       outcome == HYGIE_PIN_MALFORMED || outcome == HYGIE_PIN_NOT_SET ||
	       outcome == HYGIE_PIN_MUST_CHANGE;
}

/* An empty answer where that failed; so it does when the time is the signature's. */
static enum hygie_outcome try_operation(const struct token *token,
					struct login_order *order, size_t index,
					struct result *result, struct failure *failure)
{
	enum hygie_outcome outcome = HYGIE_CARD_BROKEN;

	if (order->begin_by && monotonic_now() >= order->begin_by)
		result->left_out = true;
	if (!result->missing && !result->left_out)
		outcome = operation_run(token, &result->key, &order->operations[index],
					order->pin, result, failure);
	if (outcome == HYGIE_OK)
		return outcome;
	if (is_of_pin(outcome)) {
		failure->flags = token_flags_again(token);
		failure->has_flags = true;
		return outcome;
	}
	secret_free(result->plain);
	return secret_new(0, &result->plain) < 0 ? HYGIE_FAULT : HYGIE_OK;
}

static enum hygie_outcome operations_run(const struct token *token,
					 struct login_order *order,
					 struct result *ret_results,
					 struct failure *failure)
{
	enum hygie_outcome outcome;

	outcome = keys_find(token, order, ret_results, failure);
	for (size_t i = 0; outcome == HYGIE_OK && i < order->operation_count; i++) {
		struct result *result = &ret_results[i];

		if (may_fail(order, i))
			outcome = try_operation(token, order, i, result, failure);
		else
			outcome =
				operation_run(token, &result->key, &order->operations[i],
					      order->pin, result, failure);
	}
	login_order_forget_pin(order);
	return outcome;
}

static enum hygie_outcome done_report(const struct result *results, size_t count,
				      struct failure *failure)
{
	cleanup_message struct wire_message *message = NULL;
	uint32_t left_out = 0;
	int r;

	r = wire_message_new(WIRE_REPORT_DONE, &message);
	if (r < 0)
		return failure_errno(failure, "report", r);
	wire_add_u32(message, TAG_OUTCOME, HYGIE_OK);
	for (size_t i = 0; i < count; i++) {
		const struct signature *signature = &results[i].signature;

		left_out += results[i].left_out;
		if (results[i].plain) {
			wire_add_secret(message, TAG_SECRET, results[i].plain);
			continue;
		}
		wire_add_u32(message, TAG_SIGNATURE_SCHEME, signature->scheme);
		wire_add_bytes(message, TAG_DATA, signature->bytes, signature->size);
	}
	if (left_out > 0)
		wire_add_u32(message, TAG_LEFT_OUT, left_out);
	r = report_send(message);
	return r < 0 ? failure_errno(failure, "report", r) : HYGIE_OK;
}

/*
 * Lets the card go, and by that resets it: OpenSC ends the transaction with a reset
 * (opensc_conf.c), which pcscd makes while it still keeps everybody out. It must not be
 * left to our end: of a client that died, pcscd gives up the lock first and resets
 * afterwards, and a program that sends all the time has the key used in between
 * (measured: in one login of ten). The answer is out already, so nobody waits for this.
 */
void login_leave(const struct token *token)
{
	(void)token->functions->C_Logout(token->session);
}

enum hygie_outcome login_run(const struct token *token, struct login_order *order,
			     struct failure *failure)
{
	struct result results[LOGIN_OPERATIONS_MAX] = { 0 };
	enum hygie_outcome outcome;

	outcome = token_login(token, order, failure);
	if (outcome == HYGIE_OK) {
		outcome = operations_run(token, order, results, failure);
		if (outcome == HYGIE_OK)
			outcome = done_report(results, order->operation_count, failure);
		login_leave(token);
	}
	for (size_t i = 0; i < order->operation_count; i++)
		secret_free(results[i].plain);
	return outcome;
}
