/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fscrypt_key.h.
 */
#include "libhygie/fscrypt_key.h"

#include <errno.h>
#include <linux/fscrypt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

bool fscrypt_key_is_same(const struct fscrypt_key_id *a, const struct fscrypt_key_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void fscrypt_key_write(const struct fscrypt_key_id *id,
		       char ret_text[FSCRYPT_KEY_ID_TEXT])
{
	for (size_t i = 0; i < FSCRYPT_KEY_ID_SIZE; i++)
		(void)snprintf(ret_text + 2 * i, 3, "%02x", id->bytes[i]);
}

int fscrypt_key_parse(const char *text, struct fscrypt_key_id *ret_id)
{
	struct fscrypt_key_id id;

	if (strlen(text) != FSCRYPT_KEY_ID_TEXT - 1 ||
	    strspn(text, "0123456789abcdef") != FSCRYPT_KEY_ID_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < FSCRYPT_KEY_ID_SIZE; i++) {
		const char pair[3] = { text[2 * i], text[2 * i + 1] };

		id.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*ret_id = id;
	return 0;
}

int fscrypt_key_of(int fd, struct fscrypt_key_id *ret_id)
{
	struct fscrypt_get_policy_ex_arg order = { .policy_size = sizeof(order.policy) };

	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &order) < 0)
		return -errno;
	if (order.policy.version != FSCRYPT_POLICY_V2)
		return -EINVAL;
	memcpy(ret_id->bytes, order.policy.v2.master_key_identifier,
	       sizeof(ret_id->bytes));
	return 0;
}

int fscrypt_key_assign(int fd, const struct fscrypt_key_id *id)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};

	memcpy(policy.master_key_identifier, id->bytes, sizeof(id->bytes));
	return ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) < 0 ? -errno : 0;
}

static struct fscrypt_key_specifier specifier(const struct fscrypt_key_id *id)
{
	struct fscrypt_key_specifier key = { .type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER };

	memcpy(key.u.identifier, id->bytes, sizeof(id->bytes));
	return key;
}

/*
 * What the removal says is believed only if asking for the key says the same. A disk that
 * cannot be written fails it, though the key is out by then.
 */
int fscrypt_key_remove(int fd, const struct fscrypt_key_id *id)
{
	struct fscrypt_remove_key_arg order = { .key_spec = specifier(id) };
	struct fscrypt_get_key_status_arg asked = { .key_spec = specifier(id) };

	int r = 0;

	if (ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS, &order) < 0 &&
	    errno != ENOKEY)
		r = -errno;
	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &asked) < 0)
		return -errno;
	if (r < 0 && asked.status == FSCRYPT_KEY_STATUS_PRESENT)
		return r;
	return asked.status == FSCRYPT_KEY_STATUS_ABSENT;
}
