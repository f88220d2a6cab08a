/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a file to a struct envelope: the whole form is judged here, so that
 * what follows need not look again.
 */
#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

enum {
	FORM_AUTH_ENVELOPED = 0, /* versions of RFC 5083, 2.1, and RFC 5652, 6.2 */
	FORM_KTRI_BY_SERIAL = 0,
	FORM_KTRI_BY_KEY = 2,
	FORM_KARI = 3,
	UNUSED_BITS_MASK = 7,
};

static bool octets_are(const ASN1_OCTET_STRING *octets, int smallest, int largest)
{
	return ASN1_STRING_length(octets) >= smallest &&
	       ASN1_STRING_length(octets) <= largest;
}

static bool ktri_is_ours(const ENVELOPE_KTRI *ktri)
{
	int32_t version = ktri->rid->type == ENVELOPE_BY_KEY ? FORM_KTRI_BY_KEY
							     : FORM_KTRI_BY_SERIAL;

	return ktri->version == version &&
	       octets_are(ktri->encrypted_key, RSA_BITS_MIN / 8, RSA_BITS_MAX / 8);
}

static bool point_is_ours(const ASN1_BIT_STRING *point)
{
	int size = ASN1_STRING_length(point);

	return (size == POINT_SIZE_P256 || size == POINT_SIZE_P384) &&
	       (point->flags & UNUSED_BITS_MASK) == 0 &&
	       ASN1_STRING_get0_data(point)[0] == POINT_CONVERSION_UNCOMPRESSED;
}

static bool kari_is_ours(const ENVELOPE_KARI *kari)
{
	const ENVELOPE_ORIGINATOR_KEY *originator = kari->originator->d.key;

	return kari->version == FORM_KARI &&
	       envelope_algorithm_is(originator->algorithm, ALGORITHM_EC_PUBLIC_KEY) &&
	       point_is_ours(originator->point) && sk_ENVELOPE_REK_num(kari->keys) == 1 &&
	       octets_are(sk_ENVELOPE_REK_value(kari->keys, 0)->encrypted_key,
			  WRAPPED_KEY_SIZE, WRAPPED_KEY_SIZE);
}

enum envelope_wrap envelope_wrap_of(const ENVELOPE_RI *recipient)
{
	const X509_ALGOR *algorithm = recipient->type == ENVELOPE_KARI_TYPE
					      ? recipient->d.kari->algorithm
					      : recipient->d.ktri->algorithm;

	if (recipient->type == ENVELOPE_KARI_TYPE)
		return envelope_algorithm_is(algorithm, ALGORITHM_ECDH_SHA256_AES256_WRAP)
			       ? ENVELOPE_WRAP_EC
			       : ENVELOPE_WRAP_NONE;
	if (envelope_algorithm_is(algorithm, ALGORITHM_RSA_OAEP_SHA256))
		return ENVELOPE_WRAP_RSA_OAEP_SHA256;
	if (envelope_algorithm_is(algorithm, ALGORITHM_RSA_OAEP_SHA1))
		return ENVELOPE_WRAP_RSA_OAEP_SHA1;
	return envelope_algorithm_is(algorithm, ALGORITHM_RSA_PKCS1)
		       ? ENVELOPE_WRAP_RSA_PKCS1
		       : ENVELOPE_WRAP_NONE;
}

static bool recipients_are_ours(const STACK_OF(ENVELOPE_RI) * recipients)
{
	int count = sk_ENVELOPE_RI_num(recipients);

	if (count < 1 || count > ENVELOPE_RECIPIENTS_MAX)
		return false;
	for (int i = 0; i < count; i++) {
		const ENVELOPE_RI *recipient = sk_ENVELOPE_RI_value(recipients, i);

		if (envelope_wrap_of(recipient) == ENVELOPE_WRAP_NONE)
			return false;
		if (recipient->type == ENVELOPE_KARI_TYPE
			    ? !kari_is_ours(recipient->d.kari)
			    : !ktri_is_ours(recipient->d.ktri))
			return false;
	}
	return true;
}

/* AES-256-GCM with a nonce of 12 bytes, which is kept, and a tag of 16. */
static bool cipher_is_ours(const X509_ALGOR *algorithm, uint8_t ret_nonce[NONCE_SIZE])
{
	const ASN1_STRING *parameters;
	const ASN1_OBJECT *oid;
	const void *value;
	ENVELOPE_GCM *gcm;
	const uint8_t *at;
	bool ours;
	int type;

	X509_ALGOR_get0(&oid, &type, &value, algorithm);
	if (OBJ_obj2nid(oid) != NID_aes_256_gcm || type != V_ASN1_SEQUENCE)
		return false;
	parameters = value;
	at = ASN1_STRING_get0_data(parameters);
	gcm = d2i_ENVELOPE_GCM(NULL, &at, ASN1_STRING_length(parameters));
	ours = gcm && gcm->mac_size == MAC_SIZE &&
	       octets_are(gcm->nonce, NONCE_SIZE, NONCE_SIZE) &&
	       at == ASN1_STRING_get0_data(parameters) + ASN1_STRING_length(parameters);
	if (ours)
		memcpy(ret_nonce, ASN1_STRING_get0_data(gcm->nonce), NONCE_SIZE);
	ENVELOPE_GCM_free(gcm);
	return ours;
}

static bool file_is_ours(const ENVELOPE_FILE *file, uint8_t ret_nonce[NONCE_SIZE])
{
	const ENVELOPE_DATA *data = file->data;

	return OBJ_obj2nid(file->type) == NID_id_smime_ct_authEnvelopedData &&
	       data->version == FORM_AUTH_ENVELOPED &&
	       recipients_are_ours(data->recipients) &&
	       OBJ_obj2nid(data->content->type) == NID_pkcs7_data &&
	       cipher_is_ours(data->content->algorithm, ret_nonce) &&
	       octets_are(data->content->encrypted, 1, CONTENT_SIZE_MAX) &&
	       octets_are(data->mac, MAC_SIZE, MAC_SIZE);
}

/* Whether that is the one encoding (DER) of what was read from it. */
static bool file_is_der(const ENVELOPE_FILE *file, const void *der, size_t size)
{
	cleanup_bytes uint8_t *again = NULL;
	int again_size = i2d_ENVELOPE_FILE(file, &again);

	return again_size > 0 && (size_t)again_size == size &&
	       memcmp(again, der, size) == 0;
}

int envelope_recipients_hash(const STACK_OF(ENVELOPE_RI) * recipients,
			     uint8_t ret_hash[RECIPIENTS_HASH_SIZE])
{
	cleanup_bytes uint8_t *der = NULL;
	int size = ASN1_item_i2d((const ASN1_VALUE *)recipients, &der,
				 ASN1_ITEM_rptr(ENVELOPE_RECIPIENTS));

	return size > 0 && EVP_Digest(der, (size_t)size, ret_hash, NULL, EVP_sha256(),
				      NULL) == 1
		       ? 0
		       : -ENOMEM;
}

void envelope_free(struct envelope *envelope)
{
	if (!envelope)
		return;
	ENVELOPE_FILE_free(envelope->file);
	free(envelope);
}

int envelope_parse(const void *der, size_t size, struct envelope **ret_envelope)
{
	cleanup_envelope struct envelope *envelope = NULL;
	const uint8_t *at = der;
	int r;

	if (size == 0 || size > ENVELOPE_SIZE_MAX)
		return -EBADMSG;
	envelope = calloc(1, sizeof(*envelope));
	if (!envelope)
		return -ENOMEM;
	envelope->file = d2i_ENVELOPE_FILE(NULL, &at, (long)size);
	ERR_clear_error();
	if (!envelope->file || !file_is_der(envelope->file, der, size) ||
	    !file_is_ours(envelope->file, envelope->nonce)) {
		ERR_clear_error();
		return -EBADMSG;
	}
	r = envelope_recipients_hash(envelope->file->data->recipients,
				     envelope->recipients_hash);
	if (r < 0)
		return r;
	*ret_envelope = envelope;
	envelope = NULL;
	return 0;
}

size_t envelope_recipient_count(const struct envelope *envelope)
{
	return (size_t)sk_ENVELOPE_RI_num(envelope->file->data->recipients);
}

enum envelope_wrap envelope_recipient_wrap(const struct envelope *envelope, size_t index)
{
	return envelope_wrap_of(
		sk_ENVELOPE_RI_value(envelope->file->data->recipients, (int)index));
}
