/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening an envelope with what a token gave, or with a private key in memory.
 *
 * For RSA there is one way, whatever was given: a random key is made, it stands in for
 * anything that is not of a content key's size, and the content's tag decides. So a
 * padding error looks like a wrong key, and takes as long.
 */
#include "hygied/envelope_content.h"
#include "hygied/envelope_kdf.h"
#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

/* Of what was given, the content key; no branch depends on it. */
static int content_key_choose(const struct secret *given, struct secret **ret_key)
{
	const uint8_t *bytes = secret_bytes_const(given);
	size_t size = secret_size(given);
	uint8_t fits = (uint8_t)(0 - (unsigned)(size == CONTENT_KEY_SIZE));
	cleanup_secret struct secret *key = NULL;
	int r;

	r = secret_new(CONTENT_KEY_SIZE, &key);
	if (r < 0)
		return r;
	if (RAND_priv_bytes(secret_bytes(key), CONTENT_KEY_SIZE) != 1)
		return -EIO;
	for (size_t i = 0; i < CONTENT_KEY_SIZE; i++) {
		uint8_t *byte = secret_bytes(key) + i;

		*byte = (uint8_t)((bytes[i < size ? i : 0] & fits) |
				  (*byte & (uint8_t)~fits));
	}
	secret_set_size(key, CONTENT_KEY_SIZE);
	*ret_key = key;
	key = NULL;
	return 0;
}

static int content_key_unwrap(const struct envelope *envelope,
			      const struct envelope_task *task,
			      const struct secret *shared, struct secret **ret_key)
{
	const ENVELOPE_RI *ri =
		sk_ENVELOPE_RI_value(envelope->file->data->recipients, (int)task->index);
	cleanup_secret struct secret *kek = NULL;
	int r;

	if (secret_size(shared) != (task->size - 1) / 2)
		return -EKEYREJECTED;
	r = envelope_kek_derive(shared, &kek);
	if (r < 0)
		return r;
	return envelope_key_unwrap(
		kek,
		ASN1_STRING_get0_data(
			sk_ENVELOPE_REK_value(ri->d.kari->keys, 0)->encrypted_key),
		ret_key);
}

/* -EKEYREJECTED when the tag does not fit; then nothing of the content is left. */
static int content_decrypt(const struct envelope *envelope, const struct secret *key,
			   struct secret **ret_content)
{
	cleanup_cipher_ctx EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const ENVELOPE_DATA *data = envelope->file->data;
	const ASN1_OCTET_STRING *encrypted = data->content->encrypted;
	cleanup_secret struct secret *content = NULL;
	int size = 0, rest = 0;
	uint8_t mac[MAC_SIZE];
	int r;

	if (!context)
		return -ENOMEM;
	memcpy(mac, ASN1_STRING_get0_data(data->mac), sizeof(mac));
	r = secret_new(CONTENT_SIZE_MAX + MAC_SIZE, &content);
	if (r < 0)
		return r;
	if (EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), secret_bytes_const(key),
				envelope->nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(context, secret_bytes(content), &size,
			      ASN1_STRING_get0_data(encrypted),
			      ASN1_STRING_length(encrypted)) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, MAC_SIZE, mac) != 1)
		return -EIO;
	if (EVP_DecryptFinal_ex(context, secret_bytes(content) + size, &rest) != 1)
		return -EKEYREJECTED;
	secret_set_size(content, (size_t)size);
	*ret_content = content;
	content = NULL;
	return 0;
}

int envelope_open(const struct envelope *envelope, const struct envelope_task *task,
		  const struct secret *given, const struct envelope_store *expected,
		  struct envelope_opened *ret_opened)
{
	struct envelope_opened opened = { .verdict = ENVELOPE_SHUT };
	cleanup_secret struct secret *key = NULL, *content = NULL;
	int r;

	r = task->wrap == ENVELOPE_WRAP_EC
		    ? content_key_unwrap(envelope, task, given, &key)
		    : content_key_choose(given, &key);
	if (r == 0)
		r = content_decrypt(envelope, key, &content);
	ERR_clear_error();
	if (r == 0)
		r = envelope_content_read(content, envelope->recipients_hash, expected,
					  &opened);
	if (r < 0 && r != -EKEYREJECTED)
		return r;
	*ret_opened = opened;
	return 0;
}

/* What a token would give: nothing, of size 0, where the padding is wrong. */
static int rsa_decrypt(EVP_PKEY *key, const struct envelope_task *task,
		       struct secret **ret_given)
{
	cleanup_pkey_ctx EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	cleanup_secret struct secret *given = NULL;
	size_t size = RSA_BITS_MAX / 8;
	int r, done;

	if (!context)
		return -ENOMEM;
	r = secret_new(RSA_BITS_MAX / 8, &given);
	if (r < 0)
		return r;
	if (EVP_PKEY_decrypt_init(context) != 1 ||
	    !envelope_padding_set(context, task->wrap))
		return -EIO;
	done = EVP_PKEY_decrypt(context, secret_bytes(given), &size, task->data,
				task->size);
	secret_set_size(given, size * (size_t)(done == 1));
	*ret_given = given;
	given = NULL;
	return 0;
}

static int ec_derive(EVP_PKEY *key, const struct envelope_task *task,
		     struct secret **ret_given)
{
	cleanup_pkey EVP_PKEY *peer = envelope_peer_new(key, task->data, task->size);

	return peer ? envelope_agree(key, peer, ret_given) : -ENOMEM;
}

int envelope_open_with_key(const struct envelope *envelope, struct evp_pkey_st *key,
			   const struct envelope_store *expected,
			   struct envelope_opened *ret_opened)
{
	cleanup_secret struct secret *given = NULL;
	struct envelope_task task;
	int r;

	r = envelope_find_key(envelope, key, ENVELOPE_WRAP_NONE, &task);
	if (r < 0)
		return r;
	r = task.operation == TOKEN_DERIVE ? ec_derive(key, &task, &given)
					   : rsa_decrypt(key, &task, &given);
	ERR_clear_error();
	return r < 0 ? r : envelope_open(envelope, &task, given, expected, ret_opened);
}
