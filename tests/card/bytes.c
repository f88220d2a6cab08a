/* SPDX-License-Identifier: Apache-2.0 */
/* A growing run of bytes for the virtual card; see bytes.h. */
#include "card/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

void bytes_clear(struct bytes *bytes)
{
	bytes->len = 0;
}

static void bytes_make_room(struct bytes *bytes, size_t more)
{
	size_t need = bytes->len + more;
	size_t room = bytes->room ? bytes->room : 256;

	if (need <= bytes->room)
		return;
	while (room < need)
		room *= 2;
	bytes->data = realloc(bytes->data, room);
	if (!bytes->data)
		abort();
	bytes->room = room;
}

void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (len == 0)
		return;
	bytes_make_room(bytes, len);
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

void bytes_add_u8(struct bytes *bytes, unsigned value)
{
	uint8_t one = (uint8_t)value;

	bytes_add(bytes, &one, 1);
}

void bytes_add_u16(struct bytes *bytes, unsigned value)
{
	bytes_add_u8(bytes, value >> 8 & 0xff);
	bytes_add_u8(bytes, value & 0xff);
}

void bytes_drop(struct bytes *bytes, size_t len)
{
	if (len >= bytes->len) {
		bytes->len = 0;
		return;
	}
	memmove(bytes->data, bytes->data + len, bytes->len - len);
	bytes->len -= len;
}

int bytes_read_file(const char *path, struct bytes *ret_bytes)
{
	FILE *file = fopen(path, "re");
	uint8_t chunk[4096];
	size_t got;
	int r;

	if (!file)
		return -errno;
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		bytes_add(ret_bytes, chunk, got);
	r = ferror(file) ? -EIO : 0;
	fclose(file);
	return r;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int bytes_from_hex(const char *hex, struct bytes *ret_bytes)
{
	int high = -1;

	for (; *hex; hex++) {
		int digit = hex_digit(*hex);

		if (*hex == ':' || isspace((unsigned char)*hex))
			continue;
		if (digit < 0)
			return -EINVAL;
		if (high < 0) {
			high = digit;
			continue;
		}
		bytes_add_u8(ret_bytes, (unsigned)(high << 4 | digit));
		high = -1;
	}
	return high < 0 ? 0 : -EINVAL;
}
