/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a helper's orders; see card_order.h.
 */
#include "hygied/card_order.h"

#include <string.h>

#define TASKS_SHARE 3          /* of a login's time, at least */
#define RESERVE_US 10000000ull /* of it, for the signature, at most */

static const char *charset_name(int charset)
{
	switch (charset) {
	case PROFILE_PIN_DIGITS:
		return "digits";
	case PROFILE_PIN_ALPHANUMERIC:
		return "alphanumeric";
	default:
		return "any";
	}
}

static void add_readers(struct wire_message *order,
			const struct card_environment *environment, const char *reader)
{
	wire_add_string(order, TAG_READER_NAME, reader);
	for (size_t i = 0; i < environment->reader_count; i++)
		if (strcmp(environment->readers[i], reader) != 0)
			wire_add_string(order, TAG_OTHER_READER, environment->readers[i]);
}

static void add_profile(struct wire_message *order, const struct profile *profile)
{
	if (profile->driver[0])
		wire_add_string(order, TAG_DRIVER, profile->driver);
	if (!profile->pin_pad)
		wire_add_u32(order, TAG_NO_PIN_PAD, 1);
	for (size_t i = 0; i < profile->paths_rw.count; i++)
		wire_add_string(order, TAG_PATH_RW, profile->paths_rw.path[i]);
	for (size_t i = 0; i < profile->environment.count; i++)
		wire_add_string(order, TAG_ENVIRONMENT, profile->environment.variable[i]);
	wire_add_u32(order, TAG_PIN_MIN, profile->pin_min);
	wire_add_u32(order, TAG_PIN_MAX, profile->pin_max);
	wire_add_string(order, TAG_PIN_CHARSET, charset_name(profile->pin_charset));
}

int card_order_start(const struct card_environment *environment,
		     const struct profile *profile, const char *reader,
		     struct wire_message **ret_order, char *reason, size_t reason_size)
{
	cleanup_message struct wire_message *order = NULL;
	char module[PROFILE_PATH_SIZE];
	int r;

	r = profile_module_find(profile, module, sizeof(module), reason, reason_size);
	if (r < 0)
		return r;
	r = wire_message_new(WIRE_ORDER_START, &order);
	if (r < 0)
		return r;
	wire_add_string(order, TAG_MODULE, module);
	if (reader[0])
		add_readers(order, environment, reader);
	else
		wire_add_string(order, TAG_TOKEN_URI, profile->uri);
	add_profile(order, profile);
	wire_add_u32(order, TAG_USER_ID, environment->helper_uid);
	wire_add_u32(order, TAG_GROUP_ID, environment->helper_gid);
	*ret_order = order;
	order = NULL;
	return 0;
}

static void add_task(struct wire_message *order, const struct card_task *task)
{
	wire_add_u32(order, TAG_OPERATION, task->operation);
	wire_add_bytes(order, TAG_OBJECT_ID, task->key->object_id,
		       task->key->object_id_size);
	wire_add_bytes(order, TAG_DATA, task->data, task->size);
	if (task->oaep_hash)
		wire_add_u32(order, TAG_OAEP_HASH, task->oaep_hash);
}

uint64_t card_order_begin_by(uint64_t now, uint64_t deadline)
{
	uint64_t left = deadline > now ? deadline - now : 0;
	uint64_t reserve = left - left / TASKS_SHARE;

	return deadline - (reserve < RESERVE_US ? reserve : RESERVE_US);
}

int card_order_login(const struct secret *pin, const struct card_task *tasks,
		     size_t count, uint64_t begin_by,
		     const struct token_certificate *certificate,
		     const struct challenge *challenge, struct wire_message **ret_order)
{
	struct wire_message *order;
	int r;

	r = wire_message_new(WIRE_ORDER_LOGIN, &order);
	if (r < 0)
		return r;
	if (pin)
		wire_add_secret(order, TAG_PIN, pin);
	if (begin_by)
		wire_add_u64(order, TAG_BEGIN_BY, begin_by);
	else
		wire_add_u32(order, TAG_ASK_AGAIN, 1);
	for (size_t i = 0; i < count; i++)
		add_task(order, &tasks[i]);
	wire_add_u32(order, TAG_OPERATION, TOKEN_SIGN);
	wire_add_bytes(order, TAG_OBJECT_ID, certificate->object_id,
		       certificate->object_id_size);
	wire_add_bytes(order, TAG_DATA, challenge->bytes, challenge->size);
	*ret_order = order;
	return 0;
}

int card_order_pin(enum token_operation operation, enum token_unblock way,
		   const struct secret *pin, const struct secret *new_pin,
		   struct wire_message **ret_order)
{
	struct wire_message *order;
	int r;

	r = wire_message_new(WIRE_ORDER_PIN, &order);
	if (r < 0)
		return r;
	wire_add_u32(order, TAG_OPERATION, operation);
	if (operation == TOKEN_PIN_UNBLOCK)
		wire_add_u32(order, TAG_UNBLOCK_BY, way);
	if (pin)
		wire_add_secret(order, TAG_PIN, pin);
	if (new_pin)
		wire_add_secret(order, TAG_NEW_PIN, new_pin);
	*ret_order = order;
	return 0;
}
