/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the bindings; see binding.h. A line each: NAME=value, in this order.
 */
#include "hygied/binding.h"

#include "libhygie/error_text.h"
#include "libhygie/hex.h"
#include "libhygie/log.h"
#include "libhygie/trusted_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 4096
#define OWNER 0 /* root, as hygied is */

static bool session_is_plain(const char *session)
{
	size_t size = strlen(session);

	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)session[i]) &&
		    (i == 0 || !strchr("-_", session[i])))
			return false;
	return size > 0 && size < HYGIE_SESSION_MAX;
}

static bool fits_line(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return false;
	return true;
}

/* The path of a session's file; -EINVAL for what is no session's id. */
static int path_of(const char *folder, const char *session, char ret_path[PATH_MAX])
{
	int size;

	if (!session_is_plain(session))
		return -EINVAL;
	size = snprintf(ret_path, PATH_MAX, "%s/%s", folder, session);
	return size < 0 || size >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Renamed into place when it is whole; /run is memory, so nothing is synced. */
static int replace_file(const char *path, const char *text, size_t size)
{
	char fresh[PATH_MAX + 8];
	cleanup_close int fd = -1;
	ssize_t n;

	/* No session's id begins with a dot, so no binding is ever read from this one. */
	(void)snprintf(fresh, sizeof(fresh), "%.*s/.new",
		       (int)(strrchr(path, '/') - path), path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text, size);
	if (n != (ssize_t)size)
		return n < 0 ? -errno : -ENOSPC;
	return rename(fresh, path) < 0 ? -errno : 0;
}

int binding_write(const char *folder, const struct binding *binding)
{
	char path[PATH_MAX], text[FILE_MAX], card[2 * HYGIE_KEY_ID_SIZE + 1];
	int r, size;

	r = path_of(folder, binding->session, path);
	if (r < 0)
		return r;
	if (!fits_line(binding->user) || !fits_line(binding->reader) ||
	    !fits_line(binding->service))
		return -EINVAL;
	hex_write(binding->key_id, HYGIE_KEY_ID_SIZE, card);
	size = snprintf(text, sizeof(text),
			"USER=%s\nUID=%u\nCARD=%s\nREADER=%s\nSERVICE=%s\nSINCE=%" PRIu64
			"\n",
			binding->user, binding->uid, card, binding->reader,
			binding->service, binding->since);
	if (size < 0 || (size_t)size >= sizeof(text))
		return -EINVAL;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	return replace_file(path, text, (size_t)size);
}

/* Takes the line "NAME=value" at *cursor into `ret_value`; false when it is another. */
static bool take_line(char **cursor, const char *name, char *ret_value, size_t size)
{
	size_t length = strlen(name);
	char *end = strchr(*cursor, '\n');
	const char *value = *cursor + length + 1;

	if (!end || strncmp(*cursor, name, length) != 0 || (*cursor)[length] != '=' ||
	    (size_t)(end - value) >= size)
		return false;
	memcpy(ret_value, value, (size_t)(end - value));
	ret_value[end - value] = '\0';
	*cursor = end + 1;
	return true;
}

static bool take_number(char **cursor, const char *name, uint64_t max,
			uint64_t *ret_number)
{
	char text[24], *end;

	if (!take_line(cursor, name, text, sizeof(text)) ||
	    !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && *ret_number <= max;
}

static bool take_binding(char *cursor, struct binding *binding)
{
	char card[2 * HYGIE_KEY_ID_SIZE + 1];
	uint64_t uid = 0;
	bool taken;

	taken = take_line(&cursor, "USER", binding->user, sizeof(binding->user)) &&
		take_number(&cursor, "UID", UINT32_MAX, &uid) &&
		take_line(&cursor, "CARD", card, sizeof(card)) &&
		hex_parse(card, HYGIE_KEY_ID_SIZE, binding->key_id) &&
		take_line(&cursor, "READER", binding->reader, sizeof(binding->reader)) &&
		take_line(&cursor, "SERVICE", binding->service,
			  sizeof(binding->service)) &&
		take_number(&cursor, "SINCE", UINT64_MAX, &binding->since);
	binding->uid = (uid_t)uid;
	return taken && *cursor == '\0';
}

int binding_read(const char *folder, const char *session, struct binding *ret_binding)
{
	struct binding binding = { .uid = 0 };
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int r;

	r = path_of(folder, session, path);
	if (r >= 0)
		r = trusted_file_read(path, OWNER, FILE_MAX, &text, &size, NULL);
	if (r < 0)
		return r;
	if (strlen(text) != size || !take_binding(text, &binding))
		return -EBADMSG;
	memcpy(binding.session, session, strlen(session) + 1);
	*ret_binding = binding;
	return 0;
}

int binding_remove(const char *folder, const char *session)
{
	char path[PATH_MAX];
	int r = path_of(folder, session, path);

	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int bindings_each(const char *folder,
		  void (*each)(void *context, const struct binding *binding),
		  void *context)
{
	cleanup_trusted_names struct trusted_names names = { .count = 0 };
	int r = trusted_folder_list(folder, "", OWNER, &names, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < names.count; i++) {
		struct binding binding;

		r = binding_read(folder, names.name[i], &binding);
		if (r < 0)
			log_warning("%s/%s: no binding of a session: %s", folder,
				    names.name[i], error_text(-r));
		else
			each(context, &binding);
	}
	return 0;
}
