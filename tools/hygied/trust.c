/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges certificates against the loaded CAs; declared in trust.h. OpenSSL builds and
 * checks the chain (RFC 5280, strictly); what a login needs beyond that is here. Each
 * check can only refuse: TRUST_OK is said in one place, after all of them.
 */
#include "hygied/trust_anchors.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
	CHAIN_DEPTH_MAX = 8,
	AUTH_LEVEL = 2, /* 112 bits: RSA of 2048, no SHA-1, no MD5 */
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192, /* beyond, checking becomes an attack by itself */
};

/* One scheme's answer. */
struct chain_result {
	int error; /* X509_V_OK or why not */
	int depth; /* where in the chain; 0 is the card's certificate */
	STACK_OF(X509) * chain;
};

static void store_ctx_free_function(X509_STORE_CTX **ctx)
{
	X509_STORE_CTX_free(*ctx);
}

static void chain_free_function(STACK_OF(X509) * *chain)
{
	sk_X509_pop_free(*chain, X509_free);
}

static void usages_free_function(EXTENDED_KEY_USAGE **usages)
{
	EXTENDED_KEY_USAGE_free(*usages);
}

/*
 * No purpose is given: OpenSSL's "client" would refuse certificates and CAs that are for
 * smart card logon alone. usages_judge checks the whole chain instead.
 */
static int chain_build(const struct trust_anchors *anchors, X509 *leaf, time_t now,
		       struct chain_result *ret_result)
{
	cleanup_with(store_ctx_free_function) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int verified;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, anchors->store, leaf, anchors->intermediates) != 1)
		return -ENOMEM;
	param = X509_STORE_CTX_get0_param(ctx);
	if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT |
						       X509_V_FLAG_POLICY_CHECK) != 1)
		return -EIO;
	/* No policy of ours: only what a CA above demands. Left out, OpenSSL takes it for
	 * "none". */
	if (X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)) != 1)
		return -ENOMEM;
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH_MAX);
	X509_VERIFY_PARAM_set_time(param, now);

	verified = X509_verify_cert(ctx);
	if (verified < 0) /* not refused: it could not be judged */
		return -ENOMEM;
	if (verified == 1) {
		ret_result->chain = X509_STORE_CTX_get1_chain(ctx);
		if (ret_result->chain == NULL)
			return -ENOMEM;
		ret_result->error = X509_V_OK;
		return 0;
	}
	ret_result->error = X509_STORE_CTX_get_error(ctx);
	ret_result->depth = X509_STORE_CTX_get_error_depth(ctx);
	if (ret_result->error == X509_V_ERR_OUT_OF_MEM)
		return -ENOMEM;
	if (ret_result->error == X509_V_OK) /* refused without saying why */
		ret_result->error = X509_V_ERR_UNSPECIFIED;
	return 0;
}

static enum trust_reason reason_of_error(int error, int depth)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TRUST_UNKNOWN_ISSUER;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
		return TRUST_BAD_SIGNATURE;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return depth == 0 ? TRUST_EXPIRED : TRUST_CA_NOT_IN_DATE;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return depth == 0 ? TRUST_NOT_YET_VALID : TRUST_CA_NOT_IN_DATE;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
		return TRUST_WEAK_KEY;
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return TRUST_WEAK_SIGNATURE;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
	case X509_V_ERR_NO_EXPLICIT_POLICY:
	case X509_V_ERR_INVALID_POLICY_EXTENSION:
	case X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA:
	case X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN:
	case X509_V_ERR_CA_BCONS_NOT_CRITICAL:
	case X509_V_ERR_CA_CERT_MISSING_KEY_USAGE:
	case X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA:
		return TRUST_BROKEN_CHAIN;
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
		return TRUST_CRITICAL_EXTENSION;
	default:
		return TRUST_MALFORMED;
	}
}

static bool curve_is_listed(EVP_PKEY *key)
{
	static const int curves[] = {
		NID_X9_62_prime256v1, NID_secp384r1,       NID_secp521r1,
		NID_brainpoolP256r1,  NID_brainpoolP384r1,
	};
	char group[64];
	int explicit_params = 0;
	int nid;

	/* A curve written out in full, even a good one, is an old way to forge keys. */
	(void)EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				     &explicit_params);
	if (explicit_params != 0)
		return false;
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return false;
	nid = OBJ_txt2nid(group);
	for (size_t i = 0; i < array_size(curves); i++)
		if (nid == curves[i])
			return true;
	return false;
}

static bool key_is_strong(EVP_PKEY *key)
{
	if (key == NULL)
		return false;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
	case EVP_PKEY_EC:
		return curve_is_listed(key);
	default:
		return false;
	}
}

static bool usage_is(const ASN1_OBJECT *usage, const char *dotted)
{
	char text[64];
	int length = OBJ_obj2txt(text, sizeof(text), usage, 1);

	return length > 0 && (size_t)length < sizeof(text) && strcmp(text, dotted) == 0;
}

/*
 * The card's certificate must name one of the two login usages itself; a CA above it may
 * name none (then it is not limited), else one of them or any.
 */
static enum trust_reason usages_judge(X509 *x509, bool is_leaf)
{
	int critical = 0;
	cleanup_with(usages_free_function) EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(x509, NID_ext_key_usage, &critical, NULL);
	bool login = false;

	if (usages == NULL)
		return !is_leaf && critical == -1 ? TRUST_OK : TRUST_EXTENDED_KEY_USAGE;
	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
		const ASN1_OBJECT *usage = sk_ASN1_OBJECT_value(usages, i);
		int nid = OBJ_obj2nid(usage);

		if (is_leaf && usage_is(usage, "2.16.840.1.101.3.6.8"))
			return TRUST_CARD_AUTH_KEY;
		if (nid == NID_client_auth || nid == NID_ms_smartcard_login ||
		    (!is_leaf && nid == NID_anyExtendedKeyUsage))
			login = true;
	}
	return login ? TRUST_OK : TRUST_EXTENDED_KEY_USAGE;
}

static enum trust_reason leaf_judge(X509 *leaf)
{
	/* EXFLAG_CA: X509_check_ca says no to a CA whose key usage does not fit. */
	if ((X509_get_extension_flags(leaf) & EXFLAG_CA) != 0 || X509_check_ca(leaf) != 0)
		return TRUST_IS_CA;
	if (!key_is_strong(X509_get0_pubkey(leaf)))
		return TRUST_WEAK_KEY;
	/* Absent, the extension would allow everything: X509_get_key_usage says
	 * UINT32_MAX. */
	if ((X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) == 0 ||
	    (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
		return TRUST_KEY_USAGE;
	return usages_judge(leaf, true);
}

static enum trust_reason chain_judge(STACK_OF(X509) * chain)
{
	enum trust_reason reason = leaf_judge(sk_X509_value(chain, 0));

	for (int i = 1; reason == TRUST_OK && i < sk_X509_num(chain); i++) {
		X509 *ca = sk_X509_value(chain, i);

		if (!key_is_strong(X509_get0_pubkey(ca)))
			reason = TRUST_WEAK_KEY;
		else
			reason = usages_judge(ca, false);
	}
	return reason;
}

static enum trust_reason holder_judge(const struct identity *identity, bool allow_test)
{
	static const enum trust_reason reasons[] = {
		[IDENTITY_HOLDER_UNKNOWN] = TRUST_UNREADABLE_IDENTITY,
		[IDENTITY_HOLDER_PERSON] = TRUST_OK,
		[IDENTITY_HOLDER_ORGANISATION] = TRUST_ORGANISATION,
		[IDENTITY_HOLDER_SHARED] = TRUST_SHARED_CARD,
		[IDENTITY_HOLDER_PATIENT] = TRUST_PATIENT,
		[IDENTITY_HOLDER_DEVICE] = TRUST_CARD_AUTH_KEY,
	};
	enum trust_reason reason = reasons[identity->holder];

	if (reason == TRUST_OK && identity->is_test && !allow_test)
		return TRUST_TEST_CARD;
	return reason;
}

static int identity_judge(const struct identity_scheme *scheme,
			  const struct certificate *c, bool allow_test,
			  enum trust_reason *ret_reason)
{
	struct identity identity;
	char text[TRUST_REASON_SIZE];
	int r = identity_inspect(scheme, c, &identity, text, sizeof(text));

	if (r == -EBADMSG) {
		*ret_reason = TRUST_UNREADABLE_IDENTITY;
		return 0;
	}
	if (r < 0)
		return r;
	*ret_reason = holder_judge(&identity, allow_test);
	return 0;
}

static int issuer_key_id(X509 *issuer, uint8_t id[CERTIFICATE_HASH_SIZE])
{
	uint8_t *spki = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &spki);
	int r = -ENOMEM;

	if (size > 0 && EVP_Digest(spki, (size_t)size, id, NULL, EVP_sha256(), NULL) == 1)
		r = 0;
	OPENSSL_free(spki);
	return r;
}

/* One scheme's chain stands: what else does a login need? */
static int chain_accept(const struct trust_anchors *anchors, const struct certificate *c,
			STACK_OF(X509) * chain, bool allow_test,
			struct trust_verdict *verdict)
{
	int r;

	verdict->scheme = anchors->scheme;
	if (sk_X509_num(chain) <
	    2) { /* an anchor itself, shown as a card's certificate */
		verdict->reason = TRUST_IS_CA;
		return 0;
	}
	r = issuer_key_id(sk_X509_value(chain, 1), verdict->issuer_key_id);
	if (r < 0)
		return r;
	verdict->reason = chain_judge(chain);
	if (verdict->reason != TRUST_OK)
		return 0;
	return identity_judge(anchors->scheme, c, allow_test, &verdict->reason);
}

/*
 * Adds one scheme's answer to the verdict. A failed chain gives the reason only as long
 * as no scheme knew better: "unknown issuer" says least.
 */
static int verdict_add(const struct trust_anchors *anchors, const struct certificate *c,
		       const struct chain_result *result, bool allow_test,
		       struct trust_verdict *verdict, size_t *chains)
{
	enum trust_reason reason;

	if (result->error == X509_V_OK) {
		(*chains)++;
		return chain_accept(anchors, c, result->chain, allow_test, verdict);
	}
	reason = reason_of_error(result->error, result->depth);
	if (*chains == 0 && (verdict->reason == TRUST_NO_ANCHOR ||
			     verdict->reason == TRUST_UNKNOWN_ISSUER)) {
		verdict->reason = reason;
		verdict->scheme = reason == TRUST_UNKNOWN_ISSUER ? NULL : anchors->scheme;
	}
	return 0;
}

static int verdict_reach(const struct trust *trust, const struct certificate *c,
			 time_t now, bool allow_test, struct trust_verdict *verdict)
{
	size_t chains = 0;

	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_anchors *anchors = &trust->by_scheme[i];
		struct chain_result result = { 0 };
		int r;

		if (anchors->anchor_count == 0)
			continue;
		r = chain_build(anchors, certificate_x509(c), now, &result);
		if (r == 0)
			r = verdict_add(anchors, c, &result, allow_test, verdict,
					&chains);
		chain_free_function(&result.chain);
		if (r < 0)
			return r;
	}
	if (chains > 1)
		*verdict = (struct trust_verdict){ .reason = TRUST_AMBIGUOUS_SCHEME };
	return 0;
}

int trust_verify(const struct trust *trust, const struct certificate *c, time_t now,
		 const struct trust_options *options, struct trust_verdict *ret_verdict)
{
	struct trust_verdict verdict = { .reason = TRUST_NO_ANCHOR };
	int r = verdict_reach(trust, c, now, options != NULL && options->allow_test,
			      &verdict);

	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_verdict = verdict;
	return 0;
}

size_t trust_anchor_count(const struct trust *trust, const struct identity_scheme *scheme)
{
	size_t count = 0;

	for (size_t i = 0; i < trust->count; i++)
		if (scheme == NULL || trust->by_scheme[i].scheme == scheme)
			count += trust->by_scheme[i].anchor_count;
	return count;
}
