/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that wait for room; see outbox.h.
 */
#include "hygied/outbox.h"

#include "libhygie/secret.h"

#include <errno.h>
#include <string.h>

struct outbox_entry {
	struct outbox_entry *next;
	size_t size;
	uint8_t bytes[];
};

int outbox_add(struct outbox *outbox, const struct wire_message *message)
{
	struct outbox_entry *entry;
	const uint8_t *bytes;
	size_t size;

	if (wire_message_error(message) < 0)
		return wire_message_error(message);
	bytes = wire_message_bytes(message, &size);
	if (size > OUTBOX_MAX - outbox->size)
		return -ENOBUFS;
	entry = malloc(sizeof(*entry) + size);
	if (!entry)
		return -ENOMEM;
	entry->next = NULL;
	entry->size = size;
	memcpy(entry->bytes, bytes, size);
	if (outbox->last)
		outbox->last->next = entry;
	else
		outbox->first = entry;
	outbox->last = entry;
	outbox->size += size;
	return 0;
}

static void drop_first(struct outbox *outbox)
{
	struct outbox_entry *entry = outbox->first;

	outbox->first = entry->next;
	if (!outbox->first)
		outbox->last = NULL;
	outbox->size -= entry->size;
	wipe(entry->bytes, entry->size); /* some hold what is a person's alone */
	free(entry);
}

int outbox_flush(struct outbox *outbox, int fd)
{
	while (outbox->first) {
		cleanup_message struct wire_message *message = NULL;
		int r;

		r = wire_parse(outbox->first->bytes, outbox->first->size, &message);
		if (r >= 0)
			r = wire_send(fd, message);
		if (r < 0)
			return r;
		drop_first(outbox);
	}
	return 0;
}

void outbox_clear(struct outbox *outbox)
{
	while (outbox->first)
		drop_first(outbox);
}
