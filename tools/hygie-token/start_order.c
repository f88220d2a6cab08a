/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of ORDER_START; see start_order.h.
 */
#include "hygie-token/start_order.h"

#include "libhygie/protocol.h"

#include <errno.h>
#include <string.h>

/* Names that the loader, the C library or a library of ours would listen to. */
static const char *const refused_names[] = {
	"LD_",     "GLIBC_",      "GCONV_PATH",  "MALLOC_",     "LOCPATH",  "NLSPATH",
	"LANG",    "LC_",         "PATH",        "HOME",        "TMPDIR",   "TZ",
	"RES_",    "HOSTALIASES", "LOCALDOMAIN", "GETCONF_DIR", "OPENSSL_", "SSL_",
	"OPENSC_", "PCSC",        "P11_KIT_",    "PKCS11SPY",
};

static bool name_is_upper(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool letter = name[i] >= 'A' && name[i] <= 'Z';
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (!letter && name[i] != '_' && !(digit && i > 0))
			return false;
	}
	return size > 0;
}

bool environment_entry_is_allowed(const char *entry)
{
	const char *equals = strchr(entry, '=');

	if (!equals || !name_is_upper(entry, (size_t)(equals - entry)))
		return false;
	for (size_t i = 0; i < array_size(refused_names); i++)
		if (strncmp(entry, refused_names[i], strlen(refused_names[i])) == 0)
			return false;
	return true;
}

/* Whether a path is absolute, has no ".." and is not the root itself. */
static bool path_is_plain(const char *path)
{
	const char *part = path;

	if (path[0] != '/' || path[strspn(path, "/")] == '\0')
		return false;
	while ((part = strstr(part, "..")) != NULL) {
		if (part[-1] == '/' && (part[2] == '/' || part[2] == '\0'))
			return false;
		part += 2;
	}
	return true;
}

/* A field that comes at most once: refused when `text` is filled already, or empty. */
static int once(const struct wire_field *field, char *text, size_t size)
{
	if (text[0] != '\0' || field->size == 0)
		return -EBADMSG;
	return wire_field_string(field, text, size) < 0 ? -EBADMSG : 0;
}

static int charset_parse(const struct wire_field *field, enum pin_charset *ret_charset)
{
	char name[16];

	if (wire_field_string(field, name, sizeof(name)) < 0)
		return -EBADMSG;
	return pin_charset_from_name(name, ret_charset);
}

static int other_reader_add(struct start_order *order, const struct wire_field *field)
{
	char *name;

	if (order->other_reader_count >= OTHER_READERS_MAX)
		return -EBADMSG;
	name = order->other_readers[order->other_reader_count++];
	return once(field, name, READER_NAME_MAX);
}

static int path_rw_add(struct start_order *order, const struct wire_field *field)
{
	char *path;

	if (order->path_rw_count >= PATHS_RW_MAX)
		return -EBADMSG;
	path = order->paths_rw[order->path_rw_count++];
	if (once(field, path, PATH_MAX) < 0 || !path_is_plain(path))
		return -EBADMSG;
	return 0;
}

static int environment_add(struct start_order *order, const struct wire_field *field)
{
	char *entry;

	if (order->environment_count >= ENVIRONMENT_MAX)
		return -EBADMSG;
	entry = order->environment[order->environment_count++];
	if (once(field, entry, ENVIRONMENT_ENTRY_MAX) < 0 ||
	    !environment_entry_is_allowed(entry))
		return -EBADMSG;
	return 0;
}

static int field_parse(struct start_order *order, const struct wire_field *field)
{
	switch (field->tag) {
	case TAG_MODULE:
		return once(field, order->module, sizeof(order->module));
	case TAG_READER_NAME:
		return once(field, order->reader, sizeof(order->reader));
	case TAG_OTHER_READER:
		return other_reader_add(order, field);
	case TAG_DRIVER:
		return once(field, order->driver, sizeof(order->driver));
	case TAG_TOKEN_URI:
		return once(field, order->token_uri, sizeof(order->token_uri));
	case TAG_PATH_RW:
		return path_rw_add(order, field);
	case TAG_ENVIRONMENT:
		return environment_add(order, field);
	case TAG_PIN_MIN:
		return wire_field_u32(field, &order->pin.min);
	case TAG_PIN_MAX:
		return wire_field_u32(field, &order->pin.max);
	case TAG_PIN_CHARSET:
		return charset_parse(field, &order->pin.charset);
	case TAG_NO_PIN_PAD:
		return wire_field_u32(field, &order->no_pin_pad);
	case TAG_USER_ID:
		return wire_field_u32(field, &order->user_id);
	case TAG_GROUP_ID:
		return wire_field_u32(field, &order->group_id);
	default:
		return 0;
	}
}

/* An OpenSC driver's short name: what may stand bare in its configuration. */
static bool driver_is_plain(const char *driver)
{
	return strspn(driver, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789-_") == strlen(driver);
}

/* What one field cannot say alone. (uid_t)-1 would leave the ids as they are. */
static bool order_is_coherent(const struct start_order *order)
{
	bool by_reader = order->reader[0] != '\0';

	if (!path_is_plain(order->module) || by_reader == (order->token_uri[0] != '\0'))
		return false;
	if (order->driver[0] != '\0' && (!by_reader || !driver_is_plain(order->driver)))
		return false;
	if (order->user_id == 0 || order->group_id == 0 || order->user_id == (uid_t)-1 ||
	    order->group_id == (gid_t)-1)
		return false;
	return pin_rule_is_possible(&order->pin);
}

int start_order_parse(const struct wire_message *message, struct start_order **ret_order)
{
	cleanup_free struct start_order *order = NULL;
	struct wire_field field;
	size_t cursor = 0;

	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	order->pin = (struct pin_rule){ .min = 1, .max = HYGIE_PIN_MAX };
	while (wire_next_field(message, &cursor, &field))
		if (field_parse(order, &field) < 0)
			return -EBADMSG;
	if (!order_is_coherent(order))
		return -EBADMSG;
	*ret_order = order;
	order = NULL;
	return 0;
}
