/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a store that is to take another's place; see store_successor.h. store.ini
 * is written before its encrypted folder is made, so that the folder is found by the next
 * run, whatever moment is the last of this one.
 */
#include "hygied/store_successor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const made_by_init[] = { "gocryptfs.conf", "gocryptfs.diriv" };

void store_successor_end(struct store_successor *successor)
{
	store_free(successor->store);
	secret_free(successor->secret);
	successor->store = NULL;
	successor->secret = NULL;
}

/* Where it will have its encrypted files: within its own folder, or beside the old ones. */
static int cipher_choose(const struct store *old, struct store *store)
{
	char own[STORE_PATH_SIZE], *end;
	int n, r = store_path(STORE_FOLDER, store->name, "cipher", own);

	if (r < 0)
		return r;
	if (strcmp(old->cipher, own) == 0)
		return 0;
	end = strrchr(store->cipher, '.'); /* ".gN", of the one before */
	if (end && end[1] == 'g' && end[2] &&
	    strspn(end + 2, "0123456789") == strlen(end + 2))
		*end = '\0';
	n = snprintf(own, sizeof(own), "%s.g%" PRIu64, store->cipher, store->generation);
	if (n < 0 || (size_t)n >= sizeof(own))
		return -ENAMETOOLONG;
	memcpy(store->cipher, own, sizeof(own));
	return 0;
}

/* The holders' certificates and the recovery key, as they are in the store. */
static int files_copy(const struct store_stage *stage, const struct store *store,
		      struct file_error *error)
{
	uint8_t id[HYGIE_KEY_ID_SIZE];
	cleanup_free char *locked = NULL;
	EVP_PKEY *key = NULL;
	size_t size;
	int r = 0;

	for (size_t i = 0; r == 0 && i < store->count; i++) {
		cleanup_certificate struct certificate *certificate = NULL;

		r = store_certificate_load(STORE_FOLDER, store->name,
					   store->holders[i].key_id, &certificate, error);
		if (r == 0)
			r = store_certificate_save(STORE_FOLDER, stage->name,
						   certificate);
	}
	if (r == 0)
		r = store_recovery_locked(STORE_FOLDER, store->name, store->recovery,
					  &locked, &size, error);
	/* The key that was typed may be the one before: it made the pending one hold. */
	if (r == 0)
		r = store_recovery_load(STORE_FOLDER, store->name, store->recovery, &key,
					error);
	if (r == 0)
		r = store_recovery_save(STORE_FOLDER, stage->name, key, locked, size, id);
	EVP_PKEY_free(key);
	return r == -ENOENT ? -EBADMSG : r;
}

/* What an earlier run sealed to is what this one would. */
static bool is_for_same(const struct store *staged, const struct store *old)
{
	if (memcmp(staged->recovery, old->recovery, sizeof(old->recovery)) != 0)
		return false;
	for (size_t i = 0; i < staged->count; i++)
		if (!store_holder_find(old, staged->holders[i].key_id))
			return false;
	return true;
}

static int stale(struct file_error *error, const char *text)
{
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -ESTALE;
}

static bool is_same_secret(const struct secret *one, const struct secret *other)
{
	return secret_size(one) == secret_size(other) &&
	       CRYPTO_memcmp(secret_bytes_const(one), secret_bytes_const(other),
			     secret_size(one)) == 0;
}

/* The secret of an earlier run: never the one that it is to take the place of. */
static int secret_take(const struct store_stage *stage, const struct store *staged,
		       const struct store_unlocked *unlocked, struct secret **ret_secret,
		       struct file_error *error)
{
	const struct envelope_store expected = { stage->store, staged->generation,
						 ENVELOPE_OF_STORE };
	cleanup_envelope struct envelope *envelope = NULL;
	struct envelope_opened opened = { 0 };
	int r = store_envelope_load(STORE_FOLDER, stage->name, &envelope, error);

	if (r == 0)
		r = store_key_open(&unlocked->key, STORE_ENVELOPE_STAGED, envelope,
				   &expected, &opened);
	if (r == 0 && opened.verdict == ENVELOPE_OPEN &&
	    !is_same_secret(opened.secret, unlocked->secret)) {
		*ret_secret = opened.secret;
		return 0;
	}
	secret_free(opened.secret);
	return r == -ENOMEM || r == -EPERM || r == -EIO || r == -EAGAIN
		       ? r
		       : stale(error,
			       "its envelope does not open, or holds the old secret");
}

static bool has_mark(const struct store_stage *stage)
{
	struct stat st;

	return fstatat(stage->fd, STORE_STAGE_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_successor_envelope(const char *store, struct envelope **ret_envelope)
{
	cleanup_store struct store *staged = NULL;
	char mark[STORE_PATH_SIZE];
	struct store_stage stage;
	int r = store_stage_init(&stage, store);

	if (r == 0)
		r = store_path(STORE_FOLDER, stage.name, STORE_STAGE_MARK, mark);
	if (r == 0 && access(mark, F_OK) < 0)
		r = -errno;
	/* Without its store.ini it is begun anew. */
	if (r == 0)
		r = store_load_at(STORE_FOLDER, stage.name, store, &staged, NULL);
	return r < 0 ? r
		     : store_envelope_load(STORE_FOLDER, stage.name, ret_envelope, NULL);
}

/* 1: taken over; 0: nothing is there yet. */
static int earlier_take(const struct store_stage *stage,
			const struct store_unlocked *unlocked,
			struct store_successor *successor, struct file_error *error)
{
	cleanup_store struct store *staged = NULL;
	int r = store_load_at(STORE_FOLDER, stage->name, stage->store, &staged, error);

	error->text[0] = '\0';
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return stale(error, "its store.ini cannot be read");
	if (!has_mark(stage))
		return stale(error, "it is none of a reencryption");
	if (!is_for_same(staged, unlocked->store))
		return stale(error, "a right was taken away since, or the recovery key "
				    "is another");
	r = secret_take(stage, staged, unlocked, &successor->secret, error);
	if (r < 0)
		return r;
	memcpy(successor->store->cipher, staged->cipher, sizeof(staged->cipher));
	memcpy(successor->store->seen, staged->seen, sizeof(staged->seen));
	return 1;
}

/*
 * Whether gocryptfs has made its folder: 1. What an INIT that was cut short left is removed:
 * 0. -ESTALE: there is more than that.
 */
static int cipher_look(const char *path, struct file_error *error)
{
	static const char *const half[] = { "gocryptfs.conf.tmp", "gocryptfs.conf",
					    "gocryptfs.diriv" };
	cleanup_close int fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	size_t found = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < array_size(made_by_init); i++)
		found += fstatat(fd, made_by_init[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (found == array_size(made_by_init))
		return 1;
	for (size_t i = 0; i < array_size(half); i++)
		(void)unlinkat(fd, half[i], 0);
	return rmdir(path) == 0 ? 0 : stale(error, "its encrypted files are not whole");
}

/* Whether a disk is mounted right there: the new files would lie on another one. */
static bool is_mounted(const char *cipher)
{
	char above[STORE_PATH_SIZE + 4];
	struct stat st, parent;

	(void)snprintf(above, sizeof(above), "%s/..", cipher);
	return lstat(cipher, &st) == 0 && lstat(above, &parent) == 0 &&
	       st.st_dev != parent.st_dev;
}

static int successor_fill(struct store_stage *stage, struct store_gone *gone,
			  const struct store_unlocked *unlocked,
			  struct store_successor *successor, struct file_error *error)
{
	struct store *store = successor->store;
	int r = earlier_take(stage, unlocked, successor, error);
	bool earlier = r > 0;

	if (r == 0) {
		r = store_gone_take(gone, stage->path);
		r = r == -EBUSY ? -EOPNOTSUPP : r; /* a disk is mounted right there */
		store_stage_leave(stage);
		if (r == 0)
			r = store_stage_enter(stage);
		r = r > 0 ? -EBUSY : r;
		if (r == 0)
			r = store_file_write(STORE_FOLDER, stage->name, STORE_STAGE_MARK,
					     "", 0);
	}
	if (r >= 0 &&
	    (store_stage_try_swap(stage) < 0 || is_mounted(unlocked->store->cipher)))
		r = -EOPNOTSUPP;
	if (r >= 0 && !earlier)
		r = cipher_choose(unlocked->store, store);
	if (r >= 0 && !earlier)
		r = envelope_secret_new(&successor->secret);
	if (r >= 0)
		r = store_stage_cipher(stage->name, store, successor->cipher);
	if (r >= 0)
		r = files_copy(stage, unlocked->store, error);
	if (r >= 0)
		r = store_seal_at(STORE_FOLDER, stage->name, store, successor->secret,
				  error);
	if (r >= 0)
		r = store_save_at(STORE_FOLDER, stage->name, store);
	if (r >= 0)
		r = cipher_look(successor->cipher, error);
	if (r < 0)
		return r;
	successor->begun = r > 0;
	return 0;
}

int store_successor_make(struct store_stage *stage, struct store_gone *gone,
			 const struct store_unlocked *unlocked,
			 struct store_successor *ret_successor,
			 struct file_error *ret_error)
{
	struct store_successor successor = { .store = NULL };
	int r = store_copy(unlocked->store, &successor.store);

	if (r == 0) {
		memset(successor.store->seen, 0, sizeof(successor.store->seen));
		successor.store->generation++;
		r = store_stage_enter(stage);
	}
	if (r >= 0)
		r = successor_fill(stage, gone, unlocked, &successor, ret_error);
	if (r < 0) {
		store_successor_end(&successor);
		return r;
	}
	*ret_successor = successor;
	return 0;
}

int store_successor_follow(const struct store_stage *stage,
			   struct store_successor *successor,
			   struct file_error *ret_error)
{
	cleanup_store struct store *old = NULL;
	struct store *store = successor->store;
	bool changed = false;
	int r = store_load(STORE_FOLDER, stage->store, &old, ret_error);

	if (r < 0)
		return r;
	if (old->generation >= store->generation ||
	    memcmp(old->recovery, store->recovery, sizeof(store->recovery)) != 0)
		return stale(ret_error, "store.ini was changed meanwhile");
	for (size_t i = 0; i < store->count; i++) {
		const struct store_holder *before =
			store_holder_find(old, store->holders[i].key_id);

		if (before && before->state != RIGHT_LEAVING)
			continue;
		store->holders[i].state = RIGHT_LEAVING;
		changed = true;
	}
	return changed ? store_save_at(STORE_FOLDER, stage->name, store) : 0;
}
