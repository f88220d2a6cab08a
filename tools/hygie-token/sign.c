/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing a mechanism and signing; see sign.h.
 *
 * Digests that the token's mechanism does not make itself come from libcrypto: OpenSC,
 * ykcs11 and SoftHSM bring it into this process anyway, a digest of our own would be own
 * cryptography, and the module's C_Digest is missing in some modules.
 */
#include "hygie-token/sign.h"

#include "hygie-token/object.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define DIGEST_INFO_PREFIX_SIZE 19
#define DIGEST_MAX 64

enum curve {
	CURVE_NONE,  /* not an EC key */
	CURVE_OTHER, /* P-256, or one that the token does not name */
	CURVE_P384,
};

enum preparation {
	WHOLE_DATA,     /* the mechanism digests */
	ONLY_DIGEST,    /* we digest */
	IN_DIGEST_INFO, /* we digest, and wrap it as RFC 8017, 9.2 says */
};

struct manner {
	CK_KEY_TYPE key_type;
	enum curve curve;
	CK_MECHANISM_TYPE mechanism;
	enum preparation preparation;
	enum signature_scheme scheme;
};

/*
 * In order of preference. The card gets the same APDUs either way with OpenSC, which
 * digests in software (measured: PIV RSA 3, PIV EC 1), so the first is what needs least
 * of us; PSS last, since fewer cards do it and then often in software over raw RSA.
 */
static const struct manner manners[] = {
	{ CKK_RSA, CURVE_NONE, CKM_SHA256_RSA_PKCS, WHOLE_DATA,
	  SIGNATURE_RSA_PKCS1_SHA256 },
	{ CKK_RSA, CURVE_NONE, CKM_RSA_PKCS, IN_DIGEST_INFO, SIGNATURE_RSA_PKCS1_SHA256 },
	{ CKK_RSA, CURVE_NONE, CKM_SHA256_RSA_PKCS_PSS, WHOLE_DATA,
	  SIGNATURE_RSA_PSS_SHA256 },
	{ CKK_RSA, CURVE_NONE, CKM_RSA_PKCS_PSS, ONLY_DIGEST, SIGNATURE_RSA_PSS_SHA256 },
	{ CKK_EC, CURVE_P384, CKM_ECDSA_SHA384, WHOLE_DATA, SIGNATURE_ECDSA_SHA384 },
	{ CKK_EC, CURVE_P384, CKM_ECDSA, ONLY_DIGEST, SIGNATURE_ECDSA_SHA384 },
	{ CKK_EC, CURVE_OTHER, CKM_ECDSA_SHA256, WHOLE_DATA, SIGNATURE_ECDSA_SHA256 },
	{ CKK_EC, CURVE_OTHER, CKM_ECDSA, ONLY_DIGEST, SIGNATURE_ECDSA_SHA256 },
};

static enum curve key_curve(const struct token *token, const struct key *key)
{
	/* secp384r1, 1.3.132.0.34 (SEC 2), as an OBJECT IDENTIFIER in DER */
	static const uint8_t p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
	uint8_t parameters[64];
	size_t size;

	if (key->type != CKK_EC)
		return CURVE_NONE;
	if (object_attribute(token, key->handle, CKA_EC_PARAMS, parameters,
			     sizeof(parameters), &size) &&
	    size == sizeof(p384) && memcmp(parameters, p384, sizeof(p384)) == 0)
		return CURVE_P384;
	return CURVE_OTHER;
}

static const struct manner *manner_choose(const struct token *token,
					  const struct key *key)
{
	enum curve curve = key_curve(token, key);

	for (size_t i = 0; i < array_size(manners); i++)
		if (manners[i].key_type == key->type && manners[i].curve == curve &&
		    token_has_mechanism(token, manners[i].mechanism))
			return &manners[i];
	return NULL;
}

static int digest(enum signature_scheme scheme, const uint8_t *data, size_t size,
		  uint8_t *ret_digest, size_t *ret_size)
{
	const EVP_MD *kind =
		scheme == SIGNATURE_ECDSA_SHA384 ? EVP_sha384() : EVP_sha256();
	unsigned used;

	if (EVP_Digest(data, size, ret_digest, &used, kind, NULL) != 1)
		return -EIO;
	*ret_size = used;
	return 0;
}

int sign_warm_up(void)
{
	uint8_t bytes[DIGEST_MAX] = { 0 };
	size_t size;
	int r;

	r = digest(SIGNATURE_ECDSA_SHA384, bytes, 1, bytes, &size);
	return r < 0 ? r : digest(SIGNATURE_ECDSA_SHA256, bytes, 1, bytes, &size);
}

/* What goes into C_Sign, in `ret_input` of LOGIN_DATA_MAX bytes. */
static int input_prepare(const struct manner *manner,
			 const struct login_operation *operation, uint8_t *ret_input,
			 size_t *ret_size)
{
	/* DigestInfo of SHA-256 up to the digest: RFC 8017, 9.2, note 1 */
	static const uint8_t prefix[DIGEST_INFO_PREFIX_SIZE] = {
		0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
	};
	size_t before = 0, size;
	int r;

	if (manner->preparation == WHOLE_DATA) {
		memcpy(ret_input, operation->data, operation->data_size);
		*ret_size = operation->data_size;
		return 0;
	}
	if (manner->preparation == IN_DIGEST_INFO) {
		memcpy(ret_input, prefix, sizeof(prefix));
		before = sizeof(prefix);
	}
	r = digest(manner->scheme, operation->data, operation->data_size,
		   ret_input + before, &size);
	if (r < 0)
		return r;
	*ret_size = before + size;
	return 0;
}

static enum hygie_outcome sign_begin(const struct token *token, const struct key *key,
				     const struct manner *manner, struct failure *failure)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_MECHANISM mechanism = { manner->mechanism, NULL, 0 };
	CK_RV rv;

	if (manner->scheme == SIGNATURE_RSA_PSS_SHA256) {
		mechanism.pParameter = &pss;
		mechanism.ulParameterLen = sizeof(pss);
	}
	rv = token->functions->C_SignInit(token->session, &mechanism, key->handle);
	return rv == CKR_OK ? HYGIE_OK : failure_pkcs11(failure, "C_SignInit", rv);
}

enum hygie_outcome key_sign(const struct token *token, const struct key *key,
			    const struct login_operation *operation, struct secret *pin,
			    struct signature *ret_signature, struct failure *failure)
{
	const struct manner *manner = manner_choose(token, key);
	uint8_t input[LOGIN_DATA_MAX];
	enum hygie_outcome outcome;
	CK_ULONG size = SIGNATURE_MAX;
	size_t input_size;
	CK_RV rv;

	if (!manner)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "no usable mechanism for a key of type 0x%lx",
				   key->type);
	if (input_prepare(manner, operation, input, &input_size) < 0)
		return failure_set(failure, HYGIE_FAULT, "cannot digest");
	outcome = sign_begin(token, key, manner, failure);
	if (outcome == HYGIE_OK)
		outcome = key_authenticate(token, key, pin, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	rv = token->functions->C_Sign(token->session, input, input_size,
				      ret_signature->bytes, &size);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_Sign", rv);
	if (size == 0 || size > SIGNATURE_MAX)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "C_Sign: a signature of %lu bytes", size);
	ret_signature->scheme = manner->scheme;
	ret_signature->size = size;
	return HYGIE_OK;
}
