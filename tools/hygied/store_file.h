/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the record stores, root's alone: FOLDER/NAME/ (0700) holds
 *
 *	store.ini		what the store is, and whose cards may open it
 *	keys.cms		the envelope (envelope.h)
 *	recovery.der		the recovery key, locked by the passphrase on paper
 *	recovery.pub		its public half, one of the envelope's recipients
 *	recovery-KEYID.der, .pub	those of one that is to take its place
 *	holders/KEYID.der	the certificates of the store keys named in store.ini
 *	cipher/			by default, the encrypted directory
 *
 * docs/store.md has store.ini line by line. Each file is put in place whole (durable.h),
 * and read only if nobody but its owner (the effective user) can have written it. No
 * logging here, and no secret.
 */
#pragma once

#include "hygied/envelope.h"
#include "hygied/registry.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"
#include "libhygie/trusted_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define STORE_FOLDER "/var/lib/hygie/store" /* of all stores, in production */
#define STORE_MOUNTS "/srv/hygie" /* where they are seen, unless told otherwise */
#define STORE_PATH_SIZE 192
#define STORE_IDLE_MAX 604800u /* seconds: a week */
#define STORE_GROUP_SIZE 48
#define STORE_HOLDERS_MAX 255 /* the recovery key is a recipient, too */

/* The zero is no state: a cleared holder opens nothing. */
enum store_right {
	RIGHT_HELD = 1,
	RIGHT_PENDING, /* becomes one at the next opening by a holder who may grant */
	RIGHT_LEAVING, /* opens no more by us; leaves the envelope then */
};

/* A card that may open the store. Strings are clean UTF-8 and end in NUL. */
struct store_holder {
	uint8_t key_id[HYGIE_KEY_ID_SIZE]; /* SHA-256 of the store key's SPKI */
	uint8_t card[HYGIE_KEY_ID_SIZE];   /* of the authentication key's SPKI */
	char user[HYGIE_USER_MAX];
	char name[REGISTRY_HOLDER_SIZE]; /* to show; may be "" */
	enum envelope_wrap wrap;         /* recorded: no other is believed */
	enum store_right state;
	bool grants;   /* his opening carries out what is pending */
	int64_t until; /* seconds since 1970 when the right has ended, at 00:00 UTC of the
			  day after the one that store.ini names; 0: no end */
};

struct store {
	char name[STORE_NAME_MAX + 1];
	enum backend backend; /* what encrypts the records */
	char cipher[STORE_PATH_SIZE], mount[STORE_PATH_SIZE];
	char group[STORE_GROUP_SIZE];
	uint32_t idle;       /* seconds without use until it closes, at most
			      * STORE_IDLE_MAX; 0: it does not */
	uint64_t generation; /* of the envelope, from 1; see store_complete() */
	bool rotate; /* a new envelope is wanted at the next opening that grants */
	uint8_t recovery[HYGIE_KEY_ID_SIZE]; /* SHA-256 of the recovery key's SPKI */
	/* Of the one that takes its place at the next opening that grants; zero: none. */
	uint8_t recovery_next[HYGIE_KEY_ID_SIZE];
	size_t count;
	struct store_holder *holders; /* owned, `count` of them */
	/* SHA-256 of the file that this is; zero: of none yet. For store_save(). */
	uint8_t seen[HYGIE_KEY_ID_SIZE];
};

/*
 * Reads FOLDER/NAME/store.ini. 0; -ENOENT: no such store; -EPERM, -ELOOP: not to be
 * trusted; -EBADMSG: not as docs/store.md says; -EFBIG; -ENOMEM; another errno. ret_error
 * (may be NULL) is filled on each failure, for a person.
 */
int store_load(const char *folder, const char *name, struct store **ret_store,
	       struct file_error *ret_error) must_check;

/* The same from FOLDER/PLACE, of a store that is being made. */
int store_load_at(const char *folder, const char *place, const char *name,
		  struct store **ret_store, struct file_error *ret_error) must_check;

/*
 * Puts store.ini in place; the store's folder is there. 0; -EINVAL when a field cannot
 * be; -ESTALE when the file is another than `store` was loaded from or saved to, and
 * nothing was written; an errno of the file system.
 *
 * Whoever changes a store loads, changes and saves it in one go, without going back to
 * the event loop: hygied is one thread and the only writer, so no lock is needed. What
 * was loaded before a person was asked something is old: load it anew. -ESTALE is the
 * guard against forgetting that, and against an editor.
 */
int store_save(const char *folder, struct store *store) must_check;

/* The same into FOLDER/PLACE, of a store that is being made. */
int store_save_at(const char *folder, const char *place, struct store *store) must_check;

/* Takes NULL. */
void store_free(struct store *store);
define_cleanup(cleanup_store_function, struct store, store_free)
#define cleanup_store cleanup_with(cleanup_store_function)

	/*
	 * Calls back for each store, by name, until a callback returns other than 0,
	 * which is then returned. `store` is NULL, with `error`, for one that cannot be
	 * read. A folder that is not there has none. The callback keeps nothing.
	 */
	typedef int (*store_callback)(void *context, const char *name,
				      const struct store *store,
				      const struct file_error *error);
int stores_each(const char *folder, store_callback callback, void *context) must_check;

/* A copy to be changed, which takes the store's place once it is on the disk. 0; -ENOMEM. */
int store_copy(const struct store *store, struct store **ret_copy) must_check;

/* The holder of a store key, or NULL. Borrowed. */
struct store_holder *store_holder_find(const struct store *store,
				       const uint8_t key_id[HYGIE_KEY_ID_SIZE]);

/* Adds one, or takes one out and moves the others up. -EEXIST, -ENOSPC, -ENOMEM. */
int store_holder_add(struct store *store, const struct store_holder *holder) must_check;
void store_holder_drop(struct store *store, struct store_holder *holder);

/* Whether a holder's card opens the store at that time, and if not, why. */
enum store_admission {
	ADMISSION_REFUSED = 0, /* not a holder */
	ADMISSION_OK,
	/* Pending: not yet in the envelope, or only since a sealing was interrupted. It
	 * may be tried: the envelope decides. */
	ADMISSION_PENDING,
	ADMISSION_LEAVING,
	ADMISSION_ENDED, /* `until` is over */
};
enum store_admission store_holder_admit(const struct store_holder *holder, time_t now);
/* Whether his opening carries out what is pending. */
bool store_holder_may_grant(const struct store_holder *holder, time_t now);

/* Reads keys.cms and parses it. Errors as store_load; -EBADMSG: no envelope. */
int store_envelope_load(const char *folder, const char *name,
			struct envelope **ret_envelope,
			struct file_error *ret_error) must_check;

/* Puts keys.cms in place. 0 or an errno. */
int store_envelope_save(const char *folder, const char *name, const void *der,
			size_t size) must_check;

/*
 * The certificate of a store key, which must be that key's: -EBADMSG if not. The other
 * errors as store_load.
 */
int store_certificate_load(const char *folder, const char *name,
			   const uint8_t key_id[HYGIE_KEY_ID_SIZE],
			   struct certificate **ret_certificate,
			   struct file_error *ret_error) must_check;
int store_certificate_save(const char *folder, const char *name,
			   const struct certificate *certificate) must_check;

/* Removes what lies in holders/ and belongs to no holder. 0 or an errno. */
int store_certificates_tidy(const char *folder, const struct store *store) must_check;

/*
 * The public half of a recovery key that store.ini names, `id`: -EBADMSG if what is there
 * is another; the caller frees it by EVP_PKEY_free. And its locked private half,
 * malloc'ed. The other errors as store_load.
 */
int store_recovery_load(const char *folder, const char *name,
			const uint8_t id[HYGIE_KEY_ID_SIZE], struct evp_pkey_st **ret_key,
			struct file_error *ret_error) must_check;
int store_recovery_locked(const char *folder, const char *name,
			  const uint8_t id[HYGIE_KEY_ID_SIZE], char **ret_der,
			  size_t *ret_size, struct file_error *ret_error) must_check;

/* Puts both in place, and says in *ret_id what store.ini will name. 0 or an errno. */
int store_recovery_save(const char *folder, const char *name, struct evp_pkey_st *key,
			const void *locked, size_t size,
			uint8_t ret_id[HYGIE_KEY_ID_SIZE]) must_check;

/* The same beside them, of a key that is to take that one's place (recovery_next). */
int store_recovery_save_next(const char *folder, const char *name,
			     struct evp_pkey_st *key, const void *locked, size_t size,
			     uint8_t ret_id[HYGIE_KEY_ID_SIZE]) must_check;

/* Whether one is to take its place. */
bool store_recovery_is_pending(const struct store *store);

/*
 * The files of the key that holds get their plain names, and those of keys that store.ini
 * does not name go. Until then, and if it is cut short, each key is found by its own
 * name. 0 or an errno.
 */
int store_recovery_tidy(const char *folder, const struct store *store) must_check;

/* SHA-256 of a key's SPKI. 0 or -ENOMEM. */
int store_key_id(const struct evp_pkey_st *key,
		 uint8_t ret_id[HYGIE_KEY_ID_SIZE]) must_check;

/*
 * Reads FOLDER/NAME/FILE whole, malloc'ed, or puts it in place; for the functions above,
 * and for other folders of one kind with a store's (secret_file.h).
 */
int store_file_read(const char *folder, const char *name, const char *file, size_t max,
		    char **ret_bytes, size_t *ret_size,
		    struct file_error *ret_error) must_check;
int store_file_write(const char *folder, const char *name, const char *file,
		     const void *bytes, size_t size) must_check;

/* "FOLDER/NAME/FILE"; -ENAMETOOLONG. `file` may be NULL. */
int store_path(const char *folder, const char *name, const char *file,
	       char ret_path[STORE_PATH_SIZE]) must_check;

/* "held", "pending", "leaving"; "rsa-oaep-sha256", "rsa-oaep-sha1", "rsa-pkcs1", "ec". */
const char *store_right_word(enum store_right right);
const char *store_wrap_word(enum envelope_wrap wrap);
/* The wrap of that word; ENVELOPE_WRAP_NONE for another. */
enum envelope_wrap store_wrap_read(const char *word);
