/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store rights: who may open it after each opening; and after a kill -9 at every write.
 */
#include "unit/store_fixture.h"

#include <glob.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * A kill -9 at a system call that changes files: before it, and of a write in the middle,
 * too. This program's own functions come before the C library's.
 */
static int calls_left = -1; /* until the kill; -1: none comes */

static void count_call(void)
{
	if (calls_left >= 0 && calls_left-- == 0)
		(void)kill(getpid(), SIGKILL);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	if (calls_left == 0 && size > 1)
		(void)syscall(SYS_write, fd, bytes, size / 2);
	count_call();
	return syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd)
{
	count_call();
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	count_call();
	return (int)syscall(SYS_rename, from, to);
}

static bool unlinks_fail;

int unlinkat(int fd, const char *name, int flags)
{
	count_call();
	if (unlinks_fail) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

static void ask_for(void **state, int newcomer, int leaver)
{
	cleanup_store struct store *store = loaded(state);

	if (newcomer >= 0) {
		struct store_holder holder = holder_of(newcomer, RIGHT_PENDING);

		assert_int_equal(store_certificate_save(folder_of(state), NAME,
							certificates[newcomer]),
				 0);
		assert_int_equal(store_holder_add(store, &holder), 0);
	}
	if (leaver >= 0)
		store_holder_find(store, certificate_key_id(certificates[leaver]))
			->state = RIGHT_LEAVING;
	assert_int_equal(store_save(folder_of(state), store), 0);
}

static enum store_right right_of(void **state, int who)
{
	cleanup_store struct store *store = loaded(state);
	const struct store_holder *holder =
		store_holder_find(store, certificate_key_id(certificates[who]));

	return holder ? holder->state : 0;
}

static void rights_change_at_the_next_opening_that_grants(void **state)
{
	cleanup_store struct store *store = store_made(state, 3);
	struct store_changes changes = { 0 };

	ask_for(state, DAN, BOB);
	assert_false(opens(state, DAN));
	assert_true(opens(state, BOB));
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	assert_true(changes.sealed && !changes.caught_up);
	assert_int_equal(changes.granted, 1);
	assert_int_equal(changes.removed, 1);
	assert_int_equal(changes.generation, 8);
	assert_true(opens(state, DAN) && opens(state, ALICE) && opens(state, CAROL));
	assert_true(opens(state, PAPER));
	assert_false(opens(state, BOB));
	assert_int_equal(right_of(state, DAN), RIGHT_HELD);
	assert_int_equal(right_of(state, BOB), 0);
	assert_int_equal(complete_by(state, DAN, &changes, NULL), 0);
	assert_false(changes.sealed); /* nothing is left to do */
}

static void who_may_not_grant_changes_nothing(void **state)
{
	cleanup_store struct store *store = store_made(state, 3);
	struct store_changes changes = { 0 };

	store->holders[CAROL].grants = false;
	store->holders[BOB].until = NOW - NOW % 86400;
	assert_int_equal(store_save(folder_of(state), store), 0);
	ask_for(state, DAN, -1);
	assert_int_equal(complete_by(state, CAROL, &changes, NULL), 0);
	assert_int_equal(complete_by(state, BOB, &changes, NULL), 0);
	assert_false(changes.sealed);
	assert_int_equal(right_of(state, DAN), RIGHT_PENDING);
	assert_false(opens(state, DAN));
	ask_for(state, -1, ALICE);
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	assert_false(changes.sealed); /* not her own leaving, either */
	assert_int_equal(complete_by(state, PAPER, &changes, NULL), 0);
	assert_true(changes.sealed);
	assert_int_equal(changes.removed, 2); /* she, and he whose time was over */
	assert_true(opens(state, DAN) && opens(state, CAROL));
	assert_false(opens(state, ALICE) || opens(state, BOB));
}

static void a_rotation_makes_a_new_envelope_for_the_same(void **state)
{
	cleanup_store struct store *store = store_made(state, 3);
	struct store_changes changes = { 0 };

	store->rotate = true;
	assert_int_equal(store_save(folder_of(state), store), 0);
	assert_int_equal(complete_by(state, CAROL, &changes, NULL), 0);
	assert_true(changes.sealed);
	assert_int_equal(changes.granted + changes.removed, 0);
	store_free(store);
	store = loaded(state);
	assert_int_equal(store->generation, 8);
	assert_false(store->rotate);
	for (int who = 0; who < 3; who++)
		assert_true(opens(state, who));
}

/* Somebody who could write the envelope gives himself nothing, then or later. */
static void a_recipient_added_by_a_stranger_is_never_granted(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	const struct envelope_recipient recipients[] = {
		{ people[ALICE], wraps_of_test[ALICE] },
		{ people[BOB], wraps_of_test[BOB] },
		{ people[PAPER], ENVELOPE_WRAP_EC },
		{ people[DAN], ENVELOPE_WRAP_EC },
	};
	const struct envelope_store as = { NAME, 7, ENVELOPE_OF_STORE };
	struct store_changes changes = { 0 };
	uint8_t *der;
	size_t size;

	/* Worse than he can: as though he had the secret, and sealed for himself. */
	assert_int_equal(envelope_seal(secret_of_test, &as, recipients, 4, &der, &size),
			 0);
	assert_int_equal(store_envelope_save(folder_of(state), NAME, der, size), 0);
	OPENSSL_free(der);
	assert_true(opens(state, DAN)); /* the control */
	store->rotate = true;
	assert_int_equal(store_save(folder_of(state), store), 0);
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	assert_false(opens(state, DAN));
	assert_true(opens(state, ALICE) && opens(state, BOB) && opens(state, PAPER));
}

static void an_older_envelope_put_back_is_refused(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	struct store_changes changes;
	const char *keys = scratch_path(state, NAME "/keys.cms");
	const char *aside = scratch_path(state, NAME "/aside");

	assert_int_equal(link(keys, aside), 0);
	assert_int_equal(unlink(keys), 0);
	assert_int_equal(link(aside, keys), 0);
	ask_for(state, -1, BOB);
	assert_int_equal(unlink(keys), 0);
	assert_int_equal(rename(aside, keys), 0);
	assert_int_equal(link(keys, aside), 0);
	{
		/* put in place by rename, so the other name keeps the old one */
		size_t size = 0;
		FILE *file = fopen(aside, "re");
		uint8_t bytes[8192];

		size = fread(bytes, 1, sizeof(bytes), file);
		(void)fclose(file);
		assert_int_equal(unlink(aside), 0);
		assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
		assert_false(opens(state, BOB));
		assert_int_equal(store_envelope_save(folder_of(state), NAME, bytes, size),
				 0);
	}
	store_free(store);
	store = loaded(state);
	assert_int_equal(open_by(state, store, BOB, NULL).verdict, ENVELOPE_OLDER);
	assert_int_equal(open_by(state, store, ALICE, NULL).verdict, ENVELOPE_OLDER);
}

static void a_certificate_that_is_missing_stops_the_change(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	struct store_holder holder = holder_of(DAN, RIGHT_PENDING);
	struct file_error error = { "" };
	struct store_changes changes;

	assert_int_equal(store_holder_add(store, &holder), 0);
	assert_int_equal(store_save(folder_of(state), store), 0);
	assert_int_equal(complete_by(state, ALICE, &changes, &error), -EBADMSG);
	assert_contains(error.text, ".der");
	assert_true(opens(state, ALICE) && opens(state, BOB));
	assert_int_equal(right_of(state, DAN), RIGHT_PENDING);
}

/* What cannot be tidied away is no failure of the change, and goes with the next one. */
static void a_leftover_does_not_make_a_change_a_failure(void **state)
{
	cleanup_store struct store *store = store_made(state, 3);
	struct store_changes changes = { 0 };
	struct certificate *left = NULL;

	ask_for(state, DAN, BOB);
	unlinks_fail = true;
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	unlinks_fail = false;
	assert_true(changes.sealed);
	assert_int_equal(changes.granted, 1);
	assert_int_equal(changes.removed, 1);
	assert_int_equal(changes.generation, 8);
	assert_true(opens(state, DAN) && !opens(state, BOB));
	assert_int_equal(store_certificate_load(folder_of(state), NAME,
						certificate_key_id(certificates[BOB]),
						&left, NULL),
			 0);
	certificate_free(left);
	ask_for(state, -1, CAROL);
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	assert_int_equal(store_certificate_load(folder_of(state), NAME,
						certificate_key_id(certificates[BOB]),
						&left, NULL),
			 -ENOENT);
}

/* The child is killed at its n-th call; whatever is there then opens, and goes on. */
static bool killed_at(void **state, int n)
{
	struct store_changes changes;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		calls_left = n;
		_exit(complete_by(state, ALICE, &changes, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	return true;
}

static void a_kill_at_each_write_leaves_the_old_or_the_new_state(void **state)
{
	unsigned old = 0, between = 0, new = 0;
	bool killed = true;

	for (int n = 0; killed; n++) {
		cleanup_store struct store *store = store_made(state, 3);
		cleanup_store struct store *after = NULL;
		struct store_changes changes = { 0 };
		bool dan, bob;

		ask_for(state, DAN, BOB);
		killed = killed_at(state, n);
		after = loaded(state);
		dan = opens(state, DAN);
		bob = opens(state, BOB);
		assert_true(dan != bob);
		assert_true(opens(state, ALICE) && opens(state, CAROL));
		assert_true(opens(state, PAPER));
		old += bob;
		between += dan && after->generation == 7;
		new += dan && after->generation == 8;
		/* The next opening, by somebody who may grant nothing if it is between. */
		if (dan && after->generation == 7) {
			after->holders[CAROL].grants = false;
			assert_int_equal(store_save(folder_of(state), after), 0);
			assert_int_equal(complete_by(state, CAROL, &changes, NULL), 0);
			assert_true(changes.caught_up && !changes.sealed);
			assert_int_equal(changes.granted, 1);
			assert_int_equal(changes.removed, 1);
		} else {
			assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
		}
		assert_int_equal(right_of(state, DAN), RIGHT_HELD);
		assert_int_equal(right_of(state, BOB), 0);
		assert_true(opens(state, DAN) && opens(state, ALICE));
		assert_false(opens(state, BOB));
		assert_int_equal(nftw(scratch_path(state, NAME), scratch_remove, 8,
				      FTW_DEPTH | FTW_PHYS),
				 0);
	}
	assert_true(old >= 3 && between >= 3 && new >= 2);
}

/* As `hygie store recovery` does, once the page is noted. */
static int queue_new_paper(void **state)
{
	cleanup_store struct store *store = loaded(state);
	int r = store_recovery_save_next(folder_of(state), NAME, people[NEW_PAPER],
					 new_locked, new_locked_size,
					 store->recovery_next);

	return r < 0 ? r : store_save(folder_of(state), store);
}

/* Whether that passphrase unlocks what is there for that key. */
static bool unlocks(void **state, int who, const struct secret *passphrase)
{
	uint8_t id[HYGIE_KEY_ID_SIZE];
	cleanup_free char *locked = NULL;
	EVP_PKEY *key = NULL;
	size_t size;
	bool same;

	assert_int_equal(store_key_id(people[who], id), 0);
	if (store_recovery_locked(folder_of(state), NAME, id, &locked, &size, NULL) < 0 ||
	    recovery_key_unlock(locked, size, passphrase, &key) < 0)
		return false;
	same = EVP_PKEY_eq(key, people[who]) == 1;
	EVP_PKEY_free(key);
	return same;
}

static size_t next_files(void **state)
{
	cleanup_free char *pattern = NULL;
	glob_t found = { 0 };
	size_t count = 0;

	assert_true(asprintf(&pattern, "%s/" NAME "/recovery-*", folder_of(state)) > 0);
	if (glob(pattern, 0, NULL, &found) == 0)
		count = found.gl_pathc;
	globfree(&found);
	return count;
}

static void assert_new_paper_holds(void **state)
{
	cleanup_store struct store *store = loaded(state);

	assert_true(opens(state, NEW_PAPER) && opens(state, ALICE) && opens(state, BOB));
	assert_false(opens(state, PAPER));
	assert_true(unlocks(state, NEW_PAPER, new_passphrase));
	assert_false(store_recovery_is_pending(store));
	assert_int_equal(next_files(state), 0);
}

static void a_new_recovery_key_holds_after_an_opening_that_grants(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	struct store_changes changes = { 0 };

	store->holders[BOB].grants = false;
	assert_int_equal(store_save(folder_of(state), store), 0);
	assert_int_equal(queue_new_paper(state), 0);
	assert_int_equal(complete_by(state, BOB, &changes, NULL), 0);
	assert_true(opens(state, PAPER) && !opens(state, NEW_PAPER));
	assert_true(unlocks(state, PAPER, passphrase_of_test));
	assert_int_equal(complete_by(state, PAPER, &changes, NULL), 0);
	assert_true(changes.sealed && changes.rekeyed);
	assert_new_paper_holds(state);
}

/* One that was never carried out goes when another is queued and done. */
static void of_two_new_recovery_keys_the_last_holds(void **state)
{
	cleanup_store struct store *store = store_made(state, 2);
	struct store_changes changes = { 0 };

	assert_int_equal(store_recovery_save_next(folder_of(state), NAME, people[DAN],
						  locked_of_test, locked_size,
						  store->recovery_next),
			 0);
	assert_int_equal(store_save(folder_of(state), store), 0);
	assert_int_equal(queue_new_paper(state), 0);
	assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
	assert_new_paper_holds(state);
	assert_false(opens(state, DAN));
}

static void a_kill_at_each_write_leaves_one_recovery_key_that_holds(void **state)
{
	unsigned old = 0, between = 0, new = 0;
	bool killed = true;

	for (int n = 0; killed; n++) {
		cleanup_store struct store *store = store_made(state, 2);
		cleanup_store struct store *after = NULL;
		struct store_changes changes = { 0 };
		bool cut;

		assert_int_equal(queue_new_paper(state), 0);
		killed = killed_at(state, n);
		after = loaded(state);
		cut = store_rekeying_is_cut_short(folder_of(state), after);
		assert_true(opens(state, PAPER) != opens(state, NEW_PAPER));
		if (opens(state, PAPER))
			assert_true(unlocks(state, PAPER, passphrase_of_test) && !cut);
		else
			assert_true(unlocks(state, NEW_PAPER, new_passphrase));
		old += opens(state, PAPER);
		between += cut;
		new += opens(state, NEW_PAPER) && !cut;
		if (cut) { /* whoever opens finishes it: the new passphrase, too */
			assert_int_equal(complete_by(state, NEW_PAPER, &changes, NULL),
					 0);
			assert_true(changes.caught_up && changes.rekeyed);
		} else {
			assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
		}
		assert_new_paper_holds(state);
		assert_int_equal(nftw(scratch_path(state, NAME), scratch_remove, 8,
				      FTW_DEPTH | FTW_PHYS),
				 0);
	}
	assert_true(old >= 3 && between >= 3 && new >= 4);
}

static void a_kill_while_a_recovery_key_is_queued_harms_no_rights(void **state)
{
	bool killed = true;

	for (int n = 0; killed; n++) {
		cleanup_store struct store *store = store_made(state, 2);
		struct store_changes changes = { 0 };
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			calls_left = n;
			_exit(queue_new_paper(state) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status);
		assert_true(killed || WEXITSTATUS(status) == 0);
		assert_true(opens(state, PAPER) && opens(state, ALICE));
		assert_true(unlocks(state, PAPER, passphrase_of_test));
		assert_int_equal(queue_new_paper(state), 0);
		assert_int_equal(complete_by(state, ALICE, &changes, NULL), 0);
		assert_new_paper_holds(state);
		assert_int_equal(nftw(scratch_path(state, NAME), scratch_remove, 8,
				      FTW_DEPTH | FTW_PHYS),
				 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(rights_change_at_the_next_opening_that_grants),
		scratch_test(who_may_not_grant_changes_nothing),
		scratch_test(a_rotation_makes_a_new_envelope_for_the_same),
		scratch_test(a_recipient_added_by_a_stranger_is_never_granted),
		scratch_test(an_older_envelope_put_back_is_refused),
		scratch_test(a_certificate_that_is_missing_stops_the_change),
		scratch_test(a_leftover_does_not_make_a_change_a_failure),
		scratch_test(a_kill_at_each_write_leaves_the_old_or_the_new_state),
		scratch_test(a_new_recovery_key_holds_after_an_opening_that_grants),
		scratch_test(of_two_new_recovery_keys_the_last_holds),
		scratch_test(a_kill_at_each_write_leaves_one_recovery_key_that_holds),
		scratch_test(a_kill_while_a_recovery_key_is_queued_harms_no_rights),
	};

	return cmocka_run_group_tests_name("store rights", tests, store_group_setup,
					   store_group_teardown);
}
