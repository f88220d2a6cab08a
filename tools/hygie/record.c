/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns ITEMs into JSON objects; see record.h.
 */
#include "record.h"

#include "libhygie/printable.h"
#include "libhygie/protocol.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LAST_SECOND UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

enum member_kind {
	MEMBER_STRING,
	MEMBER_TIME,
	MEMBER_BOOLEAN,
	MEMBER_NUMBER, /* u32 */
	MEMBER_WIDE,   /* u64 */
};

static const struct {
	uint16_t tag;
	enum member_kind kind;
	const char *key;
} members[] = {
	{ TAG_KIND, MEMBER_STRING, "kind" },
	{ TAG_NAME, MEMBER_STRING, "name" },
	{ TAG_VALUE, MEMBER_STRING, "value" },
	{ TAG_READER, MEMBER_STRING, "reader" },
	{ TAG_USER, MEMBER_STRING, "user" },
	{ TAG_CARD_ID, MEMBER_STRING, "card_id" },
	{ TAG_STATE, MEMBER_STRING, "state" },
	{ TAG_TEXT, MEMBER_STRING, "problem" },
	{ TAG_HOLDER, MEMBER_STRING, "holder" },
	{ TAG_SCHEME, MEMBER_STRING, "scheme" },
	{ TAG_PERSON_ID, MEMBER_STRING, "person_id" },
	{ TAG_ISSUER, MEMBER_STRING, "issuer" },
	{ TAG_NOT_AFTER, MEMBER_TIME, "not_after" },
	{ TAG_TRUST, MEMBER_STRING, "trust" },
	{ TAG_EXCLUSIVE, MEMBER_BOOLEAN, "exclusive" },
	{ TAG_TRIES, MEMBER_STRING, "tries" },
	{ TAG_ENROLLED_BY, MEMBER_STRING, "enrolled_by" },
	{ TAG_ENROLLED_AT, MEMBER_TIME, "enrolled_at" },
	{ TAG_WRAP, MEMBER_STRING, "store_key" },
	{ TAG_STORE, MEMBER_STRING, "store" },
	{ TAG_MOUNT, MEMBER_STRING, "mount" },
	{ TAG_CIPHER, MEMBER_STRING, "cipher" },
	{ TAG_BACKEND, MEMBER_STRING, "backend" },
	{ TAG_GROUP, MEMBER_STRING, "group" },
	{ TAG_GENERATION, MEMBER_WIDE, "generation" },
	{ TAG_UNTIL, MEMBER_STRING, "until" },
	{ TAG_GRANTS, MEMBER_BOOLEAN, "grants" },
	{ TAG_REVOKED_AT, MEMBER_TIME, "revoked_at" },
	{ TAG_SESSION, MEMBER_STRING, "session" },
	{ TAG_SERVICE, MEMBER_STRING, "service" },
	{ TAG_BOUND_AT, MEMBER_TIME, "bound_at" },
	{ TAG_PHASE, MEMBER_STRING, "phase" },
	{ TAG_REMOVAL, MEMBER_STRING, "on_removal" },
	{ TAG_CARD_IN, MEMBER_BOOLEAN, "card_in" },
	{ TAG_LOCKED, MEMBER_BOOLEAN, "locked" },
	{ TAG_LEFT, MEMBER_NUMBER, "left_ms" },
	{ TAG_STORE, MEMBER_STRING, "store" },
	{ TAG_MOUNT, MEMBER_STRING, "mount" },
	{ TAG_COUNT, MEMBER_NUMBER, "sessions" },
	{ TAG_SINCE, MEMBER_TIME, "since" },
	{ TAG_PROCESS, MEMBER_NUMBER, "pid" },
	{ TAG_FILE, MEMBER_STRING, "file" },
};

void text_clean(char *dst, size_t dst_size, const void *src, size_t src_size)
{
	if (src_size >= dst_size || !printable_is_clean(src, src_size)) {
		(void)printable_copy(dst, dst_size, src, src_size);
		return;
	}
	memcpy(dst, src, src_size);
	dst[src_size] = '\0';
}

void time_text(uint64_t seconds, char ret_text[TIME_TEXT_SIZE])
{
	time_t when = (time_t)(seconds < LAST_SECOND ? seconds : LAST_SECOND);
	struct tm tm;

	ret_text[0] = '\0';
	if (gmtime_r(&when, &tm))
		(void)strftime(ret_text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *member_string(const struct wire_message *item, uint16_t tag)
{
	char text[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];
	const uint8_t *bytes;
	size_t size;

	if (wire_get_bytes(item, tag, &bytes, &size) < 0)
		return NULL;
	text_clean(text, sizeof(text), bytes, size);
	return json_string(text);
}

static json_t *member_time(const struct wire_message *item, uint16_t tag)
{
	char text[TIME_TEXT_SIZE];
	uint64_t seconds;

	if (wire_get_u64(item, tag, &seconds) < 0)
		return NULL;
	time_text(seconds, text);
	return json_string(text);
}

static json_t *member_boolean(const struct wire_message *item, uint16_t tag)
{
	uint32_t value;

	if (wire_get_u32(item, tag, &value) < 0)
		return NULL;
	return json_boolean(value == 1);
}

static json_t *member_number(const struct wire_message *item, uint16_t tag)
{
	uint32_t value;

	return wire_get_u32(item, tag, &value) < 0 ? NULL : json_integer(value);
}

static json_t *member_wide(const struct wire_message *item, uint16_t tag)
{
	uint64_t value;

	return wire_get_u64(item, tag, &value) < 0 ? NULL
						   : json_integer((json_int_t)value);
}

static json_t *member_value(const struct wire_message *item, size_t i)
{
	switch (members[i].kind) {
	case MEMBER_TIME:
		return member_time(item, members[i].tag);
	case MEMBER_BOOLEAN:
		return member_boolean(item, members[i].tag);
	case MEMBER_NUMBER:
		return member_number(item, members[i].tag);
	case MEMBER_WIDE:
		return member_wide(item, members[i].tag);
	default:
		return member_string(item, members[i].tag);
	}
}

json_t *record_from_item(const struct wire_message *item)
{
	cleanup_json json_t *record = json_object();

	for (size_t i = 0; record && i < array_size(members); i++) {
		json_t *value = member_value(item, i);

		if (value && json_object_set_new(record, members[i].key, value) < 0)
			return NULL;
	}
	return json_incref(record);
}
