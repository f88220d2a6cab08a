/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login secret: its files come back as they were put in place, and it is for the cards that
 * the registry has, no more and no fewer.
 */
#include "unit/registry_scratch.h"
#include "unit/store_fixture.h"

#include "hygied/secret_cards.h"
#include "hygied/secret_file.h"

#define USER "alice"

/* An enrolment of `user` whose card has that person's key for stores. */
static struct enrolment card_of(const char *user, int who, uint8_t number)
{
	struct enrolment e = make(user, number);
	const uint8_t *der =
		certificate_der(certificates[who], &e.store_certificate_size);

	e.has_store_key = true;
	e.store_wrap = wraps_of_test[who];
	memcpy(e.store_certificate, der, e.store_certificate_size);
	memcpy(e.store_key_id, certificate_key_id(certificates[who]),
	       sizeof(e.store_key_id));
	return e;
}

static void enrol(struct registry *registry, const char *user, int who, uint8_t number)
{
	struct enrolment e = card_of(user, who, number);

	assert_int_equal(registry_add(registry, &e, false), 0);
}

static void revoke_card(struct registry *registry, uint8_t number)
{
	char key[2 * HYGIE_KEY_ID_SIZE + 1];
	size_t count;

	for (size_t i = 0; i < HYGIE_KEY_ID_SIZE; i++)
		(void)snprintf(key + 2 * i, 3, "%02x", number);
	assert_int_equal(registry_revoke(registry, key, NULL, "root", "", 1, &count), 0);
}

static struct secret_cards *cards_of(struct registry *registry, const char *user)
{
	struct secret_cards *cards = NULL;

	assert_int_equal(secret_cards_read(registry, user, &cards), 0);
	return cards;
}

/* An envelope for these people, of `wraps` or of the recorded ones. */
static struct envelope *sealed_for(const int *who, size_t count,
				   const enum envelope_wrap *wraps)
{
	const struct envelope_store as = { USER, 3, ENVELOPE_OF_USER };
	struct envelope_recipient recipients[PEOPLE];
	struct envelope *envelope = NULL;
	uint8_t *der;
	size_t size;

	for (size_t i = 0; i < count; i++)
		recipients[i] = (struct envelope_recipient){
			people[who[i]], wraps ? wraps[i] : wraps_of_test[who[i]]
		};
	assert_int_equal(
		envelope_seal(secret_of_test, &as, recipients, count, &der, &size), 0);
	assert_int_equal(envelope_parse(der, size, &envelope), 0);
	OPENSSL_free(der);
	return envelope;
}

static bool fits(const struct secret_cards *cards, const int *who, size_t count,
		 const enum envelope_wrap *wraps)
{
	struct envelope *envelope = sealed_for(who, count, wraps);
	bool fit = secret_cards_fit(cards, envelope);

	envelope_free(envelope);
	return fit;
}

#define FITS(cards, ...)                                                                 \
	fits((cards), (const int[]){ __VA_ARGS__ },                                      \
	     sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int), NULL)

static void it_is_for_the_active_cards_of_the_user_alone(void **state)
{
	struct registry *registry = open_new(state);
	cleanup_secret_cards struct secret_cards *cards = NULL;
	struct enrolment without = make(USER, 9);

	enrol(registry, USER, ALICE, 2);
	enrol(registry, USER, CAROL, 4);
	enrol(registry, USER, DAN, 6);
	enrol(registry, "bob", BOB, 8);
	assert_false(without.has_store_key);
	assert_int_equal(registry_add(registry, &without, false), 0);
	revoke_card(registry, 6);
	cards = cards_of(registry, USER);
	assert_int_equal(cards->count, 2);
	assert_non_null(
		secret_cards_find(cards, certificate_key_id(certificates[ALICE])));
	assert_null(secret_cards_find(cards, certificate_key_id(certificates[DAN])));
	assert_null(secret_cards_find(cards, certificate_key_id(certificates[BOB])));
	assert_true(FITS(cards, ALICE, CAROL));
	assert_true(FITS(cards, CAROL, ALICE));
	assert_false(FITS(cards, ALICE));
	assert_false(FITS(cards, ALICE, BOB));
	assert_false(FITS(cards, ALICE, CAROL, DAN));
	assert_false(FITS(cards, ALICE, CAROL, BOB));
	registry_close(registry);
}

/* A key that is wrapped in a weaker way than was found at enrolment is sealed anew. */
static void another_wrap_is_another_recipient(void **state)
{
	static const enum envelope_wrap weak[] = { ENVELOPE_WRAP_RSA_PKCS1 };
	struct registry *registry = open_new(state);
	cleanup_secret_cards struct secret_cards *cards = NULL;
	const int alice = ALICE;

	enrol(registry, USER, ALICE, 2);
	cards = cards_of(registry, USER);
	assert_true(fits(cards, &alice, 1, NULL));
	assert_false(fits(cards, &alice, 1, weak));
	registry_close(registry);
}

/* A key that its issuer kept and put on the next card as well. */
static void two_cards_with_one_key_are_one_recipient(void **state)
{
	struct registry *registry = open_new(state);
	cleanup_secret_cards struct secret_cards *cards = NULL;

	enrol(registry, USER, ALICE, 2);
	enrol(registry, USER, ALICE, 4);
	cards = cards_of(registry, USER);
	assert_int_equal(cards->count, 1);
	assert_true(FITS(cards, ALICE));
	registry_close(registry);
}

static void a_registry_that_makes_no_sense_seals_nothing(void **state)
{
	struct registry *registry = open_new(state);
	struct secret_cards *cards = NULL;
	struct enrolment e = card_of(USER, ALICE, 2);

	e.store_key_id[0] ^= 1;
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_int_equal(secret_cards_read(registry, USER, &cards), -EBADMSG);
	e.store_certificate_size = 3;
	assert_int_equal(registry_add(registry, &e, false), 0);
	assert_true(secret_cards_read(registry, USER, &cards) < 0);
	assert_null(cards);
	registry_close(registry);
}

static void nobody_has_more_cards_than_fit(void **state)
{
	struct registry *registry = open_new(state);
	struct secret_cards *cards = NULL;
	EVP_PKEY *own = people[DAN];
	struct certificate *certificate = certificates[DAN];

	for (uint8_t i = 0; i <= SECRET_CARDS_MAX; i++) {
		people[DAN] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		certificates[DAN] = certificate_of(people[DAN]);
		cards = i == 0 ? NULL : cards_of(registry, USER);
		assert_true(i == 0 || cards->count == i);
		secret_cards_free(cards);
		enrol(registry, USER, DAN, (uint8_t)(100 + i));
		EVP_PKEY_free(people[DAN]);
		certificate_free(certificates[DAN]);
	}
	people[DAN] = own;
	certificates[DAN] = certificate;
	assert_int_equal(secret_cards_read(registry, USER, &cards), -E2BIG);
	registry_close(registry);
}

static void each_card_opens_what_was_sealed(void **state)
{
	const struct envelope_store expected = { USER, 5, ENVELOPE_OF_USER };
	struct registry *registry = open_new(state);
	cleanup_secret_cards struct secret_cards *cards = NULL;
	struct envelope *envelope = NULL;
	const int who[] = { ALICE, CAROL };
	uint8_t *der;
	size_t size;

	cards = cards_of(registry, USER);
	assert_int_equal(secret_cards_seal(cards, USER, 5, secret_of_test, &der, &size),
			 -EINVAL);
	secret_cards_free(cards);
	enrol(registry, USER, ALICE, 2);
	enrol(registry, USER, CAROL, 4);
	cards = cards_of(registry, USER);
	assert_int_equal(secret_cards_seal(cards, USER, 5, secret_of_test, &der, &size),
			 0);
	assert_int_equal(envelope_parse(der, size, &envelope), 0);
	for (size_t i = 0; i < array_size(who); i++) {
		struct envelope_opened opened = { 0 };

		assert_int_equal(envelope_open_with_key(envelope, people[who[i]],
							&expected, &opened),
				 0);
		assert_int_equal(opened.verdict, ENVELOPE_OPEN);
		assert_memory_equal(secret_bytes(opened.secret),
				    secret_bytes(secret_of_test), ENVELOPE_SECRET_SIZE);
		secret_free(opened.secret);
	}
	assert_true(secret_cards_fit(cards, envelope));
	envelope_free(envelope);
	OPENSSL_free(der);
	registry_close(registry);
}

/* An envelope's bytes, for Alice. */
static void put(void **state, const char *user, enum secret_place place)
{
	const struct envelope_store as = { user, 1, ENVELOPE_OF_USER };
	struct envelope_recipient recipient = { people[ALICE], wraps_of_test[ALICE] };
	uint8_t *der;
	size_t size;

	assert_int_equal(envelope_seal(secret_of_test, &as, &recipient, 1, &der, &size),
			 0);
	assert_int_equal(secret_file_save(folder_of(state), user, place, der, size), 0);
	OPENSSL_free(der);
}

static int look(void **state, const char *user, enum secret_place place)
{
	cleanup_secret_file struct secret_file *file = NULL;
	struct file_error error = { "" };
	int r = secret_file_load(folder_of(state), user, place, &file, &error);

	if (r < 0 && r != -ENOENT)
		assert_true(error.text[0] != '\0');
	assert_true((r == 0) == (file != NULL));
	return r;
}

static void a_file_comes_back_and_changes_its_place(void **state)
{
	cleanup_secret_file struct secret_file *one = NULL, *other = NULL;
	struct stat st;

	assert_int_equal(look(state, USER, SECRET_ON), -ENOENT);
	assert_int_equal(secret_file_move(folder_of(state), USER, SECRET_ON, SECRET_OFF),
			 -ENOENT);
	put(state, USER, SECRET_ON);
	put(state, "bob", SECRET_ON);
	assert_int_equal(stat(scratch_path(state, "secret"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path(state, "secret/" USER ".cms"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(secret_file_load(folder_of(state), USER, SECRET_ON, &one, NULL),
			 0);
	assert_int_equal(one->since, st.st_mtime);
	assert_int_equal(
		secret_file_load(folder_of(state), "bob", SECRET_ON, &other, NULL), 0);
	assert_true(secret_file_equals(one, one));
	assert_false(secret_file_equals(one, other));
	assert_int_equal(secret_file_move(folder_of(state), USER, SECRET_ON, SECRET_OFF),
			 0);
	assert_int_equal(look(state, USER, SECRET_ON), -ENOENT);
	assert_int_equal(look(state, USER, SECRET_OFF), 0);
	assert_int_equal(look(state, USER, SECRET_OLD), -ENOENT);
}

static void what_lay_in_a_place_is_spared(void **state)
{
	assert_int_equal(secret_file_spare(folder_of(state), USER, SECRET_OFF), 0);
	for (int i = 0; i < 3; i++) {
		put(state, USER, SECRET_ON);
		assert_int_equal(
			secret_file_move(folder_of(state), USER, SECRET_ON, SECRET_OFF),
			0);
	}
	assert_int_equal(look(state, USER, SECRET_OFF), 0);
	assert_int_equal(access(scratch_path(state, "secret/" USER ".old.1"), F_OK), 0);
	assert_int_equal(access(scratch_path(state, "secret/" USER ".old.2"), F_OK), 0);
	assert_int_equal(access(scratch_path(state, "secret/" USER ".old.3"), F_OK), -1);
	/* Nothing to move: what is there stays. */
	assert_int_equal(secret_file_move(folder_of(state), USER, SECRET_ON, SECRET_OFF),
			 -ENOENT);
	assert_int_equal(look(state, USER, SECRET_OFF), 0);
	assert_int_equal(secret_file_spare(folder_of(state), "..", SECRET_OFF), -EINVAL);
}

static void names_that_are_none_have_no_file(void **state)
{
	static const char *const names[] = {
		"", ".", "..", "../alice", "a/b", "-a", "a b"
	};

	put(state, USER, SECRET_ON);
	for (size_t i = 0; i < array_size(names); i++) {
		assert_int_equal(look(state, names[i], SECRET_ON), -ENOENT);
		assert_int_equal(
			secret_file_save(folder_of(state), names[i], SECRET_ON, "x", 1),
			-EINVAL);
		assert_int_equal(secret_file_move(folder_of(state), names[i], SECRET_ON,
						  SECRET_OFF),
				 -EINVAL);
	}
	/* A user whose name ends like a file's is another. */
	assert_int_equal(look(state, USER ".cms", SECRET_ON), -ENOENT);
}

static int note_user(void *context, const char *user)
{
	char *told = context;

	strcat(told, user);
	strcat(told, " ");
	return strcmp(user, "last") == 0 ? 7 : 0;
}

static int tell_users(void **state, char ret_told[256])
{
	ret_told[0] = '\0';
	return secret_files_each(folder_of(state), note_user, ret_told, NULL);
}

/* Whoever the registry may know: by what lies there, each user once. */
static void each_user_who_has_one_is_told_once(void **state)
{
	char told[256];

	assert_int_equal(tell_users(state, told), 0);
	assert_string_equal(told, "");
	put(state, USER, SECRET_ON);
	put(state, USER ".d", SECRET_ON);
	put(state, USER, SECRET_OFF);
	put(state, "bob", SECRET_OFF);
	put(state, "carol", SECRET_OLD);
	assert_int_equal(symlink("nowhere", scratch_path(state, "secret/dan.cms")), 0);
	assert_int_equal(symlink("nowhere", scratch_path(state, "secret/.cms")), 0);
	assert_int_equal(symlink("nowhere", scratch_path(state, "secret/-e.cms")), 0);
	assert_int_equal(tell_users(state, told), 0);
	assert_string_equal(told, USER " " USER ".d bob dan ");
	put(state, "last", SECRET_ON);
	put(state, "later", SECRET_ON);
	assert_int_equal(tell_users(state, told), 7);
	assert_int_equal(chmod(scratch_path(state, "secret"), 0770), 0);
	assert_int_equal(tell_users(state, told), -EPERM);
}

static void what_others_may_have_written_is_not_read(void **state)
{
	const char *folder = scratch_path(state, "secret");
	const char *path = scratch_path(state, "secret/" USER ".cms");

	put(state, USER, SECRET_ON);
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(look(state, USER, SECRET_ON), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(look(state, USER, SECRET_ON), 0);
	assert_int_equal(chmod(folder, 0750), 0);
	assert_int_equal(look(state, USER, SECRET_ON), -EPERM);
	assert_int_equal(secret_file_save(folder_of(state), USER, SECRET_ON, "x", 1),
			 -EPERM);
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(rename(path, scratch_path(state, "elsewhere")), 0);
	assert_int_equal(symlink(scratch_path(state, "elsewhere"), path), 0);
	assert_int_equal(look(state, USER, SECRET_ON), -ELOOP);
}

static void what_is_no_envelope_is_told(void **state)
{
	static char big[ENVELOPE_SIZE_MAX + 1];

	put(state, USER, SECRET_ON);
	assert_int_equal(secret_file_save(folder_of(state), USER, SECRET_ON, "x", 1), 0);
	assert_int_equal(look(state, USER, SECRET_ON), -EBADMSG);
	assert_int_equal(
		secret_file_save(folder_of(state), USER, SECRET_ON, big, sizeof(big)), 0);
	assert_int_equal(look(state, USER, SECRET_ON), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(it_is_for_the_active_cards_of_the_user_alone),
		scratch_test(another_wrap_is_another_recipient),
		scratch_test(two_cards_with_one_key_are_one_recipient),
		scratch_test(a_registry_that_makes_no_sense_seals_nothing),
		scratch_test(nobody_has_more_cards_than_fit),
		scratch_test(each_card_opens_what_was_sealed),
		scratch_test(a_file_comes_back_and_changes_its_place),
		scratch_test(what_lay_in_a_place_is_spared),
		scratch_test(names_that_are_none_have_no_file),
		scratch_test(each_user_who_has_one_is_told_once),
		scratch_test(what_others_may_have_written_is_not_read),
		scratch_test(what_is_no_envelope_is_told),
	};

	return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
