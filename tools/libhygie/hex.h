/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as hexadecimal digits, as card ids and tickets are written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * `size` small digits and a NUL into `ret_text`. */
void hex_write(const uint8_t *bytes, size_t size, char *ret_text);

/*
 * Reads exactly 2 * `size` digits, small or capital, and nothing else. On false some of
 * `ret_bytes` may have been written.
 */
bool hex_parse(const char *text, size_t size, uint8_t *ret_bytes);
