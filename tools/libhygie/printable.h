/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from a card, a certificate or a peer, made fit for a terminal, a prompt or a log
 * line. This only changes what a person sees: it is not a validator, and what it returns
 * is never compared with anything or used as a key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of destination that hold any source of n bytes without a cut, NUL included. */
#define PRINTABLE_SIZE(n) (4 * (n) + 1)

/*
 * Copies src (src_size bytes, need not end in NUL, may hold NULs) to dst as valid UTF-8
 * that moves no cursor and turns no line. Written as \xNN, byte by byte: C0 and C1
 * controls, DEL, the backslash (so that no two sources look alike), malformed UTF-8
 * (overlong, surrogates, beyond U+10FFFF), and characters that reorder, hide or break
 * text: U+00AD, U+061C, U+180E, U+200B..200F, U+2028..202E, U+2060..206F, U+FEFF,
 * U+FFF9..FFFB, U+E0000..E007F.
 *
 * dst always ends in NUL (unless dst_size is 0) and is never cut inside a character or an
 * escape; what does not fit is left out and the text ends in "..." (where four bytes
 * fit). Returns the length written, without the NUL. Allocates nothing, cannot fail.
 */
size_t printable_copy(char *dst, size_t dst_size, const void *src, size_t src_size);

/*
 * Whether printable_copy would leave these bytes as they are, backslashes aside:
 * well-formed UTF-8 without controls and without characters that mislead the eye.
 */
bool printable_is_clean(const void *src, size_t src_size);
