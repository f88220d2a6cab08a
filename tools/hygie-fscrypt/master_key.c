/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See master_key.h. It lies where the kernel is to read it: at the end of its argument.
 */
#include "hygie-fscrypt/master_key.h"

#include "libhygie/secret.h"

#include <errno.h>
#include <linux/fscrypt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>
#include <sys/ioctl.h>

#define KEY_SIZE 32
#define TEXT_SIZE 44    /* its base64 */
#define DECODED_SIZE 33 /* as EVP_DecodeBlock has it, with a byte for the padding */
#define LINE_ROOM 64

struct master_key {
	struct secret *argument;
};

static struct fscrypt_add_key_arg *argument_of(const struct master_key *key)
{
	return (struct fscrypt_add_key_arg *)(void *)secret_bytes(key->argument);
}

static int read_line(int fd, struct secret *line)
{
	size_t size = 0;
	ssize_t got = 1;

	while (got > 0 && size < LINE_ROOM) {
		got = read(fd, secret_bytes(line) + size, LINE_ROOM - size);
		if (got < 0)
			return -errno;
		size += (size_t)got;
	}
	secret_set_size(line, size);
	return size == TEXT_SIZE + 1 && secret_bytes(line)[TEXT_SIZE] == '\n' ? 0
									      : -EBADMSG;
}

/* EVP_DecodeBlock() takes blanks and misplaced padding: 44 characters of which one is "=". */
static int decode(const struct secret *line, struct secret *argument)
{
	const uint8_t *text = secret_bytes_const(line);
	struct fscrypt_add_key_arg *order = (void *)secret_bytes(argument);

	if (memchr(text, '=', TEXT_SIZE) != text + TEXT_SIZE - 1 ||
	    EVP_DecodeBlock(order->raw, text, TEXT_SIZE) != DECODED_SIZE)
		return -EBADMSG;
	secret_set_size(argument, sizeof(*order) + KEY_SIZE);
	order->raw_size = KEY_SIZE;
	return 0;
}

int master_key_read(int fd, struct master_key **ret_key)
{
	cleanup_secret struct secret *line = NULL;
	struct master_key *key = calloc(1, sizeof(*key));
	int r = key ? secret_new(LINE_ROOM, &line) : -ENOMEM;

	if (r == 0)
		r = secret_new(sizeof(struct fscrypt_add_key_arg) + DECODED_SIZE,
			       &key->argument);
	if (r == 0)
		r = read_line(fd, line);
	if (r == 0)
		r = decode(line, key->argument);
	if (r < 0) {
		master_key_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}

void master_key_free(struct master_key *key)
{
	if (!key)
		return;
	secret_free(key->argument);
	free(key);
}

/* Documentation/filesystems/fscrypt.rst: "Key derivation function", context 1. */
int master_key_identify(const struct master_key *key, struct fscrypt_key_id *ret_id)
{
	static char info[] = "fscrypt\0\1"; /* and not the NUL after it */
	static char digest[] = "SHA512";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						  argument_of(key)->raw, KEY_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
						  sizeof(info) - 1),
		OSSL_PARAM_construct_end(),
	};
	int done = context ? EVP_KDF_derive(context, ret_id->bytes, sizeof(ret_id->bytes),
					    parameters)
			   : 0;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return done == 1 ? 0 : -ENOPKG;
}

int master_key_add(const struct master_key *key, int fd, const struct fscrypt_key_id *id)
{
	struct fscrypt_add_key_arg *order = argument_of(key);
	struct fscrypt_key_id told;

	order->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, order) < 0)
		return -errno;
	memcpy(told.bytes, order->key_spec.u.identifier, sizeof(told.bytes));
	if (fscrypt_key_is_same(&told, id))
		return 0;
	(void)!fscrypt_key_remove(fd, &told);
	return -EKEYREJECTED;
}
