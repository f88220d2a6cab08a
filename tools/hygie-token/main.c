/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie-token: one process for one card and one use of its PIN. hygied starts it as root with a
 * SEQPACKET socket on descriptor 3; it takes its orders there, shuts itself in, and only
 * then loads the PKCS#11 module, whose code is not trusted. It decides nothing: it
 * returns certificates, signatures and decrypted keys, which hygied checks.
 */
#include "hygie-token/certificates.h"
#include "hygie-token/filter.h"
#include "hygie-token/login.h"
#include "hygie-token/module.h"
#include "hygie-token/pin_change.h"
#include "hygie-token/privilege.h"
#include "hygie-token/process.h"
#include "hygie-token/report.h"
#include "hygie-token/root.h"
#include "hygie-token/sign.h"
#include "libhygie/error_text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Waits for the next order. hygied gone is the ordinary end of a warm helper. */
static int order_wait(enum protocol_state state, struct wire_message **ret_message)
{
	cleanup_message struct wire_message *message = NULL;
	struct pollfd order = { .fd = TOKEN_SOCKET, .events = POLLIN };
	int r;

	while ((r = wire_receive(TOKEN_SOCKET, &message)) == -EAGAIN)
		if (poll(&order, 1, -1) < 0 && errno != EINTR)
			return -errno;
	if (r == -ECONNRESET)
		helper_exit(0);
	if (r < 0)
		return r;
	if (!protocol_allows(state, wire_message_type(message)))
		return -EBADMSG;
	*ret_message = message;
	message = NULL;
	return 0;
}

/* NULL when `failure` says why. */
static struct start_order *start_wait(struct failure *failure)
{
	cleanup_message struct wire_message *message = NULL;
	struct start_order *order = NULL;
	int r;

	r = order_wait(PROTOCOL_TOKEN_NEW, &message);
	if (r == 0)
		r = start_order_parse(message, &order);
	if (r == -EBADMSG)
		(void)failure_set(failure, HYGIE_BAD_REQUEST, "ORDER_START is malformed");
	else if (r < 0)
		(void)failure_errno(failure, "ORDER_START", r);
	return r < 0 ? NULL : order;
}

/* From here on nothing of the host is left to whatever the module turns out to be. */
static enum hygie_outcome confine(const struct start_order *order,
				  struct failure *failure)
{
	cleanup_secret struct secret *probe = NULL;
	const char *what;
	int r;

	r = root_enter(order, &what);
	if (r < 0)
		return failure_set(failure, HYGIE_FAULT, "sandbox: %s: %s", what,
				   error_text(-r));
	r = privilege_drop(order->user_id, order->group_id);
	if (r < 0)
		return failure_errno(failure, "sandbox: privileges", r);
	r = filter_for_loading();
	if (r < 0)
		return failure_errno(failure, "sandbox: first filter", r);
	/* A PIN needs locked memory, and now without CAP_IPC_LOCK. */
	r = secret_new(1, &probe);
	return r < 0 ? failure_errno(failure, "sandbox: locked memory", r) : HYGIE_OK;
}

static enum hygie_outcome warm_up(const struct start_order *order,
				  struct token *ret_token, struct failure *failure)
{
	CK_FUNCTION_LIST *functions = NULL;
	enum hygie_outcome outcome;

	if (sign_warm_up() < 0)
		return failure_set(failure, HYGIE_FAULT, "libcrypto makes no digest");
	outcome = module_load(order->module, &functions, failure);
	if (outcome == HYGIE_OK)
		outcome = token_open(functions, order, ret_token, failure);
	if (outcome == HYGIE_OK)
		outcome = token_report(ret_token, failure);
	return outcome == HYGIE_OK ? certificates_report(ret_token, failure) : outcome;
}

static enum hygie_outcome ready_report(const struct start_order *order,
				       struct failure *failure)
{
	cleanup_message struct wire_message *message = NULL;
	int r;

	r = filter_for_login(order->reader[0] != '\0' ? FILTER_CARD : FILTER_FILE);
	if (r < 0)
		return failure_errno(failure, "sandbox: second filter", r);
	r = wire_message_new(WIRE_REPORT_READY, &message);
	if (r == 0)
		r = report_send(message);
	return r < 0 ? failure_errno(failure, "report", r) : HYGIE_OK;
}

static enum hygie_outcome order_refused(const char *name, int r, struct failure *failure)
{
	return r == -EBADMSG
		       ? failure_set(failure, HYGIE_BAD_REQUEST, "%s is malformed", name)
		       : failure_errno(failure, name, r);
}

/* Takes the message over: it holds the PIN too. */
static enum hygie_outcome login_serve(const struct token *token,
				      struct wire_message *message,
				      struct failure *failure)
{
	cleanup_login_order struct login_order *order = NULL;
	int r = login_order_parse(message, &order);

	wire_message_free(message);
	return r < 0 ? order_refused("ORDER_LOGIN", r, failure)
		     : login_run(token, order, failure);
}

static enum hygie_outcome pin_serve(const struct token *token,
				    struct wire_message *message, struct failure *failure)
{
	cleanup_pin_order struct pin_order order = { .old = NULL };
	int r = pin_order_parse(message, &order);

	wire_message_free(message);
	return r < 0 ? order_refused("ORDER_PIN", r, failure)
		     : pin_change_run(token, &order, failure);
}

static enum hygie_outcome last_order_wait(const struct token *token,
					  struct failure *failure)
{
	struct wire_message *message = NULL;
	int r;

	r = order_wait(PROTOCOL_TOKEN_READY, &message);
	if (r < 0 || !message)
		return order_refused("order", r, failure);
	return wire_message_type(message) == WIRE_ORDER_PIN
		       ? pin_serve(token, message, failure)
		       : login_serve(token, message, failure);
}

static enum hygie_outcome serve(struct failure *failure)
{
	cleanup_free struct start_order *order = start_wait(failure);
	struct token token;
	enum hygie_outcome outcome;

	if (!order)
		return failure->outcome;
	outcome = confine(order, failure);
	if (outcome == HYGIE_OK)
		outcome = warm_up(order, &token, failure);
	if (outcome == HYGIE_OK)
		outcome = ready_report(order, failure);
	return outcome == HYGIE_OK ? last_order_wait(&token, failure) : outcome;
}

int main(void)
{
	struct failure failure = { 0 };
	int r;

	if (!process_has_socket()) {
		(void)fprintf(stderr, "hygie-token is started by hygied alone\n");
		return 2;
	}
	r = process_tidy();
	if (r < 0) {
		(void)failure_errno(&failure, "tidying the process", r);
		report_failure_and_exit(&failure);
	}
	if (serve(&failure) != HYGIE_OK)
		report_failure_and_exit(&failure);
	helper_exit(0);
}
