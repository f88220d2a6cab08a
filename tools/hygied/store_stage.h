/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a store lies while it is made, and what it leaves behind: FOLDER/.NAME.new takes
 * the place of FOLDER/NAME, which becomes FOLDER/.NAME.old. Names that begin with a dot
 * are no stores.
 */
#pragma once

#include "hygied/store_file.h"

/*
 * A file that says of a store's folder that it is a copy that was begun. The exchange
 * takes it into the store's place, where it is removed: what lies in the stage without it
 * is the old one.
 */
#define STORE_STAGE_MARK "unfinished"
#define STORE_STAGE_SIZE (STORE_NAME_MAX + 8) /* ".NAME.new", and a NUL */

struct store_stage {
	char store[STORE_NAME_MAX + 1];
	char name[STORE_STAGE_SIZE];     /* ".NAME.new" */
	char old_name[STORE_STAGE_SIZE]; /* ".NAME.old" */
	char path[STORE_PATH_SIZE], place[STORE_PATH_SIZE], old[STORE_PATH_SIZE];
	int fd; /* of the stage, locked, while it is ours; -1: it is not */
};

/* Fills in the names and paths. 0 or -ENAMETOOLONG. */
int store_stage_init(struct store_stage *ret_stage, const char *store) must_check;

/*
 * Takes the stage that is there, or makes one, locked until store_stage_leave(). 0: made;
 * 1: there was one; -EBUSY: another has it; another errno.
 */
int store_stage_enter(struct store_stage *stage) must_check;
void store_stage_leave(struct store_stage *stage);

/* Locks a folder: 0 and its descriptor; -ENOENT; -EBUSY: another has, or had, it. */
int store_stage_lock(const char *path, int *ret_fd) must_check;

/*
 * Where the encrypted files of the store lie that is in FOLDER/PLACE: store.ini names
 * the place that they have, or had, in FOLDER/NAME. 0 or -ENAMETOOLONG.
 */
int store_stage_cipher(const char *place, const struct store *store,
		       char ret_path[STORE_PATH_SIZE]) must_check;

/* Whether the file system can exchange two folders in one step: tried in the stage. */
int store_stage_try_swap(const struct store_stage *stage) must_check;

/*
 * The stage and the store change places, and what was the store is called .NAME.old. A
 * power cut leaves either state, or the one between, which store_stage_settle() ends. 0
 * or an errno, and then nothing has changed.
 */
int store_stage_swap(const struct store_stage *stage) must_check;

/* Ends an exchange that was cut short. */
void store_stage_settle(const char *store);
/* Of all stores. */
void store_stages_settle(void);
