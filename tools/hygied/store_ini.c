/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.ini's text; see store_ini.h. The heads and keys are a table, with which both ways
 * go: what is written is what is read.
 */
#include "hygied/store_ini.h"

#include "libhygie/config.h"
#include "libhygie/hex.h"
#include "libhygie/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "1"
#define DAY 86400

/* One line's value on its way into a field: false when it cannot be. */
typedef bool (*value_reader)(const char *text, void *field);

/* A key: how it is read, and whether it may be left out. */
struct key {
	const char *name;
	value_reader read;
	size_t offset;
	bool optional;
};

static bool read_format(const char *text, void *field)
{
	(void)field;
	return strcmp(text, FORMAT) == 0;
}

static bool read_backend(const char *text, void *field)
{
	*(enum backend *)field = backend_from_word(text);
	return backend_word(*(enum backend *)field) != NULL;
}

static bool path_is_fit(const char *text)
{
	return strlen(text) < STORE_PATH_SIZE && strlen(text) > 1 &&
	       trusted_path_is_plain(text) && printable_is_clean(text, strlen(text));
}

static bool read_path(const char *text, void *field)
{
	if (!path_is_fit(text))
		return false;
	memcpy(field, text, strlen(text) + 1);
	return true;
}

static bool group_is_fit(const char *text)
{
	return strlen(text) < STORE_GROUP_SIZE && config_name_is_valid(text);
}

static bool read_group(const char *text, void *field)
{
	if (!group_is_fit(text))
		return false;
	memcpy(field, text, strlen(text) + 1);
	return true;
}

/* Decimal, as printf writes it: no sign, no leading zero. */
static bool read_number(const char *text, void *field)
{
	char again[24];
	uint64_t number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	(void)snprintf(again, sizeof(again), "%" PRIu64, number);
	if (errno != 0 || *end != '\0' || strcmp(again, text) != 0)
		return false;
	*(uint64_t *)field = number;
	return true;
}

static bool read_generation(const char *text, void *field)
{
	return read_number(text, field) && *(uint64_t *)field > 0;
}

static bool read_idle(const char *text, void *field)
{
	uint64_t number;

	if (!read_number(text, &number) || number > STORE_IDLE_MAX)
		return false;
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool read_yes(const char *text, void *field)
{
	*(bool *)field = strcmp(text, "yes") == 0;
	return *(bool *)field || strcmp(text, "no") == 0;
}

static bool read_key_id(const char *text, void *field)
{
	return hex_parse(text, HYGIE_KEY_ID_SIZE, field);
}

/* A text that comes back as it was written: no blanks around it. */
static bool text_is_fit(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	return length < size && printable_is_clean(text, length) &&
	       (length == 0 || (text[0] != ' ' && text[length - 1] != ' '));
}

static bool read_user(const char *text, void *field)
{
	if (!text_is_fit(text, HYGIE_USER_MAX) || text[0] == '\0')
		return false;
	memcpy(field, text, strlen(text) + 1);
	return true;
}

static bool read_name(const char *text, void *field)
{
	if (!text_is_fit(text, REGISTRY_HOLDER_SIZE))
		return false;
	memcpy(field, text, strlen(text) + 1);
	return true;
}

static bool read_wrap(const char *text, void *field)
{
	*(enum envelope_wrap *)field = store_wrap_read(text);
	return *(enum envelope_wrap *)field != ENVELOPE_WRAP_NONE;
}

static bool read_state(const char *text, void *field)
{
	for (int i = RIGHT_HELD; i <= RIGHT_LEAVING; i++)
		if (strcmp(text, store_right_word((enum store_right)i)) == 0) {
			*(enum store_right *)field = (enum store_right)i;
			return true;
		}
	return false;
}

bool store_until_read(const char *text, int64_t *ret_until)
{
	char again[16] = "";
	struct tm day = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &day);
	time_t begin;

	if (!end || *end != '\0')
		return false;
	begin = timegm(&day);
	if (begin <= 0 || !gmtime_r(&begin, &day) ||
	    strftime(again, sizeof(again), "%Y-%m-%d", &day) == 0 ||
	    strcmp(again, text) != 0)
		return false;
	*ret_until = (int64_t)begin + DAY;
	return true;
}

static bool read_until(const char *text, void *field)
{
	return store_until_read(text, field);
}

static const struct key store_keys[] = {
	{ "format", read_format, 0, false },
	{ "backend", read_backend, offsetof(struct store, backend), false },
	{ "cipher", read_path, offsetof(struct store, cipher), false },
	{ "mount", read_path, offsetof(struct store, mount), false },
	{ "group", read_group, offsetof(struct store, group), false },
	{ "idle", read_idle, offsetof(struct store, idle), false },
	{ "generation", read_generation, offsetof(struct store, generation), false },
	{ "recovery", read_key_id, offsetof(struct store, recovery), false },
	{ "recovery_next", read_key_id, offsetof(struct store, recovery_next), true },
	{ "rotate", read_yes, offsetof(struct store, rotate), true },
};

static const struct key holder_keys[] = {
	{ "user", read_user, offsetof(struct store_holder, user), false },
	{ "name", read_name, offsetof(struct store_holder, name), false },
	{ "card", read_key_id, offsetof(struct store_holder, card), false },
	{ "wrap", read_wrap, offsetof(struct store_holder, wrap), false },
	{ "state", read_state, offsetof(struct store_holder, state), false },
	{ "grants", read_yes, offsetof(struct store_holder, grants), false },
	{ "until", read_until, offsetof(struct store_holder, until), true },
};

/* A section being read. */
struct section {
	const struct key *keys;
	size_t count;
	uint32_t seen; /* bits, by index */
};

struct reading {
	struct store *store;
	struct store_holder holder;
	struct section section;
	bool began; /* [store] was there */
	unsigned line;
	struct file_error *error;
};

static int reading_fail(const struct reading *reading, const char *what)
{
	if (reading->error)
		(void)snprintf(reading->error->text, sizeof(reading->error->text),
			       "store.ini:%u: %s", reading->line, what);
	return -EBADMSG;
}

/* What must hold at a section's end. */
static int section_end(struct reading *reading)
{
	const struct section *section = &reading->section;
	int r;

	for (size_t i = 0; i < section->count; i++)
		if (!section->keys[i].optional && !(section->seen & 1u << i))
			return reading_fail(reading, "a key is missing above");
	if (section->keys != holder_keys)
		return 0;
	r = store_holder_add(reading->store, &reading->holder);
	if (r == -EEXIST)
		return reading_fail(reading, "this holder stands here twice");
	return r == -ENOSPC ? reading_fail(reading, "too many holders") : r;
}

static int section_begin(struct reading *reading, const char *head)
{
	static const char holder[] = "[holder ";
	const size_t digit_count = (size_t)2 * HYGIE_KEY_ID_SIZE;
	int r = section_end(reading);

	if (r < 0)
		return r;
	if (strcmp(head, "[store]") == 0 && !reading->began) {
		reading->began = true;
		reading->section =
			(struct section){ store_keys, array_size(store_keys), 0 };
		return 0;
	}
	if (!reading->began || strncmp(head, holder, strlen(holder)) != 0)
		return reading_fail(reading, "is not a heading that belongs here");
	reading->section = (struct section){ holder_keys, array_size(holder_keys), 0 };
	reading->holder = (struct store_holder){ .user = "" };
	head += strlen(holder);
	if (strlen(head) != digit_count + 1 || head[digit_count] != ']')
		return reading_fail(reading, "is not [holder], with 64 hex digits");
	{
		char digits[2 * HYGIE_KEY_ID_SIZE + 1];

		memcpy(digits, head, sizeof(digits) - 1);
		digits[sizeof(digits) - 1] = '\0';
		if (!hex_parse(digits, HYGIE_KEY_ID_SIZE, reading->holder.key_id))
			return reading_fail(reading,
					    "is not [holder], with 64 hex digits");
	}
	return 0;
}

static int key_take(struct reading *reading, const char *line)
{
	struct section *section = &reading->section;
	const char *equals = strstr(line, " =");
	void *base = section->keys == holder_keys ? (void *)&reading->holder
						  : (void *)reading->store;

	if (!equals || (equals[2] != ' ' && equals[2] != '\0'))
		return reading_fail(reading, "is not \"key = value\"");
	for (size_t i = 0; i < section->count; i++) {
		const struct key *key = &section->keys[i];

		if (strlen(key->name) != (size_t)(equals - line) ||
		    strncmp(key->name, line, strlen(key->name)) != 0)
			continue;
		if (section->seen & 1u << i)
			return reading_fail(reading, "this key stands here twice");
		section->seen |= 1u << i;
		if (key->read(equals[2] ? equals + 3 : "", (char *)base + key->offset))
			return 0;
		return reading_fail(reading, key->read == read_idle
						     ? "idle is in seconds, at most a "
						       "week (604800)"
						     : "its value cannot be");
	}
	return reading_fail(reading, "no such key belongs here");
}

static int line_take(struct reading *reading, const char *line)
{
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (line[0] == '[')
		return section_begin(reading, line);
	return key_take(reading, line);
}

static int lines_take(struct reading *reading, const char *text, size_t size)
{
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : 0;
		char line[STORE_INI_LINE_MAX + 1];
		int r;

		reading->line++;
		if (!end)
			return reading_fail(reading, "does not end: the file was cut");
		if (length > STORE_INI_LINE_MAX || memchr(text, '\0', length))
			return reading_fail(reading, "is too long, or holds a NUL");
		memcpy(line, text, length);
		line[length] = '\0';
		r = line_take(reading, line);
		if (r < 0)
			return r;
		text += length + 1;
		size -= length + 1;
	}
	return 0;
}

int store_ini_parse(const char *text, size_t size, const char *name,
		    struct store **ret_store, struct file_error *ret_error)
{
	cleanup_store struct store *store = calloc(1, sizeof(*store));
	struct reading reading = { .store = store, .error = ret_error };
	int r;

	if (!store)
		return -ENOMEM;
	if (!envelope_name_is_valid(name))
		return reading_fail(&reading, "no store can be called so");
	memcpy(store->name, name, strlen(name) + 1);
	r = size > STORE_INI_MAX ? reading_fail(&reading, "is too long")
				 : lines_take(&reading, text, size);
	if (r == 0)
		r = section_end(&reading);
	if (r == 0 && !reading.began)
		r = reading_fail(&reading, "has no [store]");
	if (r < 0)
		return r;
	*ret_store = store;
	store = NULL;
	return 0;
}

static bool holder_is_fit(const struct store_holder *holder)
{
	return text_is_fit(holder->user, sizeof(holder->user)) &&
	       holder->user[0] != '\0' &&
	       text_is_fit(holder->name, sizeof(holder->name)) &&
	       holder->wrap != ENVELOPE_WRAP_NONE && store_wrap_word(holder->wrap) &&
	       store_right_word(holder->state) && holder->until >= 0 &&
	       holder->until % DAY == 0;
}

static bool store_is_fit(const struct store *store)
{
	for (size_t i = 0; i < store->count; i++)
		if (!holder_is_fit(&store->holders[i]))
			return false;
	return envelope_name_is_valid(store->name) && backend_word(store->backend) &&
	       path_is_fit(store->cipher) && path_is_fit(store->mount) &&
	       group_is_fit(store->group) && store->idle <= STORE_IDLE_MAX &&
	       store->generation > 0 && store->count <= STORE_HOLDERS_MAX;
}

static void holder_write(FILE *file, const struct store_holder *holder)
{
	char key[2 * HYGIE_KEY_ID_SIZE + 1], card[2 * HYGIE_KEY_ID_SIZE + 1];
	time_t last = (time_t)holder->until - DAY;
	char until[16];
	struct tm day;

	hex_write(holder->key_id, HYGIE_KEY_ID_SIZE, key);
	hex_write(holder->card, HYGIE_KEY_ID_SIZE, card);
	(void)fprintf(file,
		      "\n[holder %s]\nuser = %s\nname = %s\ncard = %s\nwrap = %s\n"
		      "state = %s\ngrants = %s\n",
		      key, holder->user, holder->name, card,
		      store_wrap_word(holder->wrap), store_right_word(holder->state),
		      holder->grants ? "yes" : "no");
	if (holder->until > 0 && gmtime_r(&last, &day) &&
	    strftime(until, sizeof(until), "%Y-%m-%d", &day) > 0)
		(void)fprintf(file, "until = %s\n", until);
}

int store_ini_format(const struct store *store, char **ret_text, size_t *ret_size)
{
	char recovery[2 * HYGIE_KEY_ID_SIZE + 1], next[2 * HYGIE_KEY_ID_SIZE + 1];
	char *text = NULL;
	size_t size = 0;
	FILE *file;
	bool failed;

	if (!store_is_fit(store))
		return -EINVAL;
	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	hex_write(store->recovery, HYGIE_KEY_ID_SIZE, recovery);
	(void)fprintf(file,
		      "# Written by hygied: change it by \"hygie store\".\n[store]\n"
		      "format = " FORMAT "\nbackend = %s\ncipher = %s\n"
		      "mount = %s\ngroup = %s\nidle = %" PRIu32 "\n"
		      "generation = %" PRIu64 "\nrecovery = %s\n%s",
		      backend_word(store->backend), store->cipher, store->mount,
		      store->group, store->idle, store->generation, recovery,
		      store->rotate ? "rotate = yes\n" : "");
	hex_write(store->recovery_next, HYGIE_KEY_ID_SIZE, next);
	if (store_recovery_is_pending(store))
		(void)fprintf(file, "recovery_next = %s\n", next);
	for (size_t i = 0; i < store->count; i++)
		holder_write(file, &store->holders[i]);
	failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}
