/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: its files come back as they were written, and nothing else is read.
 */
#include "unit/store_fixture.h"

#include "hygied/store_ini.h"

static void a_store_comes_back_as_it_was_written(void **state)
{
	cleanup_store struct store *made = store_made(state, 3);
	cleanup_store struct store *back = NULL;

	made->idle = 600;
	made->backend = BACKEND_FSCRYPT;
	made->rotate = true;
	made->holders[1].until = NOW - NOW % 86400 + 86400;
	made->holders[1].grants = false;
	made->holders[2].state = RIGHT_LEAVING;
	made->holders[0].name[0] = '\0';
	assert_int_equal(store_save(folder_of(state), made), 0);
	back = loaded(state);
	assert_int_equal(back->count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct store_holder *a = &made->holders[i], *b = &back->holders[i];

		assert_string_equal(a->user, b->user);
		assert_string_equal(a->name, b->name);
		assert_memory_equal(a->key_id, b->key_id, HYGIE_KEY_ID_SIZE);
		assert_memory_equal(a->card, b->card, HYGIE_KEY_ID_SIZE);
		assert_int_equal(a->wrap, b->wrap);
		assert_int_equal(a->state, b->state);
		assert_int_equal(a->grants, b->grants);
		assert_int_equal(a->until, b->until);
	}
	assert_string_equal(back->cipher, made->cipher);
	assert_string_equal(back->mount, made->mount);
	assert_string_equal(back->group, made->group);
	assert_int_equal(back->idle, 600);
	assert_int_equal(back->backend, BACKEND_FSCRYPT);
	assert_int_equal(back->generation, 7);
	assert_true(back->rotate);
	assert_memory_equal(back->recovery, made->recovery, HYGIE_KEY_ID_SIZE);
}

static void a_right_ends_when_its_last_day_is_over(void **state)
{
	struct store_holder holder = holder_of(ALICE, RIGHT_HELD);

	(void)state;
	assert_int_equal(store_holder_admit(&holder, NOW), ADMISSION_OK);
	holder.until = NOW + 1;
	assert_int_equal(store_holder_admit(&holder, NOW), ADMISSION_OK);
	assert_int_equal(store_holder_admit(&holder, NOW + 1), ADMISSION_ENDED);
	holder.until = 0;
	holder.state = RIGHT_LEAVING;
	assert_int_equal(store_holder_admit(&holder, NOW), ADMISSION_LEAVING);
	holder.state = RIGHT_PENDING;
	assert_int_equal(store_holder_admit(&holder, NOW), ADMISSION_PENDING);
	holder.state = 0;
	assert_int_equal(store_holder_admit(&holder, NOW), ADMISSION_REFUSED);
	assert_int_equal(store_holder_admit(NULL, NOW), ADMISSION_REFUSED);
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define STORE                                                                            \
	"[store]\nformat = 1\nbackend = gocryptfs\ncipher = /a/b\nmount = /c/d\n"        \
	"group = records\nidle = 0\ngeneration = 3\nrecovery = " HEX "\n"
#define HOLDER                                                                           \
	"[holder " HEX "]\nuser = alice\nname = A\ncard = " HEX "\nwrap = ec\n"          \
	"state = held\ngrants = yes\n"

static int parse(const char *text, size_t size, struct file_error *error)
{
	cleanup_store struct store *store = NULL;

	return store_ini_parse(text, size, "records", &store, error);
}

static void what_is_not_understood_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", ":0: has no [store]" },
		{ HOLDER, ":1: is not a heading" },
		{ STORE STORE, ":10: is not a heading" },
		{ STORE HOLDER HOLDER, "stands here twice" },
		{ STORE "surprise = 1\n", ":10: no such key" },
		{ STORE "idle = 1\n", ":10: this key stands here twice" },
		{ STORE HOLDER "until = 2027-02-30\n", "value cannot be" },
		{ STORE HOLDER "until = 2027-2-3\n", "value cannot be" },
		{ STORE HOLDER "until = tomorrow\n", "value cannot be" },
		{ STORE HOLDER "until = \n", "value cannot be" },
		{ STORE HOLDER "generation = 4\n", "no such key" },
		{ STORE "[holder " HEX "\n", "is not [holder]" },
		{ STORE "[holder zz" HEX "]\n", "is not [holder]" },
		{ STORE "[holder]\n", "is not a heading" },
		{ STORE "[other " HEX "]\n", "is not a heading" },
		{ STORE "idle\n", "is not \"key = value\"" },
		{ STORE "rotate=yes\n", "is not \"key = value\"" },
		{ STORE "rotate = maybe\n", "value cannot be" },
		{ STORE "rotate = yes", "was cut" },
		{ STORE "[holder " HEX "]\nuser = alice\n", "a key is missing" },
		{ "[store]\nformat = 2\n", ":2: its value" },
		{ "[store]\nbackend = none\n", ":2: its value" },
		{ "[store]\nbackend = \n", ":2: its value" },
		{ "[store]\nbackend = fscrypt2\n", ":2: its value" },
		{ "[store]\ngeneration = 0\n", ":2: its value" },
		{ "[store]\ngeneration = 03\n", ":2: its value" },
		{ "[store]\ngeneration = -1\n", ":2: its value" },
		{ "[store]\ngeneration = 18446744073709551616\n", ":2: its value" },
		{ "[store]\nidle = 4294967296\n",
		  ":2: idle is in seconds, at most a week" },
		{ "[store]\nidle = 604801\n", ":2: idle is in seconds, at most a week" },
		{ "[store]\nidle = -1\n", ":2: idle is in seconds, at most a week" },
		{ "[store]\ncipher = relative\n", ":2: its value" },
		{ "[store]\ncipher = /a/../b\n", ":2: its value" },
		{ "[store]\nmount = /\n", ":2: its value" },
		{ "[store]\ngroup = a b\n", ":2: its value" },
		{ "[store]\nrecovery = 00\n", ":2: its value" },
		{ STORE "[holder " HEX "]\nwrap = none\n", "value cannot be" },
		{ STORE "[holder " HEX "]\nstate = \n", "value cannot be" },
		{ STORE "[holder " HEX "]\nuser =\n", "value cannot be" },
		{ STORE "[holder " HEX "]\nname = \x1b[2J\n", "value cannot be" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct file_error error = { "" };

		assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &error),
				 -EBADMSG);
		assert_contains(error.text, cases[i].why);
	}
	assert_int_equal(parse(STORE HOLDER, strlen(STORE HOLDER), NULL), 0);
	assert_int_equal(parse(STORE, strlen(STORE), NULL), 0);
}

/* Every beginning of the text, and the text with each of its bytes changed. */
static void a_text_that_was_cut_or_changed_does_no_harm(void **state)
{
	static const char text[] = STORE HOLDER "until = 2027-01-31\n";
	char changed[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		int r = parse(text, i, NULL);

		/* A whole [store], or all but the end of the right, is a text as well. */
		if (r != 0)
			assert_int_equal(r, -EBADMSG);
		else
			assert_true(i == strlen(STORE) || i == strlen(STORE HOLDER));
		memcpy(changed, text, sizeof(text));
		changed[i] = '\0';
		assert_int_equal(parse(changed, sizeof(text) - 1, NULL), -EBADMSG);
	}
}

static void long_lines_long_files_and_too_many_holders_are_refused(void **state)
{
	cleanup_store struct store *store = store_made(state, 1);
	struct store_holder holder = holder_of(ALICE, RIGHT_HELD);
	char *text = malloc(STORE_INI_MAX + 2);
	struct file_error error;
	size_t size;

	size = (size_t)sprintf(text, "%sgroup = ", STORE);
	memset(text + size, 'x', STORE_INI_LINE_MAX);
	text[size + STORE_INI_LINE_MAX] = '\n';
	assert_int_equal(parse(text, size + STORE_INI_LINE_MAX + 1, &error), -EBADMSG);
	assert_contains(error.text, "too long");
	memset(text, '\n', STORE_INI_MAX + 1);
	memcpy(text, STORE, strlen(STORE));
	assert_int_equal(parse(text, STORE_INI_MAX, &error), 0);
	assert_int_equal(parse(text, STORE_INI_MAX + 1, &error), -EBADMSG);
	free(text);

	for (int i = 1; i < STORE_HOLDERS_MAX; i++) {
		holder.key_id[0] = (uint8_t)i;
		holder.key_id[1] = (uint8_t)~store->holders[0].key_id[1];
		memset(holder.user, 'u', sizeof(holder.user) - 1);
		memset(holder.name, 'n', sizeof(holder.name) - 1);
		holder.until = NOW - NOW % 86400;
		assert_int_equal(store_holder_add(store, &holder), 0);
	}
	holder.key_id[2] = (uint8_t)~holder.key_id[2];
	assert_int_equal(store_holder_add(store, &holder), -ENOSPC);
	assert_int_equal(store_save(folder_of(state), store), 0);
	store_free(store);
	store = loaded(state);
	assert_int_equal(store->count, STORE_HOLDERS_MAX);
	assert_int_equal(store_ini_format(store, &text, &size), 0);
	text = realloc(text, size + sizeof(HOLDER));
	memcpy(text + size, HOLDER, sizeof(HOLDER));
	assert_int_equal(parse(text, size + strlen(HOLDER), &error), -EBADMSG);
	assert_contains(error.text, "too many holders");
	free(text);
}

static void assert_load_fails(void **state, int fault, const char *why)
{
	struct file_error error = { "" };
	struct store *store = NULL;

	assert_int_equal(store_load(folder_of(state), NAME, &store, &error), fault);
	assert_null(store);
	assert_contains(error.text, why);
}

static void a_file_that_another_could_have_written_is_refused(void **state)
{
	cleanup_store struct store *store = store_made(state, 1);
	const char *ini = scratch_path(state, NAME "/store.ini");
	const char *aside = scratch_path(state, "aside");

	assert_int_equal(chmod(ini, 0660), 0);
	assert_load_fails(state, -EPERM, "store.ini");
	assert_int_equal(chmod(ini, 0600), 0);
	assert_int_equal(rename(ini, aside), 0);
	assert_load_fails(state, -ENOENT, "store.ini");
	assert_int_equal(symlink(aside, ini), 0);
	assert_load_fails(state, -ELOOP, "store.ini");
	assert_int_equal(unlink(ini), 0);
	assert_int_equal(link(aside, ini), 0);
	assert_load_fails(state, -EPERM, "store.ini");
	assert_int_equal(unlink(ini), 0);
	assert_int_equal(mkfifo(ini, 0600), 0);
	assert_load_fails(state, -EPERM, "store.ini");
	assert_int_equal(unlink(ini), 0);
	assert_int_equal(rename(aside, ini), 0);
	store_free(store);
	store = loaded(state);
	if (geteuid() == 0) {
		assert_int_equal(chown(ini, 12345, 0), 0);
		assert_load_fails(state, -EPERM, "store.ini");
	}
}

static void a_folder_that_others_can_enter_is_refused(void **state)
{
	cleanup_store struct store *store = store_made(state, 1);
	const char *folder = scratch_path(state, NAME);
	const char *aside = scratch_path(state, "aside");
	static const mode_t modes[] = { 0701, 0710, 0770, 0750, 02700, 0755 };

	for (size_t i = 0; i < array_size(modes); i++) {
		assert_int_equal(chmod(folder, modes[i]), 0);
		assert_load_fails(state, -EPERM, NAME);
	}
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(rename(folder, aside), 0);
	assert_int_equal(symlink(aside, folder), 0);
	assert_load_fails(state, -ELOOP, NAME);
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(aside, folder), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(folder, 12345, 0), 0);
		assert_load_fails(state, -EPERM, NAME);
		assert_int_equal(chown(folder, 0, 0), 0);
	}
	store_free(store);
	store = loaded(state);
}

static void a_name_that_leads_elsewhere_is_no_store(void **state)
{
	static const char *const names[] = { "", ".", "..", "../records", "a/b", ".new" };
	struct file_error error;
	struct store *store;

	for (size_t i = 0; i < array_size(names); i++)
		assert_int_equal(store_load(folder_of(state), names[i], &store, &error),
				 -ENOENT);
}

/* The longest name has a place to be made in, too, and no other has. */
static void a_store_of_any_name_can_be_made_beside_its_place(void **state)
{
	cleanup_store struct store *store = store_made(state, 0);
	char name[STORE_NAME_MAX + 2], stage[STORE_NAME_MAX + 8];
	struct file_error error = { "" };
	struct store *read = NULL;

	memset(name, 'n', sizeof(name) - 1);
	name[STORE_NAME_MAX + 1] = '\0';
	(void)snprintf(stage, sizeof(stage), ".%.*s.new", STORE_NAME_MAX, name);
	memset(store->seen, 0, sizeof(store->seen));
	assert_int_equal(mkdir(scratch_path(state, stage), 0700), 0);
	assert_int_equal(store_save_at(folder_of(state), stage, store), 0);
	assert_int_equal(store_load_at(folder_of(state), stage, NAME, &read, &error), 0);
	store_free(read);
	(void)snprintf(stage, sizeof(stage), ".%.*s", STORE_NAME_MAX, name);
	assert_int_equal(mkdir(scratch_path(state, stage), 0700), 0);
	assert_int_equal(store_load_at(folder_of(state), stage, NAME, &read, &error),
			 -ENOENT);
	assert_int_equal(store_load_at(folder_of(state), ".new", NAME, &read, &error),
			 -ENOENT);
}

static void an_envelope_or_certificate_that_is_another_is_refused(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	char alice[2 * HYGIE_KEY_ID_SIZE + 32], bob[sizeof(alice)];
	struct certificate *certificate = NULL;
	struct envelope *envelope = NULL;
	struct evp_pkey_st *key = NULL;
	struct file_error error = { "" };
	char digits[2 * HYGIE_KEY_ID_SIZE + 1] = "";

	for (int who = ALICE; who <= BOB; who++) {
		for (size_t i = 0; i < HYGIE_KEY_ID_SIZE; i++)
			(void)snprintf(digits + 2 * i, 3, "%02x",
				       certificate_key_id(certificates[who])[i]);
		(void)snprintf(who == ALICE ? alice : bob, sizeof(alice),
			       NAME "/holders/%s.der", digits);
	}
	assert_int_equal(rename(scratch_path(state, alice), scratch_path(state, bob)), 0);
	assert_int_equal(store_certificate_load(folder_of(state), NAME,
						certificate_key_id(certificates[BOB]),
						&certificate, &error),
			 -EBADMSG);
	assert_int_equal(store_certificate_load(folder_of(state), NAME,
						certificate_key_id(certificates[ALICE]),
						&certificate, &error),
			 -ENOENT);
	assert_int_equal(truncate(scratch_path(state, NAME "/keys.cms"), 100), 0);
	assert_int_equal(store_envelope_load(folder_of(state), NAME, &envelope, &error),
			 -EBADMSG);
	assert_contains(error.text, "keys.cms: is damaged");
	assert_int_equal(
		truncate(scratch_path(state, NAME "/keys.cms"), ENVELOPE_SIZE_MAX + 1),
		0);
	assert_int_equal(store_envelope_load(folder_of(state), NAME, &envelope, &error),
			 -EFBIG);
	assert_int_equal(store_recovery_load(folder_of(state), NAME, store->recovery,
					     &key, &error),
			 0);
	EVP_PKEY_free(key);
	store->recovery[0] ^= 1;
	assert_int_equal(store_recovery_load(folder_of(state), NAME, store->recovery,
					     &key, &error),
			 -EBADMSG);
	assert_contains(error.text, "recovery.pub: is not the key");
}

static int count_stores(void *context, const char *name, const struct store *store,
			const struct file_error *error)
{
	char *seen = context;

	(void)strcat(strcat(seen, name), store ? "+ " : "- ");
	assert_true((store == NULL) == (error != NULL));
	return 0;
}

static void each_store_is_told_also_one_that_cannot_be_read(void **state)
{
	cleanup_store struct store *store = store_made(state, 1);
	char seen[64] = "";

	scratch_folder(state, ".half.new");
	scratch_folder(state, "broken");
	assert_int_equal(stores_each(folder_of(state), count_stores, seen), 0);
	assert_string_equal(seen, "broken- records+ ");
	assert_int_equal(stores_each(scratch_path(state, "none"), count_stores, seen), 0);
}

static void certificates_of_nobody_are_tidied_away(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);

	store_holder_drop(store, &store->holders[0]);
	scratch_text(state, NAME "/holders/left.der.hygie-new", "x");
	assert_int_equal(store_certificates_tidy(folder_of(state), store), 0);
	assert_int_not_equal(
		access(scratch_path(state, NAME "/holders/left.der.hygie-new"), F_OK), 0);
	for (int who = ALICE; who <= BOB; who++) {
		struct certificate *certificate = NULL;

		assert_int_equal(
			store_certificate_load(folder_of(state), NAME,
					       certificate_key_id(certificates[who]),
					       &certificate, NULL),
			who == ALICE ? -ENOENT : 0);
		certificate_free(certificate);
	}
}

/* Loaded before a person was asked something, saved after it: another was there. */
static void what_another_has_written_meanwhile_is_not_written_over(void **state)
{
	cleanup_store struct store *made = store_made(state, 2);
	cleanup_store struct store *first = loaded(state), *second = loaded(state);
	cleanup_store struct store *after = NULL;

	first->rotate = true;
	assert_int_equal(store_save(folder_of(state), first), 0);
	second->holders[BOB].state = RIGHT_LEAVING;
	assert_int_equal(store_save(folder_of(state), second), -ESTALE);
	assert_int_equal(store_save(folder_of(state), made), -ESTALE);
	first->idle = 60; /* its own it may change again */
	assert_int_equal(store_save(folder_of(state), first), 0);
	after = loaded(state);
	assert_true(after->rotate && after->idle == 60);
	assert_int_equal(after->holders[BOB].state, RIGHT_HELD);
	assert_int_equal(unlink(scratch_path(state, NAME "/store.ini")), 0);
	assert_int_equal(store_save(folder_of(state), first), -ESTALE);
}

static void what_could_not_be_read_back_is_not_written(void **state)
{
	cleanup_store struct store *store = store_made(state, 1);
	struct store_holder good = store->holders[0];

	(void)snprintf(store->holders[0].user, 8, " alice");
	assert_int_equal(store_save(folder_of(state), store), -EINVAL);
	store->holders[0] = good;
	(void)snprintf(store->holders[0].name, 16, "a\nstate = held");
	assert_int_equal(store_save(folder_of(state), store), -EINVAL);
	store->holders[0] = good;
	store->holders[0].until = 5;
	assert_int_equal(store_save(folder_of(state), store), -EINVAL);
	store->holders[0] = good;
	store->holders[0].state = 0;
	assert_int_equal(store_save(folder_of(state), store), -EINVAL);
	store->holders[0] = good;
	store->generation = 0;
	assert_int_equal(store_save(folder_of(state), store), -EINVAL);
	store->generation = 1;
	assert_int_equal(store_save(folder_of(state), store), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_store_comes_back_as_it_was_written),
		cmocka_unit_test(a_right_ends_when_its_last_day_is_over),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(a_text_that_was_cut_or_changed_does_no_harm),
		scratch_test(long_lines_long_files_and_too_many_holders_are_refused),
		scratch_test(a_file_that_another_could_have_written_is_refused),
		scratch_test(a_folder_that_others_can_enter_is_refused),
		scratch_test(a_name_that_leads_elsewhere_is_no_store),
		scratch_test(a_store_of_any_name_can_be_made_beside_its_place),
		scratch_test(an_envelope_or_certificate_that_is_another_is_refused),
		scratch_test(each_store_is_told_also_one_that_cannot_be_read),
		scratch_test(certificates_of_nobody_are_tidied_away),
		scratch_test(what_another_has_written_meanwhile_is_not_written_over),
		scratch_test(what_could_not_be_read_back_is_not_written),
	};

	return cmocka_run_group_tests_name("store", tests, store_group_setup,
					   store_group_teardown);
}
