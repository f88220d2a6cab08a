/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading identities out of certificates that tests/pki makes: each scheme's good forms,
 * and each way in which a name or an extension may lie.
 */
#include "hygied/identity.h"

#include "libhygie/attributes.h"
#include "libhygie/printable.h"
#include "pki/fixture.h"

#include <errno.h>

#define FR "fr-igc-sante"
#define US "us-piv"

static int leaf_read(const char *scheme, const char *name, struct identity *ret_identity,
		     char *reason, size_t reason_size)
{
	cleanup_certificate struct certificate *c = pki_leaf(scheme, name);
	const struct identity_scheme *found = identity_scheme_by_name(scheme);

	assert_non_null(found);
	reason[0] = '\0';
	return identity_read(found, c, ret_identity, reason, reason_size);
}

/* Must be a person, with these fields. */
static struct identity assert_person(const char *scheme, const char *name,
				     const char *id_type, const char *person_id)
{
	struct identity identity;
	char reason[512];

	if (leaf_read(scheme, name, &identity, reason, sizeof(reason)) != 0)
		fail_msg("%s/%s: %s", scheme, name, reason);
	assert_true(identity.is_person);
	assert_int_equal(identity.holder, IDENTITY_HOLDER_PERSON);
	assert_string_equal(identity.scheme->name, scheme);
	assert_string_equal(identity.id_type, id_type);
	assert_string_equal(identity.person_id, person_id);
	assert_true(
		printable_is_clean(identity.display_name, strlen(identity.display_name)));
	assert_true(identity.display_name[0] != '\0');
	return identity;
}

struct refusal_case {
	const char *name;
	const char *word; /* that the reason must hold */
};

/* Must be refused, for that reason, leaving the output alone. */
static void assert_refused(const char *scheme, const struct refusal_case *cases,
			   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct identity identity, untouched;
		char reason[512];
		int r;

		memset(&identity, 0x5A, sizeof(identity));
		memcpy(&untouched, &identity, sizeof(identity));
		r = leaf_read(scheme, cases[i].name, &identity, reason, sizeof(reason));
		if (r != -EBADMSG || strstr(reason, cases[i].word) == NULL)
			fail_msg("%s/%s: %d \"%s\"", scheme, cases[i].name, r, reason);
		assert_true(printable_is_clean(reason, strlen(reason)));
		assert_memory_equal(&identity, &untouched, sizeof(identity));
	}
}

static void french_doctor_is_read_whole(void **state)
{
	struct identity identity = assert_person(FR, "person", "rpps", "810000000009");

	(void)state;
	assert_string_equal(identity.surname, "SPECIMEN");
	assert_string_equal(identity.given, "CAMILLE");
	assert_string_equal(identity.display_name, "CAMILLE SPECIMEN");
	assert_string_equal(identity.title, "Médecin");
	assert_string_equal(identity.card_id, "8025000001/2800000001");
	assert_int_equal(identity.card_type, 0);
	assert_int_equal(identity.profession, 10);
	assert_false(identity.is_test);
}

static void french_identifiers_of_every_kind_are_read(void **state)
{
	struct identity identity;

	(void)state;
	identity = assert_person(FR, "adeli", "adeli", "00B6087510");
	assert_int_equal(identity.profession, 60);
	identity = assert_person(FR, "staff-cpa", "staff", "500000000029751/CPAT0001");
	assert_int_equal(identity.card_type, 3);
	assert_int_equal(identity.profession, IDENTITY_PROFESSION_UNKNOWN);
	identity = assert_person(FR, "cpe-named", "staff", "3760021832/000000018");
	assert_int_equal(identity.card_type, 2);
	assert_person(FR, "rpps-nines", "rpps", "899900000011");
	assert_person(FR, "single-valued", "rpps", "810000000009");
	identity = assert_person(FR, "no-card-id", "rpps", "810000000009");
	assert_string_equal(identity.card_id, "");
}

static void future_profession_stands_in_only_where_there_is_no_other(void **state)
{
	struct identity identity = assert_person(FR, "cpf", "rpps", "810000000009");

	(void)state;
	assert_int_equal(identity.card_type, 1);
	assert_int_equal(identity.profession, 10);
	identity = assert_person(FR, "cpf-in-training", "rpps", "810000000009");
	assert_int_equal(identity.profession, 21);
}

static void unknown_profession_keeps_its_number(void **state)
{
	(void)state;
	assert_int_equal(assert_person(FR, "unknown-profession", "rpps", "810000000009")
				 .profession,
			 255);
}

static void order_inside_the_set_does_not_matter(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct identity identity;
		char name[32];

		(void)snprintf(name, sizeof(name), "set-order-%d", i);
		identity = assert_person(FR, name, "rpps", "810000000009");
		assert_string_equal(identity.display_name, "CAMILLE SPECIMEN");
	}
}

static void teletex_and_bmp_become_utf8(void **state)
{
	struct identity identity =
		assert_person(FR, "latin1-teletex", "adeli", "00B1058110");

	(void)state;
	assert_string_equal(identity.surname, "LEFÈVRE");
	assert_string_equal(identity.given, "HÉLÈNE");
	identity = assert_person(FR, "bmp", "rpps", "810000000009");
	assert_string_equal(identity.surname, "SPÉCIMEN");
}

static void french_subjects_that_lie_are_refused(void **state)
{
	static const struct refusal_case cases[] = {
		{ "bad-luhn", "check digit" },
		{ "rpps-short", "no national identifier" },
		{ "rpps-letter", "no national identifier" },
		{ "id-unknown-type", "no national identifier" },
		{ "cn-missing", "no CN" },
		{ "sn-missing", "no surname" },
		{ "gn-missing", "no given name" },
		{ "cn-twice", "two of the field CN" },
		{ "cn-nul", "NUL" },
		{ "cn-newline", "control" },
		{ "sn-nul", "NUL" },
		{ "sn-escape", "control" },
		{ "sn-c1-control", "control" },
		{ "sn-latin1-as-printable", "ASCII" },
		{ "sn-too-long", "too long" },
		{ "sn-empty", "empty" },
	};

	(void)state;
	assert_person(FR, "person", "rpps", "810000000009");
	assert_refused(FR, cases, array_size(cases));
}

static void french_extensions_that_lie_are_refused(void **state)
{
	static const struct refusal_case cases[] = {
		{ "category-missing", "no product category" },
		{ "category-two-bytes", "one byte" },
		{ "category-empty", "one byte" },
		{ "category-trailing", "one byte" },
		{ "category-twice", "two of the field product category" },
		{ "profession-256", "0 to 255" },
		{ "profession-negative", "0 to 255" },
		{ "profession-not-minimal", "0 to 255" },
		{ "profession-ber-length", "0 to 255" },
		{ "profession-trailing", "0 to 255" },
		{ "card-id-malformed", "card number" },
	};

	(void)state;
	assert_person(FR, "person", "rpps", "810000000009");
	assert_refused(FR, cases, array_size(cases));
}

static void french_cards_of_no_person_are_refused(void **state)
{
	static const struct refusal_case cases[] = {
		{ "cpe-pseudonym", "shared" },
		{ "organisation", "organisation" },
		{ "organisation-test", "organisation" },
		{ "organisation-as-card", "organisation" },
		{ "below-organisations", "organisation" },
		{ "below-elementary", "own or a machine" },
		{ "software-key", "own or a machine" },
		{ "security-module", "own or a machine" },
	};

	(void)state;
	assert_person(FR, "cpe-named", "staff", "3760021832/000000018");
	assert_refused(FR, cases, array_size(cases));
}

static void french_test_cards_say_so(void **state)
{
	(void)state;
	assert_true(assert_person(FR, "test-category", "rpps", "810000000009").is_test);
	assert_true(assert_person(FR, "below-test", "rpps", "810000000009").is_test);
	assert_false(assert_person(FR, "person", "rpps", "810000000009").is_test);
}

static void piv_person_is_the_upn(void **state)
{
	struct identity identity = assert_person(US, "person", "upn", "alex@clinic.test");

	(void)state;
	assert_string_equal(identity.display_name, "SPECIMEN.ALEX.0000000001");
	assert_string_equal(identity.card_id,
			    "D0439458210C2C19A0846D83685A1082108CE73984108CA3FC");
	assert_int_equal(identity.profession, IDENTITY_PROFESSION_UNKNOWN);
	assert_false(identity.is_test);
	identity = assert_person(US, "names", "upn", "alex@clinic.test");
	assert_string_equal(identity.surname, "Specimen");
	assert_string_equal(identity.given, "Alex");
	assert_string_equal(identity.display_name, "Alex Specimen");
}

static void piv_person_without_upn_is_the_cn(void **state)
{
	(void)state;
	assert_person(US, "cn-only", "cn", "SPECIMEN.ALEX.0000000001");
}

static void piv_test_policy_is_a_test_card(void **state)
{
	(void)state;
	assert_true(assert_person(US, "test-policy", "upn", "alex@clinic.test").is_test);
}

static void piv_names_that_lie_are_refused(void **state)
{
	static const struct refusal_case cases[] = {
		{ "no-name-at-all", "does not say who" },
		{ "two-upns", "two UPNs" },
		{ "upn-without-at", "no '@'" },
		{ "upn-empty", "empty" },
		{ "upn-nul", "NUL" },
		{ "upn-overlong-utf8", "UTF-8" },
		{ "upn-control", "control" },
		{ "upn-not-utf8-type", "not UTF-8" },
		{ "upn-too-long", "too long" },
		{ "cn-looks-like-upn", "looks like a UPN" },
		{ "cn-nul", "NUL" },
		{ "cn-escape", "control" },
		{ "cn-bidi", "hidden" },
		{ "cn-twice", "two of the field CN" },
		{ "cn-twice-in-one-set", "two of the field CN" },
		{ "cn-60k", "too long" },
		{ "fascn-short", "25 bytes" },
		{ "san-twice", "cannot be decoded" },
		{ "san-garbage", "cannot be decoded" },
	};

	(void)state;
	assert_person(US, "person", "upn", "alex@clinic.test");
	assert_refused(US, cases, array_size(cases));
}

static void piv_keys_of_no_person_are_refused(void **state)
{
	static const struct refusal_case cases[] = {
		{ "card-auth", "own or a machine" },
		{ "card-auth-usage", "own or a machine" },
		{ "card-auth-policy", "own or a machine" },
		{ "server", "own or a machine" },
	};

	(void)state;
	assert_person(US, "person", "upn", "alex@clinic.test");
	assert_refused(US, cases, array_size(cases));
}

static void long_subject_beside_a_good_name_is_read(void **state)
{
	(void)state;
	assert_person(US, "subject-60k", "upn", "alex@clinic.test");
}

static void a_short_reason_buffer_is_respected(void **state)
{
	struct identity identity;
	char reason[9];

	(void)state;
	memset(reason, '#', sizeof(reason));
	assert_int_equal(leaf_read(FR, "bad-luhn", &identity, reason, 8), -EBADMSG);
	assert_int_equal(strlen(reason), 7);
	assert_int_equal(reason[8], '#');
}

static void inspecting_tells_what_is_no_person(void **state)
{
	static const struct {
		const char *name;
		enum identity_holder holder;
	} cases[] = {
		{ "person", IDENTITY_HOLDER_PERSON },
		{ "organisation", IDENTITY_HOLDER_ORGANISATION },
		{ "cpe-pseudonym", IDENTITY_HOLDER_SHARED },
		{ "software-key", IDENTITY_HOLDER_DEVICE },
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_certificate struct certificate *c = pki_leaf(FR, cases[i].name);
		struct identity identity;
		char reason[512];

		assert_int_equal(identity_inspect(identity_scheme_by_name(FR), c,
						  &identity, reason, sizeof(reason)),
				 0);
		assert_int_equal(identity.holder, cases[i].holder);
		assert_int_equal(identity.is_person, i == 0);
	}
}

static void schemes_are_found_by_exact_name_only(void **state)
{
	(void)state;
	assert_string_equal(identity_scheme_by_name(US)->name, US);
	assert_null(identity_scheme_by_name("US-PIV"));
	assert_null(identity_scheme_by_name("us-piv/"));
	assert_null(identity_scheme_by_name(""));
	for (size_t i = 0; identity_scheme_at(i) != NULL; i++)
		assert_ptr_equal(identity_scheme_by_name(identity_scheme_at(i)->name),
				 identity_scheme_at(i));
}

static void every_scheme_survives_every_certificate_of_the_others(void **state)
{
	static const char *const names[] = { "person", "organisation", "cpe-pseudonym" };
	struct identity identity;
	char reason[512];

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		cleanup_certificate struct certificate *c = pki_leaf(FR, names[i]);
		int r = identity_read(identity_scheme_by_name(US), c, &identity, reason,
				      sizeof(reason));

		assert_true(r == 0 || r == -EBADMSG);
	}
	cleanup_certificate struct certificate *piv = pki_leaf(US, "person");
	assert_int_equal(identity_read(identity_scheme_by_name(FR), piv, &identity,
				       reason, sizeof(reason)),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(french_doctor_is_read_whole),
		cmocka_unit_test(french_identifiers_of_every_kind_are_read),
		cmocka_unit_test(
			future_profession_stands_in_only_where_there_is_no_other),
		cmocka_unit_test(unknown_profession_keeps_its_number),
		cmocka_unit_test(order_inside_the_set_does_not_matter),
		cmocka_unit_test(teletex_and_bmp_become_utf8),
		cmocka_unit_test(french_subjects_that_lie_are_refused),
		cmocka_unit_test(french_extensions_that_lie_are_refused),
		cmocka_unit_test(french_cards_of_no_person_are_refused),
		cmocka_unit_test(french_test_cards_say_so),
		cmocka_unit_test(piv_person_is_the_upn),
		cmocka_unit_test(piv_person_without_upn_is_the_cn),
		cmocka_unit_test(piv_test_policy_is_a_test_card),
		cmocka_unit_test(piv_names_that_lie_are_refused),
		cmocka_unit_test(piv_keys_of_no_person_are_refused),
		cmocka_unit_test(long_subject_beside_a_good_name_is_read),
		cmocka_unit_test(a_short_reason_buffer_is_respected),
		cmocka_unit_test(inspecting_tells_what_is_no_person),
		cmocka_unit_test(schemes_are_found_by_exact_name_only),
		cmocka_unit_test(every_scheme_survives_every_certificate_of_the_others),
	};

	return cmocka_run_group_tests(tests, pki_group_setup, pki_group_teardown);
}
