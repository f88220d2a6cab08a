/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file system says of its own encryption (fscrypt, linux/fscrypt.h), without a key.
 */
#pragma once

#include "libhygie/attributes.h"

/*
 * Looks at the folder, or at the nearest one above it that is there. 1: it is encrypted
 * itself; 0: it is not, and could be; -EOPNOTSUPP: its file system encrypts nothing, or
 * was not told to; else a negative errno.
 */
int fscrypt_look(const char *folder) must_check;
