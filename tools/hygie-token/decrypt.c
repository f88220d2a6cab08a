/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA decryption; see decrypt.h.
 */
#include "hygie-token/decrypt.h"

#include <errno.h>
#include <sys/random.h>

#define CONTENT_KEY_SIZE 32 /* bytes: AES-256 */
#define PLAIN_MAX 1024      /* bytes: RSA-8192 */
#define CIPHERTEXT_MIN                                                                   \
	128 /* bytes: RSA-1024; OpenSC spins for ever on a wrong huge one */
#define CIPHERTEXT_MAX 1024 /* bytes: RSA-8192 */

static enum hygie_outcome decrypt_begin(const struct token *token, const struct key *key,
					uint32_t oaep_hash, struct failure *failure)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED,
					 NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	CK_RV rv;

	if (oaep_hash == 256) {
		oaep.hashAlg = CKM_SHA256;
		oaep.mgf = CKG_MGF1_SHA256;
	}
	if (oaep_hash != 0)
		mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };
	if (key->type != CKK_RSA || !token_has_mechanism(token, mechanism.mechanism))
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "the key cannot decrypt as asked");
	rv = token->functions->C_DecryptInit(token->session, &mechanism, key->handle);
	return rv == CKR_OK ? HYGIE_OK : failure_pkcs11(failure, "C_DecryptInit", rv);
}

/* A random content key, made before it is known whether one is needed. */
static int stand_in_new(struct secret **ret_key)
{
	cleanup_secret struct secret *key = NULL;
	int r;

	r = secret_new(CONTENT_KEY_SIZE, &key);
	if (r < 0)
		return r;
	if (getrandom(secret_bytes(key), CONTENT_KEY_SIZE, 0) != CONTENT_KEY_SIZE)
		return -EIO;
	secret_set_size(key, CONTENT_KEY_SIZE);
	*ret_key = key;
	key = NULL;
	return 0;
}

/*
 * Whether that came of the ciphertext, or may have. PKCS#11 has words for it
 * (CKR_ENCRYPTED_DATA_INVALID, OpenSC's), but SoftHSM says CKR_GENERAL_ERROR, which is
 * also what OpenSC says of a card that was pulled a moment ago. hygied sees that by
 * itself, and a signature asked for after this fails.
 */
static bool rv_is_of_padding(CK_RV rv)
{
	return rv != CKR_OK && outcome_of_rv(rv) == HYGIE_CARD_BROKEN;
}

/* C_Decrypt into `plain`; the stand-in takes its place where the ciphertext is bad. */
static enum hygie_outcome decrypt_run(const struct token *token,
				      const struct login_operation *operation,
				      struct secret **plain, struct secret **stand_in,
				      struct failure *failure)
{
	uint8_t input[LOGIN_DATA_MAX];
	CK_ULONG size = PLAIN_MAX;
	CK_RV rv;

	for (size_t i = 0; i < operation->data_size; i++)
		input[i] = operation->data[i];
	rv = token->functions->C_Decrypt(token->session, input, operation->data_size,
					 secret_bytes(*plain), &size);
	if (rv_is_of_padding(rv)) {
		struct secret *swapped = *plain;

		*plain = *stand_in;
		*stand_in = swapped;
		return HYGIE_OK;
	}
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_Decrypt", rv);
	if (size > PLAIN_MAX)
		return failure_set(failure, HYGIE_CARD_BROKEN, "C_Decrypt: %lu bytes",
				   size);
	secret_set_size(*plain, size);
	return HYGIE_OK;
}

enum hygie_outcome key_decrypt(const struct token *token, const struct key *key,
			       const struct login_operation *operation,
			       struct secret *pin, struct secret **ret_plain,
			       struct failure *failure)
{
	cleanup_secret struct secret *plain = NULL, *stand_in = NULL;
	enum hygie_outcome outcome;
	int r;

	if (operation->data_size < CIPHERTEXT_MIN ||
	    operation->data_size > CIPHERTEXT_MAX)
		return failure_set(failure, HYGIE_BAD_REQUEST,
				   "a ciphertext of %zu bytes", operation->data_size);
	r = secret_new(PLAIN_MAX, &plain);
	if (r == 0)
		r = stand_in_new(&stand_in);
	if (r < 0)
		return failure_errno(failure, "decrypt", r);
	outcome = decrypt_begin(token, key, operation->oaep_hash, failure);
	if (outcome == HYGIE_OK)
		outcome = key_authenticate(token, key, pin, failure);
	if (outcome == HYGIE_OK)
		outcome = decrypt_run(token, operation, &plain, &stand_in, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	*ret_plain = plain;
	plain = NULL;
	return HYGIE_OK;
}
