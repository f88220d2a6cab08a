/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which recipient a key or a certificate is, and what its token has to do.
 */
#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>

static const ENVELOPE_RI *recipient_at(const struct envelope *envelope, size_t index)
{
	return sk_ENVELOPE_RI_value(envelope->file->data->recipients, (int)index);
}

/* What names the recipient: one of the two is not NULL. */
static void recipient_names(const ENVELOPE_RI *recipient,
			    const ASN1_OCTET_STRING **ret_key_id,
			    const ENVELOPE_ISSUER_SERIAL **ret_serial)
{
	*ret_key_id = NULL;
	*ret_serial = NULL;
	if (recipient->type == ENVELOPE_KTRI_TYPE) {
		const ENVELOPE_RID *rid = recipient->d.ktri->rid;

		if (rid->type == ENVELOPE_BY_KEY)
			*ret_key_id = rid->d.key_id;
		else
			*ret_serial = rid->d.serial;
	} else {
		const ENVELOPE_KARI_RID *rid =
			sk_ENVELOPE_REK_value(recipient->d.kari->keys, 0)->rid;

		if (rid->type == ENVELOPE_BY_KEY)
			*ret_key_id = rid->d.key->key_id;
		else
			*ret_serial = rid->d.serial;
	}
}

static bool recipient_has_key_id(const ENVELOPE_RI *recipient, const uint8_t *id,
				 size_t size)
{
	const ENVELOPE_ISSUER_SERIAL *serial;
	const ASN1_OCTET_STRING *key_id;

	recipient_names(recipient, &key_id, &serial);
	return key_id && (size_t)ASN1_STRING_length(key_id) == size &&
	       memcmp(ASN1_STRING_get0_data(key_id), id, size) == 0;
}

/* As other programs write it: what the certificate says of itself. */
static bool recipient_has_certificate(const ENVELOPE_RI *recipient, X509 *x509)
{
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(x509);
	const ENVELOPE_ISSUER_SERIAL *serial;
	const ASN1_OCTET_STRING *key_id;

	recipient_names(recipient, &key_id, &serial);
	if (key_id)
		return own && ASN1_OCTET_STRING_cmp(key_id, own) == 0;
	return serial && X509_NAME_cmp(serial->issuer, X509_get_issuer_name(x509)) == 0 &&
	       ASN1_INTEGER_cmp(serial->serial, X509_get0_serialNumber(x509)) == 0;
}

static int task_for_rsa(const ENVELOPE_KTRI *ktri, const EVP_PKEY *key,
			struct envelope_task *task)
{
	task->operation = TOKEN_DECRYPT;
	if (task->wrap == ENVELOPE_WRAP_RSA_OAEP_SHA256)
		task->oaep_hash = 256;
	else if (task->wrap == ENVELOPE_WRAP_RSA_OAEP_SHA1)
		task->oaep_hash = 1;
	task->data = ASN1_STRING_get0_data(ktri->encrypted_key);
	task->size = (size_t)ASN1_STRING_length(ktri->encrypted_key);
	return task->size == (size_t)EVP_PKEY_get_size(key) ? 0 : -EKEYREJECTED;
}

static int task_for_ec(const ENVELOPE_KARI *kari, const EVP_PKEY *key,
		       struct envelope_task *task)
{
	const ASN1_BIT_STRING *point = kari->originator->d.key->point;
	EVP_PKEY *peer;

	task->operation = TOKEN_DERIVE;
	task->data = ASN1_STRING_get0_data(point);
	task->size = (size_t)ASN1_STRING_length(point);
	/* A point off the curve would ask the card's key to give itself away. */
	peer = envelope_peer_new(key, task->data, task->size);
	EVP_PKEY_free(peer);
	return peer ? 0 : -EKEYREJECTED;
}

static int task_make(const struct envelope *envelope, size_t index, const EVP_PKEY *key,
		     enum envelope_wrap recorded, struct envelope_task *ret_task)
{
	const ENVELOPE_RI *recipient = recipient_at(envelope, index);
	struct envelope_task task = { .index = index,
				      .wrap = envelope_wrap_of(recipient) };
	int r;

	if ((recorded != ENVELOPE_WRAP_NONE && recorded != task.wrap) ||
	    !envelope_key_takes(key, task.wrap))
		return -EKEYREJECTED;
	r = recipient->type == ENVELOPE_KARI_TYPE
		    ? task_for_ec(recipient->d.kari, key, &task)
		    : task_for_rsa(recipient->d.ktri, key, &task);
	if (r == 0)
		*ret_task = task;
	return r;
}

int envelope_find_key(const struct envelope *envelope, const struct evp_pkey_st *key,
		      enum envelope_wrap recorded, struct envelope_task *ret_task)
{
	uint8_t id[ENVELOPE_KEY_ID_SIZE];
	int r = envelope_key_id(key, id);

	if (r < 0)
		return r;
	for (size_t i = 0; i < envelope_recipient_count(envelope); i++)
		if (recipient_has_key_id(recipient_at(envelope, i), id, sizeof(id)))
			return task_make(envelope, i, key, recorded, ret_task);
	return -ENOENT;
}

int envelope_find(const struct envelope *envelope, const struct certificate *certificate,
		  enum envelope_wrap recorded, struct envelope_task *ret_task)
{
	X509 *x509 = certificate_x509(certificate);
	const EVP_PKEY *key = X509_get0_pubkey(x509);
	int r = envelope_find_key(envelope, key, recorded, ret_task);

	for (size_t i = 0; r == -ENOENT && i < envelope_recipient_count(envelope); i++)
		if (recipient_has_certificate(recipient_at(envelope, i), x509))
			return task_make(envelope, i, key, recorded, ret_task);
	return r;
}
