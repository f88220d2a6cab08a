/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store's list of holders; declared in store_file.h. No I/O.
 */
#include "hygied/store_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void store_free(struct store *store)
{
	if (!store)
		return;
	free(store->holders);
	free(store);
}

int store_copy(const struct store *store, struct store **ret_copy)
{
	cleanup_store struct store *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *store;
	copy->holders = reallocarray(NULL, store->count + 1, sizeof(*copy->holders));
	if (!copy->holders)
		return -ENOMEM;
	for (size_t i = 0; i < store->count; i++)
		copy->holders[i] = store->holders[i];
	*ret_copy = copy;
	copy = NULL;
	return 0;
}

struct store_holder *store_holder_find(const struct store *store,
				       const uint8_t key_id[HYGIE_KEY_ID_SIZE])
{
	for (size_t i = 0; i < store->count; i++)
		if (memcmp(store->holders[i].key_id, key_id, HYGIE_KEY_ID_SIZE) == 0)
			return &store->holders[i];
	return NULL;
}

int store_holder_add(struct store *store, const struct store_holder *holder)
{
	struct store_holder *more;

	if (store_holder_find(store, holder->key_id))
		return -EEXIST;
	if (store->count >= STORE_HOLDERS_MAX)
		return -ENOSPC;
	more = reallocarray(store->holders, store->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	store->holders = more;
	more[store->count++] = *holder;
	return 0;
}

void store_holder_drop(struct store *store, struct store_holder *holder)
{
	size_t after = store->count - (size_t)(holder - store->holders) - 1;

	memmove(holder, holder + 1, after * sizeof(*holder));
	store->count--;
}

enum store_admission store_holder_admit(const struct store_holder *holder, time_t now)
{
	if (!holder)
		return ADMISSION_REFUSED;
	if (holder->until > 0 && (int64_t)now >= holder->until)
		return ADMISSION_ENDED;
	switch (holder->state) {
	case RIGHT_HELD:
		return ADMISSION_OK;
	case RIGHT_PENDING:
		return ADMISSION_PENDING;
	case RIGHT_LEAVING:
		return ADMISSION_LEAVING;
	default:
		return ADMISSION_REFUSED;
	}
}

bool store_holder_may_grant(const struct store_holder *holder, time_t now)
{
	return store_holder_admit(holder, now) == ADMISSION_OK && holder->grants;
}

const char *store_right_word(enum store_right right)
{
	switch (right) {
	case RIGHT_HELD:
		return "held";
	case RIGHT_PENDING:
		return "pending";
	case RIGHT_LEAVING:
		return "leaving";
	default:
		return NULL;
	}
}

static const struct {
	enum envelope_wrap wrap;
	const char *word;
} wraps[] = {
	{ ENVELOPE_WRAP_RSA_OAEP_SHA256, "rsa-oaep-sha256" },
	{ ENVELOPE_WRAP_RSA_OAEP_SHA1, "rsa-oaep-sha1" },
	{ ENVELOPE_WRAP_RSA_PKCS1, "rsa-pkcs1" },
	{ ENVELOPE_WRAP_EC, "ec" },
};

const char *store_wrap_word(enum envelope_wrap wrap)
{
	for (size_t i = 0; i < array_size(wraps); i++)
		if (wraps[i].wrap == wrap)
			return wraps[i].word;
	return NULL;
}

enum envelope_wrap store_wrap_read(const char *word)
{
	for (size_t i = 0; i < array_size(wraps); i++)
		if (strcmp(wraps[i].word, word) == 0)
			return wraps[i].wrap;
	return ENVELOPE_WRAP_NONE;
}
