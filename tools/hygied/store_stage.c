/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage of a store; see store_stage.h.
 */
#include "hygied/store_stage.h"

#include "libhygie/durable.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int store_stage_init(struct store_stage *ret_stage, const char *store)
{
	struct store_stage *stage = ret_stage;
	int r;

	*stage = (struct store_stage){ .fd = -1 };
	(void)snprintf(stage->store, sizeof(stage->store), "%s", store);
	(void)snprintf(stage->name, sizeof(stage->name), ".%s.new", stage->store);
	(void)snprintf(stage->old_name, sizeof(stage->old_name), ".%s.old", stage->store);
	r = store_path(STORE_FOLDER, stage->name, NULL, stage->path);
	if (r == 0)
		r = store_path(STORE_FOLDER, stage->old_name, NULL, stage->old);
	return r < 0 ? r : store_path(STORE_FOLDER, store, NULL, stage->place);
}

int store_stage_lock(const char *path, int *ret_fd)
{
	cleanup_close int fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat locked, there;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Whoever had it may have put another in its place. */
	if (fstat(fd, &locked) < 0 || lstat(path, &there) < 0)
		return errno == ENOENT ? -EBUSY : -errno;
	if (locked.st_dev != there.st_dev || locked.st_ino != there.st_ino)
		return -EBUSY;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int store_stage_enter(struct store_stage *stage)
{
	int r = store_stage_lock(stage->path, &stage->fd);

	if (r != -ENOENT)
		return r == 0 ? 1 : r;
	if (mkdir(stage->path, 0700) < 0)
		return errno == EEXIST ? -EBUSY : -errno; /* made this very moment */
	return store_stage_lock(stage->path, &stage->fd);
}

void store_stage_leave(struct store_stage *stage)
{
	if (stage->fd >= 0)
		(void)close(stage->fd);
	stage->fd = -1;
}

int store_stage_cipher(const char *place, const struct store *store,
		       char ret_path[STORE_PATH_SIZE])
{
	char own[STORE_PATH_SIZE];
	int r = store_path(STORE_FOLDER, store->name, "cipher", own);

	if (r < 0)
		return r;
	if (strcmp(store->cipher, own) == 0)
		return store_path(STORE_FOLDER, place, "cipher", ret_path);
	memcpy(ret_path, store->cipher, sizeof(store->cipher));
	return 0;
}

int store_stage_try_swap(const struct store_stage *stage)
{
	static const char one[] = ".one", other[] = ".other";
	char cipher[STORE_PATH_SIZE];
	struct stat folder, place, within;
	int r = store_path(STORE_FOLDER, stage->store, "cipher", cipher);

	if (r < 0)
		return r;
	/* A disk that is mounted there would stay there. */
	if (lstat(stage->path, &folder) < 0 || lstat(stage->place, &place) < 0)
		return -errno;
	if (folder.st_dev != place.st_dev ||
	    (lstat(cipher, &within) == 0 && within.st_dev != place.st_dev))
		return -EXDEV;
	if ((mkdirat(stage->fd, one, 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(stage->fd, other, 0700) < 0 && errno != EEXIST) ||
	    renameat2(stage->fd, one, stage->fd, other, RENAME_EXCHANGE) < 0)
		r = -errno;
	(void)unlinkat(stage->fd, one, AT_REMOVEDIR);
	(void)unlinkat(stage->fd, other, AT_REMOVEDIR);
	return r;
}

/* What is in the store's place is the new one now: the old one gets its name. */
static int swap_end(const struct store_stage *stage)
{
	char mark[STORE_PATH_SIZE];
	int r = durable_folder_sync(stage->place);

	if (r == 0)
		r = durable_rename(stage->path, stage->old);
	if (r == 0)
		r = store_path(STORE_FOLDER, stage->store, STORE_STAGE_MARK, mark);
	return r == 0 ? durable_remove(mark) : r;
}

int store_stage_swap(const struct store_stage *stage)
{
	int r = durable_folder_sync(stage->path);

	if (r == 0 &&
	    renameat2(AT_FDCWD, stage->path, AT_FDCWD, stage->place, RENAME_EXCHANGE) < 0)
		r = -errno;
	if (r < 0)
		return r;
	/* It is done, whatever comes now. */
	r = swap_end(stage);
	if (r < 0)
		log_warning("store %s: its old copy is not called %s yet: %s",
			    stage->store, stage->old, error_text(-r));
	return 0;
}

/* Whether a store lies in the stage that had the store's place before. */
static bool holds_old(const struct store_stage *stage)
{
	cleanup_store struct store *staged = NULL, *current = NULL;
	char mark[STORE_PATH_SIZE];

	return store_path(STORE_FOLDER, stage->name, STORE_STAGE_MARK, mark) == 0 &&
	       access(mark, F_OK) < 0 && errno == ENOENT &&
	       store_load_at(STORE_FOLDER, stage->name, stage->store, &staged, NULL) ==
		       0 &&
	       store_load(STORE_FOLDER, stage->store, &current, NULL) == 0 &&
	       staged->generation < current->generation;
}

/* A kill between the two last steps leaves the mark. */
static void mark_settle(const struct store_stage *stage)
{
	char mark[STORE_PATH_SIZE];

	if (store_path(STORE_FOLDER, stage->store, STORE_STAGE_MARK, mark) == 0 &&
	    durable_remove(mark) < 0)
		log_warning("%s: cannot be removed", mark);
}

void store_stage_settle(const char *store)
{
	struct store_stage stage;
	int fd = -1, r = store_stage_init(&stage, store);

	if (r == 0)
		r = store_stage_lock(stage.path, &fd);
	if (r == 0 && access(stage.old, F_OK) < 0 && holds_old(&stage)) {
		r = swap_end(&stage);
		if (r < 0)
			log_warning("store %s: its old copy stays %s: %s", store,
				    stage.path, error_text(-r));
		else
			log_info("store %s: its reencryption was cut short at its very "
				 "end, and is done",
				 store);
	}
	if (r == -ENOENT)
		mark_settle(&stage);
	if (fd >= 0)
		(void)close(fd);
}

static int settle_each(void *context, const char *name, const struct store *store,
		       const struct file_error *error)
{
	(void)context;
	(void)error;
	if (store)
		store_stage_settle(name);
	return 0;
}

void store_stages_settle(void)
{
	if (stores_each(STORE_FOLDER, settle_each, NULL) < 0)
		log_warning("%s cannot be read", STORE_FOLDER);
}
