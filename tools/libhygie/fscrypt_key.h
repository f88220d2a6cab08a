/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the kernel's own encryption of folders (fscrypt: ext4, f2fs), as far as they can be
 * spoken of without having one: by its identifier, which the kernel derives from it
 * (Documentation/filesystems/fscrypt.rst, "User API"; policies of version 2).
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define FSCRYPT_KEY_ID_SIZE 16
#define FSCRYPT_KEY_ID_TEXT (2 * FSCRYPT_KEY_ID_SIZE + 1) /* bytes, in hexadecimal */

struct fscrypt_key_id {
	uint8_t bytes[FSCRYPT_KEY_ID_SIZE];
};

bool fscrypt_key_is_same(const struct fscrypt_key_id *a, const struct fscrypt_key_id *b);

void fscrypt_key_write(const struct fscrypt_key_id *id,
		       char ret_text[FSCRYPT_KEY_ID_TEXT]);
/* -EINVAL: not what fscrypt_key_write() writes. */
int fscrypt_key_parse(const char *text, struct fscrypt_key_id *ret_id) must_check;

/*
 * The key that a file or folder is encrypted with, whether it is there or not. -ENODATA:
 * it is not encrypted; -ENOTTY, -EOPNOTSUPP: its file system cannot do that, or is not to;
 * -EINVAL: by a policy of version 1.
 */
int fscrypt_key_of(int fd, struct fscrypt_key_id *ret_id) must_check;

/*
 * Encrypts what is put into an empty folder from now on: contents AES-256-XTS, names
 * AES-256-CTS, padded to 32 bytes. Needs no key. 0, also when it is so already; -EEXIST: it
 * has another policy; -ENOTTY, -EOPNOTSUPP as above; -EPERM, -ENOTEMPTY: it is the top of a
 * file system, or not empty.
 */
int fscrypt_key_assign(int fd, const struct fscrypt_key_id *id) must_check;

/*
 * Takes the key out of the file system that `fd` lies on, whoever put it there; blocks
 * until that file system is flushed. 1: the kernel has nothing of it any more; 0: the key
 * is gone, but files that are in use stay readable: ask again when they may be closed;
 * negative errno.
 */
int fscrypt_key_remove(int fd, const struct fscrypt_key_id *id) must_check;
