/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card profiles: which PKCS#11 module serves which card, and what its PIN looks like,
 * chosen by the answer to reset before anything is loaded. hygie-cards(5) tells of each
 * key. This reads and chooses; it loads no module.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROFILE_ATR_MAX 33 /* ISO/IEC 7816-3 */
#define PROFILE_PATH_SIZE 256
#define PROFILE_PATHS_MAX 8
#define PROFILE_ENVIRONMENT_MAX 8
#define PROFILES_MAX 128

enum profile_pin_charset {
	PROFILE_PIN_DIGITS = 0,
	PROFILE_PIN_ALPHANUMERIC,
	PROFILE_PIN_ANY,
};

enum profile_unblock {
	PROFILE_UNBLOCK_AUTO = 0, /* as OpenSC does it, where it is OpenSC */
	PROFILE_UNBLOCK_NO,
	PROFILE_UNBLOCK_SET_PIN,
	PROFILE_UNBLOCK_OFFICER,
	PROFILE_UNBLOCK_YKCS11,
};

struct profile {
	char name[CONFIG_NAME_SIZE];
	char file[PROFILE_PATH_SIZE]; /* where it was read, for messages */
	unsigned line;

	/* Which card: either `uri`, or an ATR and mask (atr_size 0: any card). */
	char uri[PROFILE_PATH_SIZE]; /* RFC 7512; "" for cards in readers */
	uint8_t atr[PROFILE_ATR_MAX];
	uint8_t atr_mask[PROFILE_ATR_MAX];
	size_t atr_size;
	char reader[128]; /* part of the reader's name; "": any */

	/* Which module. */
	char module[PROFILE_PATH_SIZE]; /* as written; profile_module_find() */
	char driver[CONFIG_NAME_SIZE];  /* OpenSC's card driver; "": not OpenSC */
	bool exclusive;                 /* holds the card's transaction while logged in */

	bool pin_pad; /* the PIN is typed on the reader's keys, where it has some */

	/* The PIN, in bytes. */
	unsigned pin_min;
	unsigned pin_max;
	int pin_charset; /* enum profile_pin_charset */

	/* The PUK, likewise. */
	unsigned puk_min;
	unsigned puk_max;
	int puk_charset;
	int unblock; /* enum profile_unblock */

	/* What the helper grants the module. */
	struct profile_paths {
		size_t count;
		char path[PROFILE_PATHS_MAX][PROFILE_PATH_SIZE];
	} paths_rw;
	struct profile_environment {
		size_t count;
		char variable[PROFILE_ENVIRONMENT_MAX]
			     [PROFILE_PATH_SIZE]; /* NAME=value */
	} environment;
};

struct profiles;

/*
 * Reads the "*.conf" files of each folder, in order and sorted. A profile replaces one of
 * the same name of an earlier folder, whole; twice the same name in one folder is a
 * mistake. Folders that are missing are passed over. 0 and *ret_profiles (profiles_free);
 * else a negative errno and every mistake in `errors`, which begins zeroed.
 */
int profiles_load(const char *const folders[], size_t count, uid_t owner,
		  struct profiles **ret_profiles,
		  struct config_errors *errors) must_check;
void profiles_free(struct profiles *profiles);
define_cleanup(cleanup_profiles_function, struct profiles, profiles_free)
#define cleanup_profiles cleanup_with(cleanup_profiles_function)

	/* The profiles in order: folder by folder, file by file. NULL after the last. */
	const struct profile *profiles_at(const struct profiles *profiles, size_t index);

/*
 * The one profile for a card in a reader: the ATR match with most mask bits; among equals
 * one that names the reader, then the first in order. NULL when none fits. Profiles with
 * a URI are never chosen.
 */
const struct profile *profile_for_reader(const struct profiles *profiles,
					 const char *reader_name, const uint8_t *atr,
					 size_t atr_size);

/* The next profile with a URI, from *cursor on (begin with 0). NULL after the last. */
const struct profile *profiles_next_uri(const struct profiles *profiles, size_t *cursor);

/*
 * Finds the module now: an absolute path as it is, a bare name in the system's PKCS#11
 * folders; symbolic links are resolved, since packages ship them. 0 and an absolute path
 * of root's (or the caller's own) that nobody else can write; -ENOENT when it is not
 * installed; -EPERM when it is not to be trusted. `reason` says so for a person.
 */
int profile_module_find(const struct profile *profile, char *ret_path, size_t size,
			char *reason, size_t reason_size) must_check;
