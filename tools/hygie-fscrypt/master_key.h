/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master key of an encrypted folder: the 32 bytes that a store's secret is the base64
 * of. The kernel derives from it what it needs (HKDF-SHA512), and so nobody stretches it.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/fscrypt_key.h"

struct master_key;

/*
 * Reads the secret, a line, from `fd` to its end. The caller frees the result. -EBADMSG: it
 * is not 32 bytes of base64.
 */
int master_key_read(int fd, struct master_key **ret_key) must_check;
/* Wipes; takes NULL. */
void master_key_free(struct master_key *key);

/* How the kernel will call it: so a wrong one need not be given to it. */
int master_key_identify(const struct master_key *key,
			struct fscrypt_key_id *ret_id) must_check;

/*
 * Gives it to the file system that `fd` lies on. 0; -EKEYREJECTED: the kernel calls it by
 * another identifier than `id`, and it is out again; negative errno.
 */
int master_key_add(const struct master_key *key, int fd,
		   const struct fscrypt_key_id *id) must_check;

define_cleanup(cleanup_master_key_function, struct master_key, master_key_free)
#define cleanup_master_key cleanup_with(cleanup_master_key_function)
