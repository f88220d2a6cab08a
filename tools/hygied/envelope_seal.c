/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an envelope: a new content key, encrypted to each recipient.
 */
#include "hygied/envelope_content.h"
#include "hygied/envelope_kdf.h"
#include "hygied/envelope_own.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

static void file_free(ENVELOPE_FILE **file)
{
	ENVELOPE_FILE_free(*file);
}

static void recipient_free(ENVELOPE_RI **recipient)
{
	ENVELOPE_RI_free(*recipient);
}

/* Puts the one encoding of that algorithm where a template has an empty one. */
static int algorithm_put(X509_ALGOR **algorithm, enum envelope_algorithm which)
{
	X509_ALGOR_free(*algorithm);
	*algorithm = envelope_algorithm_new(which);
	return *algorithm ? 0 : -ENOMEM;
}

static int octets_put(ASN1_OCTET_STRING *octets, const uint8_t *bytes, size_t size)
{
	return ASN1_OCTET_STRING_set(octets, bytes, (int)size) == 1 ? 0 : -ENOMEM;
}

static enum envelope_algorithm rsa_algorithm(enum envelope_wrap wrap)
{
	switch (wrap) {
	case ENVELOPE_WRAP_RSA_OAEP_SHA256:
		return ALGORITHM_RSA_OAEP_SHA256;
	case ENVELOPE_WRAP_RSA_OAEP_SHA1:
		return ALGORITHM_RSA_OAEP_SHA1;
	default:
		return ALGORITHM_RSA_PKCS1;
	}
}

static int rsa_encrypt(const struct envelope_recipient *recipient,
		       const struct secret *content_key, ASN1_OCTET_STRING *encrypted)
{
	cleanup_pkey_ctx EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(NULL, recipient->key, NULL);
	uint8_t bytes[RSA_BITS_MAX / 8];
	size_t size = sizeof(bytes);

	if (!context)
		return -ENOMEM;
	if (EVP_PKEY_encrypt_init(context) != 1 ||
	    !envelope_padding_set(context, recipient->wrap) ||
	    EVP_PKEY_encrypt(context, bytes, &size, secret_bytes_const(content_key),
			     secret_size(content_key)) != 1)
		return -EIO;
	return octets_put(encrypted, bytes, size);
}

static int ktri_fill(ENVELOPE_RI *ri, const struct envelope_recipient *recipient,
		     const uint8_t *id, const struct secret *content_key)
{
	ENVELOPE_KTRI *ktri = ENVELOPE_KTRI_new();
	int r;

	if (!ktri)
		return -ENOMEM;
	ri->type = ENVELOPE_KTRI_TYPE;
	ri->d.ktri = ktri;
	ktri->version = 2; /* by a key's identifier */
	ktri->rid->type = ENVELOPE_BY_KEY;
	ktri->rid->d.key_id = ASN1_OCTET_STRING_new();
	if (!ktri->rid->d.key_id)
		return -ENOMEM;
	r = octets_put(ktri->rid->d.key_id, id, ENVELOPE_KEY_ID_SIZE);
	if (r == 0)
		r = algorithm_put(&ktri->algorithm, rsa_algorithm(recipient->wrap));
	return r < 0 ? r : rsa_encrypt(recipient, content_key, ktri->encrypted_key);
}

/* Agrees with the recipient's key by one made for this, whose point is told. */
static int ec_wrap(EVP_PKEY *key, const struct secret *content_key,
		   uint8_t ret_wrapped[WRAPPED_KEY_SIZE], ASN1_BIT_STRING *point)
{
	cleanup_pkey EVP_PKEY *own = EVP_PKEY_Q_keygen(
		NULL, NULL, "EC",
		envelope_point_size(key) == POINT_SIZE_P256 ? "P-256" : "P-384");
	cleanup_secret struct secret *shared = NULL, *kek = NULL;
	cleanup_bytes uint8_t *bytes = NULL;
	size_t size;
	int r;

	size = own ? EVP_PKEY_get1_encoded_public_key(own, &bytes) : 0;
	if (size != envelope_point_size(key) ||
	    ASN1_BIT_STRING_set(point, bytes, (int)size) != 1)
		return -ENOMEM;
	/* All bits are used; without a word, zeros at the end would be cut. */
	point->flags |= ASN1_STRING_FLAG_BITS_LEFT;
	r = envelope_agree(own, key, &shared);
	if (r == 0)
		r = envelope_kek_derive(shared, &kek);
	return r < 0 ? r : envelope_key_wrap(kek, content_key, ret_wrapped);
}

/* The one RecipientEncryptedKey of a KeyAgreeRecipientInfo. */
static int rek_add(ENVELOPE_KARI *kari, const uint8_t *id,
		   const uint8_t wrapped[WRAPPED_KEY_SIZE])
{
	ENVELOPE_REK *rek = ENVELOPE_REK_new();

	if (!rek || sk_ENVELOPE_REK_push(kari->keys, rek) < 1) {
		ENVELOPE_REK_free(rek);
		return -ENOMEM;
	}
	rek->rid->type = ENVELOPE_BY_KEY;
	rek->rid->d.key = ENVELOPE_RKEY_new();
	if (!rek->rid->d.key ||
	    octets_put(rek->rid->d.key->key_id, id, ENVELOPE_KEY_ID_SIZE) < 0)
		return -ENOMEM;
	return octets_put(rek->encrypted_key, wrapped, WRAPPED_KEY_SIZE);
}

static int kari_fill(ENVELOPE_RI *ri, const struct envelope_recipient *recipient,
		     const uint8_t *id, const struct secret *content_key)
{
	ENVELOPE_KARI *kari = ENVELOPE_KARI_new();
	uint8_t wrapped[WRAPPED_KEY_SIZE];
	ENVELOPE_ORIGINATOR_KEY *originator;
	int r;

	if (!kari)
		return -ENOMEM;
	ri->type = ENVELOPE_KARI_TYPE;
	ri->d.kari = kari;
	originator = ENVELOPE_ORIGINATOR_KEY_new();
	if (!originator)
		return -ENOMEM;
	kari->originator->type = 0;
	kari->originator->d.key = originator;
	kari->version = 3;
	r = algorithm_put(&originator->algorithm, ALGORITHM_EC_PUBLIC_KEY);
	if (r == 0)
		r = algorithm_put(&kari->algorithm, ALGORITHM_ECDH_SHA256_AES256_WRAP);
	if (r == 0)
		r = ec_wrap(recipient->key, content_key, wrapped, originator->point);
	return r < 0 ? r : rek_add(kari, id, wrapped);
}

static int recipient_add(STACK_OF(ENVELOPE_RI) * recipients,
			 const struct envelope_recipient *recipient, const uint8_t *id,
			 const struct secret *content_key)
{
	cleanup_with(recipient_free) ENVELOPE_RI *ri = ENVELOPE_RI_new();
	int r;

	if (!ri)
		return -ENOMEM;
	r = recipient->wrap == ENVELOPE_WRAP_EC
		    ? kari_fill(ri, recipient, id, content_key)
		    : ktri_fill(ri, recipient, id, content_key);
	if (r < 0)
		return r;
	if (sk_ENVELOPE_RI_push(recipients, ri) < 1)
		return -ENOMEM;
	ri = NULL;
	return 0;
}

static int recipients_fill(STACK_OF(ENVELOPE_RI) * list,
			   const struct envelope_recipient *recipients, size_t count,
			   const struct secret *content_key)
{
	uint8_t ids[ENVELOPE_RECIPIENTS_MAX][ENVELOPE_KEY_ID_SIZE];

	for (size_t i = 0; i < count; i++) {
		int r = envelope_key_id(recipients[i].key, ids[i]);

		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (memcmp(ids[i], ids[j], ENVELOPE_KEY_ID_SIZE) == 0)
				return -EEXIST;
		r = recipient_add(list, &recipients[i], ids[i], content_key);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The algorithm with its nonce, as GCMParameters (RFC 5084, 3.2). */
static int cipher_put(X509_ALGOR *algorithm, const uint8_t nonce[NONCE_SIZE])
{
	ENVELOPE_GCM *gcm = ENVELOPE_GCM_new();
	ASN1_STRING *packed = NULL;
	int r = -ENOMEM;

	if (gcm && octets_put(gcm->nonce, nonce, NONCE_SIZE) == 0) {
		gcm->mac_size = MAC_SIZE;
		packed = ASN1_item_pack(gcm, ASN1_ITEM_rptr(ENVELOPE_GCM), NULL);
	}
	if (packed && X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_aes_256_gcm),
				      V_ASN1_SEQUENCE, packed) == 1) {
		packed = NULL;
		r = 0;
	}
	ASN1_STRING_free(packed);
	ENVELOPE_GCM_free(gcm);
	return r;
}

static int content_encrypt(const struct secret *content, const struct secret *key,
			   ENVELOPE_DATA *data)
{
	cleanup_cipher_ctx EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t nonce[NONCE_SIZE], mac[MAC_SIZE], encrypted[CONTENT_SIZE_MAX];
	int size = 0, rest = 0;
	int r;

	if (!context)
		return -ENOMEM;
	if (RAND_bytes(nonce, sizeof(nonce)) != 1 ||
	    EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), secret_bytes_const(key),
				nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(context, encrypted, &size, secret_bytes_const(content),
			      (int)secret_size(content)) != 1 ||
	    EVP_EncryptFinal_ex(context, encrypted + size, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, MAC_SIZE, mac) != 1)
		return -EIO;
	r = octets_put(data->mac, mac, sizeof(mac));
	if (r == 0)
		r = octets_put(data->content->encrypted, encrypted, (size_t)size);
	return r < 0 ? r : cipher_put(data->content->algorithm, nonce);
}

static int file_fill(ENVELOPE_FILE *file, const struct secret *secret,
		     const struct envelope_store *store,
		     const struct envelope_recipient *recipients, size_t count)
{
	cleanup_secret struct secret *key = NULL, *content = NULL;
	uint8_t hash[RECIPIENTS_HASH_SIZE];
	ENVELOPE_DATA *data = file->data;
	int r;

	file->type = OBJ_nid2obj(NID_id_smime_ct_authEnvelopedData);
	data->content->type = OBJ_nid2obj(NID_pkcs7_data);
	r = secret_new(CONTENT_KEY_SIZE, &key);
	if (r < 0)
		return r;
	if (RAND_priv_bytes(secret_bytes(key), CONTENT_KEY_SIZE) != 1)
		return -EIO;
	secret_set_size(key, CONTENT_KEY_SIZE);
	r = recipients_fill(data->recipients, recipients, count, key);
	if (r == 0)
		r = envelope_recipients_hash(data->recipients, hash);
	if (r == 0)
		r = envelope_content_write(secret, store, hash, &content);
	return r < 0 ? r : content_encrypt(content, key, data);
}

int envelope_seal(const struct secret *secret, const struct envelope_store *store,
		  const struct envelope_recipient *recipients, size_t count,
		  uint8_t **ret_der, size_t *ret_size)
{
	cleanup_with(file_free) ENVELOPE_FILE *file = NULL;
	uint8_t *der = NULL;
	int r, size;

	if (count == 0 || count > ENVELOPE_RECIPIENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!envelope_key_takes(recipients[i].key, recipients[i].wrap))
			return -EINVAL;
	file = ENVELOPE_FILE_new();
	if (!file)
		return -ENOMEM;
	r = file_fill(file, secret, store, recipients, count);
	size = r < 0 ? -1 : i2d_ENVELOPE_FILE(file, &der);
	ERR_clear_error();
	if (size < 0)
		return r < 0 ? r : -ENOMEM;
	*ret_der = der;
	*ret_size = (size_t)size;
	return 0;
}
