/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates of tests/pki may log in, and for what reason the others may not; and
 * what is refused in a site's CA folders. Each refusal stands beside a control that
 * passes.
 */
#include "unit/trust_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <time.h>

static const time_t day = 24 * 60 * 60;

static struct trust *load(const char *folder)
{
	char path[8192], reason[TRUST_REASON_SIZE] = "";
	struct trust *trust = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", pki_dir, folder);
	if (trust_load_owned(path, geteuid(), &trust, reason, sizeof(reason)) != 0)
		fail_msg("%s", reason);
	return trust;
}

struct expectation {
	const char *scheme, *name;
	enum trust_reason reason;
};

static void assert_reasons(const struct expectation *expected, size_t count)
{
	cleanup_trust struct trust *trust = load("ca");

	for (size_t i = 0; i < count; i++) {
		struct trust_verdict verdict = judge(trust, expected[i].scheme,
						     expected[i].name, time(NULL), false);

		if (verdict.reason != expected[i].reason)
			fail_msg("%s/%s: %d instead of %d: %s", expected[i].scheme,
				 expected[i].name, verdict.reason, expected[i].reason,
				 trust_reason_text(verdict.reason));
		if (verdict.reason == TRUST_OK)
			assert_string_equal(verdict.scheme->name, expected[i].scheme);
	}
}

static void persons_of_configured_authorities_are_accepted(void **state)
{
	static const struct expectation expected[] = {
		{ US, "person", TRUST_OK },         { FR, "person", TRUST_OK },
		{ US, "p256", TRUST_OK },           { FR, "p256", TRUST_OK },
		{ US, "p384", TRUST_OK },           { US, "p521", TRUST_OK },
		{ US, "bp256", TRUST_OK },          { US, "bp384", TRUST_OK },
		{ US, "cn-only", TRUST_OK },        { US, "ca-false", TRUST_OK },
		{ FR, "adeli", TRUST_OK },          { FR, "staff-cpa", TRUST_OK },
		{ FR, "latin1-teletex", TRUST_OK }, { FR, "cpf", TRUST_OK },
		{ FR, "set-order-0", TRUST_OK },    { FR, "set-order-5", TRUST_OK },
		{ US, "subject-60k", TRUST_OK },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void foreign_authorities_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "person", TRUST_OK },
		{ US, "twin-ca", TRUST_UNKNOWN_ISSUER },
		{ FR, "twin-ca", TRUST_UNKNOWN_ISSUER },
		{ US, "twin-ca-akid", TRUST_BAD_SIGNATURE },
		{ FR, "twin-ca-akid", TRUST_BAD_SIGNATURE },
		{ US, "self-signed", TRUST_UNKNOWN_ISSUER },
		{ US, "self-signed-ca", TRUST_UNKNOWN_ISSUER },
		{ US, "no-akid", TRUST_MALFORMED },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void the_twin_authorities_accept_what_is_theirs(void **state)
{
	cleanup_trust struct trust *trust = load("ca-twin");

	(void)state;
	assert_int_equal(judge(trust, FR, "twin-ca", time(NULL), false).reason, TRUST_OK);
	assert_int_equal(judge(trust, US, "twin-ca", time(NULL), false).reason, TRUST_OK);
	assert_int_equal(judge(trust, FR, "person", time(NULL), false).reason,
			 TRUST_UNKNOWN_ISSUER);
}

static void out_of_date_is_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "person", TRUST_OK },
		{ US, "expired", TRUST_EXPIRED },
		{ FR, "expired", TRUST_EXPIRED },
		{ US, "future", TRUST_NOT_YET_VALID },
		{ US, "below-expired", TRUST_CA_NOT_IN_DATE },
		{ US, "below-future", TRUST_CA_NOT_IN_DATE },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void the_time_given_decides_to_the_second(void **state)
{
	cleanup_trust struct trust *trust = load("ca");
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	const time_t first = certificate_not_before(c), last = certificate_not_after(c);

	(void)state;
	assert_int_equal(judge(trust, US, "person", first - 1, false).reason,
			 TRUST_NOT_YET_VALID);
	assert_int_equal(judge(trust, US, "person", first, false).reason, TRUST_OK);
	assert_int_equal(judge(trust, US, "person", last - 1, false).reason, TRUST_OK);
	assert_int_equal(judge(trust, US, "person", last + 1, false).reason,
			 TRUST_EXPIRED);
	assert_int_equal(judge(trust, US, "expired", time(NULL) - 2 * day, false).reason,
			 TRUST_OK);
	assert_int_equal(judge(trust, US, "future", time(NULL) + 3 * day, false).reason,
			 TRUST_OK);
}

static void weak_keys_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "person", TRUST_OK },
		{ US, "rsa1024", TRUST_WEAK_KEY },
		{ FR, "rsa1024", TRUST_WEAK_KEY },
		{ US, "p224", TRUST_WEAK_KEY },
		{ US, "k256", TRUST_WEAK_KEY },
		{ US, "p256-explicit", TRUST_WEAK_KEY },
		{ US, "ed25519", TRUST_WEAK_KEY },
		{ US, "below-weak", TRUST_WEAK_KEY },
		{ US, "below-weak-curve", TRUST_WEAK_KEY },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void outdated_hashes_are_refused_below_the_anchor_only(void **state)
{
	static const struct expectation expected[] = {
		{ US, "sha1-signed", TRUST_WEAK_SIGNATURE },
		{ FR, "sha1-signed", TRUST_WEAK_SIGNATURE },
		{ FR, "md5-signed", TRUST_WEAK_SIGNATURE },
		{ US, "below-sha1", TRUST_WEAK_SIGNATURE },
		{ FR, "below-sha1-root", TRUST_OK },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void keys_for_something_else_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "usage-missing", TRUST_KEY_USAGE },
		{ US, "usage-non-repudiation", TRUST_KEY_USAGE },
		{ FR, "usage-non-repudiation", TRUST_KEY_USAGE },
		{ US, "eku-missing", TRUST_EXTENDED_KEY_USAGE },
		{ FR, "eku-missing", TRUST_EXTENDED_KEY_USAGE },
		{ US, "eku-email", TRUST_EXTENDED_KEY_USAGE },
		{ US, "eku-any", TRUST_EXTENDED_KEY_USAGE },
		{ US, "below-server", TRUST_EXTENDED_KEY_USAGE },
		{ US, "eku-client", TRUST_OK },
		{ US, "eku-logon", TRUST_OK },
		{ US, "below-logon", TRUST_OK },
		{ US, "card-auth", TRUST_CARD_AUTH_KEY },
		{ US, "card-auth-usage", TRUST_CARD_AUTH_KEY },
		{ US, "card-auth-policy", TRUST_CARD_AUTH_KEY },
		{ US, "server", TRUST_CARD_AUTH_KEY },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void a_leaf_is_never_an_authority(void **state)
{
	static const struct expectation expected[] = {
		{ US, "ca-false", TRUST_OK },
		{ US, "below-leaf", TRUST_UNKNOWN_ISSUER },
		{ US, "ca-true", TRUST_IS_CA },
	};
	cleanup_trust struct trust *trust = load("ca");
	static const char *const names[] = { "cert-sign", "leaf-that-signs" };

	(void)state;
	assert_reasons(expected, array_size(expected));
	/* Strict checking may find another fault in such a thing first. */
	for (size_t i = 0; i < array_size(names); i++) {
		enum trust_reason reason =
			judge(trust, US, names[i], time(NULL), false).reason;

		if (reason != TRUST_IS_CA && reason != TRUST_BROKEN_CHAIN)
			fail_msg("%s: %d", names[i], reason);
	}
}

static void an_anchor_shown_as_a_card_is_refused(void **state)
{
	cleanup_trust struct trust *trust = load("ca-self");
	cleanup_trust struct trust *good = load("ca");

	(void)state;
	assert_int_equal(trust_anchor_count(trust, NULL), 1);
	assert_int_equal(judge(trust, US, "self-signed-ca", time(NULL), false).reason,
			 TRUST_IS_CA);
	assert_int_equal(judge(good, US, "person", time(NULL), false).reason, TRUST_OK);
}

static void chains_that_break_their_limits_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "below-beyond-pathlen", TRUST_BROKEN_CHAIN },
		{ US, "below-constrained", TRUST_OK },
		{ US, "below-constrained-outside", TRUST_BROKEN_CHAIN },
		{ US, "below-policy", TRUST_OK },
		{ US, "below-policy-other", TRUST_BROKEN_CHAIN },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void only_unknown_extensions_that_are_critical_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ US, "critical-unknown", TRUST_CRITICAL_EXTENSION },
		{ FR, "critical-unknown", TRUST_CRITICAL_EXTENSION },
		{ US, "unknown-not-critical", TRUST_OK },
		{ FR, "unknown-not-critical", TRUST_OK },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void whoever_is_no_person_is_refused(void **state)
{
	static const struct expectation expected[] = {
		{ FR, "organisation", TRUST_ORGANISATION },
		{ FR, "organisation-as-card", TRUST_ORGANISATION },
		{ FR, "below-organisations", TRUST_ORGANISATION },
		{ FR, "below-elementary", TRUST_CARD_AUTH_KEY },
		{ FR, "software-key", TRUST_CARD_AUTH_KEY },
		{ FR, "cpe-pseudonym", TRUST_SHARED_CARD },
		{ FR, "cpe-named", TRUST_OK },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void identities_that_lie_are_refused(void **state)
{
	static const struct expectation expected[] = {
		{ FR, "bad-luhn", TRUST_UNREADABLE_IDENTITY },
		{ FR, "cn-nul", TRUST_UNREADABLE_IDENTITY },
		{ FR, "cn-twice", TRUST_UNREADABLE_IDENTITY },
		{ FR, "category-missing", TRUST_UNREADABLE_IDENTITY },
		{ US, "cn-escape", TRUST_UNREADABLE_IDENTITY },
		{ US, "cn-60k", TRUST_UNREADABLE_IDENTITY },
		{ US, "two-upns", TRUST_UNREADABLE_IDENTITY },
		{ US, "no-name-at-all", TRUST_UNREADABLE_IDENTITY },
		{ US, "person", TRUST_OK },
	};

	(void)state;
	assert_reasons(expected, array_size(expected));
}

static void test_cards_pass_only_where_they_are_allowed(void **state)
{
	static const struct {
		const char *scheme, *name;
	} cards[] = {
		{ FR, "test-category" },
		{ FR, "below-test" },
		{ US, "test-policy" },
	};
	cleanup_trust struct trust *trust = load("ca");

	(void)state;
	for (size_t i = 0; i < array_size(cards); i++) {
		cleanup_certificate struct certificate *c =
			pki_leaf(cards[i].scheme, cards[i].name);
		struct trust_verdict verdict = { 0 };

		assert_int_equal(
			judge(trust, cards[i].scheme, cards[i].name, time(NULL), false)
				.reason,
			TRUST_TEST_CARD);
		assert_int_equal(
			judge(trust, cards[i].scheme, cards[i].name, time(NULL), true)
				.reason,
			TRUST_OK);
		assert_int_equal(trust_verify(trust, c, time(NULL), NULL, &verdict), 0);
		assert_int_equal(verdict.reason, TRUST_TEST_CARD);
	}
	assert_int_equal(judge(trust, FR, "organisation-test", time(NULL), true).reason,
			 TRUST_ORGANISATION);
}

static void the_verdict_names_the_direct_issuer(void **state)
{
	cleanup_trust struct trust *trust = load("ca");
	struct trust_verdict verdict = judge(trust, FR, "person", time(NULL), false);
	struct trust_verdict unknown = judge(trust, FR, "twin-ca", time(NULL), false);
	static const uint8_t zeros[CERTIFICATE_HASH_SIZE];
	char path[8192], command[20000];
	uint8_t *hash;
	size_t size;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/issuer.hash", pki_dir);
	(void)snprintf(
		command, sizeof(command),
		"openssl pkey -in %s/keys/ca-fr-issuing.pem -pubout -outform DER | "
		"openssl dgst -sha256 -binary -out %s",
		pki_dir, path);
	assert_int_equal(pki_run((const char *const[]){ "sh", "-c", command, NULL }), 0);
	hash = pki_read(path, &size);
	assert_int_equal(size, CERTIFICATE_HASH_SIZE);
	assert_memory_equal(verdict.issuer_key_id, hash, size);
	assert_ptr_equal(verdict.scheme, identity_scheme_by_name(FR));
	assert_memory_equal(unknown.issuer_key_id, zeros, sizeof(zeros));
	assert_null(unknown.scheme);
	free(hash);
}

static void each_scheme_believes_its_own_authorities_only(void **state)
{
	cleanup_trust struct trust *swapped = load("ca-swapped");

	(void)state;
	/* The French CA sits in the folder us-piv: its cards are read as PIV, and are
	 * not. */
	assert_int_equal(judge(swapped, FR, "person", time(NULL), false).scheme ==
				 identity_scheme_by_name(FR),
			 0);
	assert_int_equal(judge(swapped, US, "person", time(NULL), false).reason,
			 TRUST_UNKNOWN_ISSUER);
}

static void a_card_of_two_schemes_is_refused_as_ambiguous(void **state)
{
	cleanup_trust struct trust *trust = load("ca-both");
	struct trust_verdict verdict = judge(trust, US, "person", time(NULL), false);

	(void)state;
	assert_int_equal(verdict.reason, TRUST_AMBIGUOUS_SCHEME);
	assert_null(verdict.scheme);
}

static void intermediates_without_their_anchor_trust_nobody(void **state)
{
	cleanup_trust struct trust *trust = load("ca-rootless");

	(void)state;
	assert_int_equal(trust_anchor_count(trust, NULL), 0);
	assert_int_equal(judge(trust, US, "person", time(NULL), false).reason,
			 TRUST_NO_ANCHOR);
}

static void an_anchor_of_one_scheme_does_not_hold_up_anothers_intermediate(void **state)
{
	cleanup_trust struct trust *trust = load("ca-split");

	(void)state;
	assert_int_equal(trust_anchor_count(trust, identity_scheme_by_name(US)), 0);
	assert_int_equal(trust_anchor_count(trust, identity_scheme_by_name(FR)), 1);
	assert_int_equal(judge(trust, US, "person", time(NULL), false).reason,
			 TRUST_UNKNOWN_ISSUER);
}

static void zero_is_refusal_and_every_reason_has_its_sentence(void **state)
{
	const struct trust_verdict cleared = { 0 };

	(void)state;
	assert_int_equal(TRUST_UNDECIDED, 0);
	assert_int_not_equal(cleared.reason, TRUST_OK);
	for (int i = 0; i < TRUST_REASON_COUNT; i++) {
		const char *text = trust_reason_text((enum trust_reason)i);

		assert_in_range(strlen(text), 20, 200);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(text,
						trust_reason_text((enum trust_reason)k));
	}
	assert_string_equal(trust_reason_text(TRUST_REASON_COUNT),
			    trust_reason_text(TRUST_UNDECIDED));
	assert_string_equal(trust_reason_text((enum trust_reason) - 1),
			    trust_reason_text(TRUST_UNDECIDED));
}

/* OpenSSL's allocations: the one that failing_in counts down to fails; 0 is off. */
static unsigned failing_in;

static bool allocation_fails(void)
{
	return failing_in > 0 && --failing_in == 0;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return allocation_fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return allocation_fails() ? NULL : realloc(old, size);
}

static void plain_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* Parses and judges while the n-th allocation fails, for each n; how often it was
 * accepted. */
static unsigned accepted_without_memory(const struct trust *trust, const char *scheme,
					const char *name, unsigned *ret_tries)
{
	size_t size;
	uint8_t *der = pki_leaf_bytes(scheme, name, &size);
	unsigned accepted = 0, n = 0;
	bool failed;

	do {
		cleanup_certificate struct certificate *c = NULL;
		struct trust_verdict verdict = { 0 };

		failing_in = ++n;
		if (certificate_parse(der, size, &c) == 0 &&
		    trust_verify(trust, c, time(NULL), NULL, &verdict) == 0 &&
		    verdict.reason == TRUST_OK)
			accepted++;
		failed = failing_in == 0;
		failing_in = 0;
	} while (failed);
	free(der);
	*ret_tries = n;
	return accepted;
}

static void no_failing_allocation_lets_a_refused_certificate_in(void **state)
{
	static const struct {
		const char *scheme, *name;
	} refused[] = {
		{ US, "twin-ca-akid" },  { US, "expired" },
		{ US, "sha1-signed" },   { US, "below-policy-other" },
		{ US, "eku-missing" },   { US, "card-auth-policy" },
		{ US, "two-upns" },      { US, "test-policy" },
		{ FR, "bad-luhn" },      { FR, "cpe-pseudonym" },
		{ FR, "test-category" },
	};
	cleanup_trust struct trust *trust = load("ca");
	unsigned tries;

	(void)state;
	for (size_t i = 0; i < array_size(refused); i++) {
		assert_int_equal(accepted_without_memory(trust, refused[i].scheme,
							 refused[i].name, &tries),
				 0);
		assert_true(tries > 50); /* so the failures really reached OpenSSL */
	}
	/* The control: a good one passes at least when nothing fails. */
	assert_true(accepted_without_memory(trust, US, "person", &tries) > 0);
	assert_int_equal(judge(trust, US, "person", time(NULL), false).reason, TRUST_OK);
}

/* The PKI, and folders that combine its CAs in other ways. */
static int group_setup(void **state)
{
	if (pki_group_setup(state) != 0)
		return -1;
	pki_shell(
		"cd \"$1\"; rm -rf ca-self ca-swapped ca-both ca-rootless ca-split above; umask 022;"
		"for d in self swapped both rootless split; do mkdir -p ca-$d/us-piv; done;"
		"openssl x509 -inform DER -in leaf/us-piv/self-signed-ca.der "
		"-out ca-self/us-piv/self.pem;"
		"cp ca/fr-igc-sante/root.pem ca/fr-igc-sante/issuing.pem ca-swapped/us-piv;"
		"mkdir ca-both/fr-igc-sante ca-split/fr-igc-sante;"
		"cp ca/us-piv/root.pem ca/us-piv/issuing.pem ca-both/us-piv;"
		"cp ca/us-piv/root.pem ca/us-piv/issuing.pem ca-both/fr-igc-sante;"
		"cp ca/us-piv/issuing.pem ca-rootless/us-piv;"
		"cp ca/us-piv/issuing.pem ca-split/us-piv;"
		"cp ca/us-piv/root.pem ca-split/fr-igc-sante",
		pki_dir, "");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(persons_of_configured_authorities_are_accepted),
		cmocka_unit_test(foreign_authorities_are_refused),
		cmocka_unit_test(the_twin_authorities_accept_what_is_theirs),
		cmocka_unit_test(out_of_date_is_refused),
		cmocka_unit_test(the_time_given_decides_to_the_second),
		cmocka_unit_test(weak_keys_are_refused),
		cmocka_unit_test(outdated_hashes_are_refused_below_the_anchor_only),
		cmocka_unit_test(keys_for_something_else_are_refused),
		cmocka_unit_test(a_leaf_is_never_an_authority),
		cmocka_unit_test(an_anchor_shown_as_a_card_is_refused),
		cmocka_unit_test(chains_that_break_their_limits_are_refused),
		cmocka_unit_test(only_unknown_extensions_that_are_critical_are_refused),
		cmocka_unit_test(whoever_is_no_person_is_refused),
		cmocka_unit_test(identities_that_lie_are_refused),
		cmocka_unit_test(test_cards_pass_only_where_they_are_allowed),
		cmocka_unit_test(the_verdict_names_the_direct_issuer),
		cmocka_unit_test(each_scheme_believes_its_own_authorities_only),
		cmocka_unit_test(a_card_of_two_schemes_is_refused_as_ambiguous),
		cmocka_unit_test(intermediates_without_their_anchor_trust_nobody),
		cmocka_unit_test(
			an_anchor_of_one_scheme_does_not_hold_up_anothers_intermediate),
		cmocka_unit_test(no_failing_allocation_lets_a_refused_certificate_in),
		cmocka_unit_test(zero_is_refusal_and_every_reason_has_its_sentence),
	};

	/* Before OpenSSL allocates anything, or it refuses. */
	if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, group_setup, pki_group_teardown);
}
