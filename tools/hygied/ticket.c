/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of tickets that are out; see ticket.h. A restart forgets them all: a login
 * half done at that moment opens its session unbound.
 */
#include "hygied/ticket.h"

#include "libhygie/deadline.h"
#include "libhygie/hex.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TICKETS_OUT_MAX 64
#define TICKET_LIFE_MS 60000
#define TICKET_RANDOM_SIZE 32

struct slot {
	char name[HYGIE_TICKET_MAX]; /* "" when free */
	uint64_t deadline;
	struct binding binding;
};

struct tickets {
	struct slot slots[TICKETS_OUT_MAX];
};

int tickets_new(struct tickets **ret_tickets)
{
	struct tickets *tickets = calloc(1, sizeof(*tickets));

	if (!tickets)
		return -ENOMEM;
	*ret_tickets = tickets;
	return 0;
}

void tickets_free(struct tickets *tickets)
{
	if (!tickets)
		return;
	OPENSSL_cleanse(tickets, sizeof(*tickets));
	free(tickets);
}

/* A free or outdated slot, else the one that ends first. */
static struct slot *slot_for_new(struct tickets *tickets)
{
	struct slot *oldest = &tickets->slots[0];

	for (size_t i = 0; i < TICKETS_OUT_MAX; i++) {
		struct slot *slot = &tickets->slots[i];

		if (slot->name[0] == '\0')
			return slot;
		if (slot->deadline < oldest->deadline)
			oldest = slot;
	}
	return oldest;
}

int tickets_issue(struct tickets *tickets, const struct binding *binding,
		  char ret_name[HYGIE_TICKET_MAX])
{
	struct slot *slot = slot_for_new(tickets);
	uint8_t random[TICKET_RANDOM_SIZE];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	hex_write(random, sizeof(random), slot->name);
	slot->deadline = deadline_after(TICKET_LIFE_MS);
	slot->binding = *binding;
	memcpy(ret_name, slot->name, HYGIE_TICKET_MAX);
	return 0;
}

int tickets_redeem(struct tickets *tickets, const char *name, struct binding *ret_binding)
{
	if (strlen(name) != HYGIE_TICKET_MAX - 1)
		return -ENOENT;
	for (size_t i = 0; i < TICKETS_OUT_MAX; i++) {
		struct slot *slot = &tickets->slots[i];
		bool in_time = deadline_left(slot->deadline) > 0;

		if (slot->name[0] == '\0' ||
		    CRYPTO_memcmp(slot->name, name, HYGIE_TICKET_MAX - 1) != 0)
			continue;
		if (in_time)
			*ret_binding = slot->binding;
		OPENSSL_cleanse(slot, sizeof(*slot));
		return in_time ? 0 : -ENOENT;
	}
	return -ENOENT;
}
