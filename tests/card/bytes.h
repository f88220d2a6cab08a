/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes. It belongs to the virtual card, a test instrument: running out
 * of memory ends the program, and nothing here is wiped. Not for code that holds a
 * person's PIN.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t len;
	size_t room;
};

/* All of these accept a zeroed struct. `bytes_free` leaves such a one behind. */
void bytes_free(struct bytes *bytes);
void bytes_clear(struct bytes *bytes);

/* Appends `len` bytes; `data` may be NULL if `len` is 0, and must not lie in `bytes`. */
void bytes_add(struct bytes *bytes, const void *data, size_t len);
void bytes_add_u8(struct bytes *bytes, unsigned value);
void bytes_add_u16(struct bytes *bytes, unsigned value);

/* Drops `len` bytes from the front (all of them if there are fewer). */
void bytes_drop(struct bytes *bytes, size_t len);

/* Appends the whole file to `ret_bytes`. 0 or negative errno. */
int bytes_read_file(const char *path, struct bytes *ret_bytes);

/* Appends what the hexadecimal string says; blanks and colons are skipped. 0 or -EINVAL.
 */
int bytes_from_hex(const char *hex, struct bytes *ret_bytes);

#define cleanup_bytes __attribute__((cleanup(bytes_free)))
