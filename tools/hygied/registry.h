/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: which card is whose, in an SQLite file of root's. A card is known by the
 * key of its authentication certificate. Every change is one transaction, on the disk
 * when the call returns. Any failure of SQLite is a negative errno, so that a caller who
 * passes it up refuses; what is read back is checked like bytes from outside.
 *
 * A registry is used by one thread.
 */
#pragma once

#include "hygied/envelope.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTRY_VERSION 2 /* SQLite's user_version */
#define REGISTRY_SCHEME_SIZE 32
#define REGISTRY_PERSON_SIZE 128
#define REGISTRY_HOLDER_SIZE 256
#define REGISTRY_REASON_SIZE 128
#define REGISTRY_CERTIFICATE_MAX 16384 /* bytes of DER */

/* The zero is not a state: cleared memory is nobody's card. */
enum enrolment_state {
	ENROLMENT_ACTIVE = 1,
	ENROLMENT_REVOKED = 2,
};

/* Strings are UTF-8 without controls and end in NUL; times are seconds since 1970. */
struct enrolment {
	char user[HYGIE_USER_MAX];
	uint8_t key_id[HYGIE_KEY_ID_SIZE]; /* SHA-256 of the authentication key's SPKI */
	/* The key that opens record stores, and how; both absent unless has_store_key. */
	bool has_store_key;
	uint8_t store_key_id[HYGIE_KEY_ID_SIZE];
	enum envelope_wrap store_wrap;
	size_t store_certificate_size;
	uint8_t store_certificate[REGISTRY_CERTIFICATE_MAX];
	char scheme[REGISTRY_SCHEME_SIZE];
	char person_id[REGISTRY_PERSON_SIZE];
	char holder[REGISTRY_HOLDER_SIZE]; /* name to show */
	uint8_t issuer_key_id[HYGIE_KEY_ID_SIZE];
	int64_t not_before, not_after;
	size_t certificate_size;
	uint8_t certificate[REGISTRY_CERTIFICATE_MAX];
	enum enrolment_state state;
	char enrolled_by[HYGIE_USER_MAX];
	int64_t enrolled_at;
	char revoked_by[HYGIE_USER_MAX]; /* "" and 0 unless revoked */
	int64_t revoked_at;
	char revoke_reason[REGISTRY_REASON_SIZE];
};

struct registry;

/*
 * Opens the registry at `path`, making an empty one where there is none. The file and its
 * companions (-wal, -shm, -journal) must belong to the effective user with mode 0600, the
 * folder as trusted_file.h wants it. 0 and *ret_registry (registry_close); -EPERM or
 * -ELOOP not to be trusted; -EBADMSG damaged; -EPROTONOSUPPORT made by a newer version;
 * -EBUSY locked by another program; another errno. One of an older version is brought up
 * to this one's in one transaction (-EROFS where it cannot be). `reason` (of `size` bytes) says what
 * to do. A file that is not a registry of ours is
 * never written to. On a read-only file system the registry is read as it is, and every
 * change answers -EROFS.
 */
int registry_open(const char *path, struct registry **ret_registry, char *reason,
		  size_t size) must_check;

/* Takes NULL. */
void registry_close(struct registry *registry);
define_cleanup(cleanup_registry_function, struct registry, registry_close)
#define cleanup_registry cleanup_with(cleanup_registry_function)

	/*
	 * All calls below: -EBUSY when locked by another program for 0.3 seconds,
	 * -ENOSPC, -EIO, -EROFS, -ENOMEM, -EBADMSG for a damaged file or a row that could
	 * not have been ours.
	 */

	/* The enrolment of a card, revoked ones too: look at `state`. -ENOENT. */
	int registry_find_card(struct registry *registry,
			       const uint8_t key_id[HYGIE_KEY_ID_SIZE],
			       struct enrolment *ret_enrolment) must_check;

/*
 * Whether the user is a cardholder: ENROLMENT_ACTIVE with an active card (expired ones
 * count), ENROLMENT_REVOKED when all of his were revoked, 0 when he never had one.
 */
int registry_user_state(struct registry *registry, const char *user,
			enum enrolment_state *ret_state) must_check;

/* How many cards are enrolled and active. */
int registry_count_active(struct registry *registry, uint64_t *ret_count) must_check;

/*
 * Enrols a card as active; `state` and the revoked_ fields are not looked at. The same
 * user's card is refreshed; a revoked one is enrolled anew. -EEXIST when it is active for
 * another user, unless `reassign`. -EINVAL when a field is unfit.
 */
int registry_add(struct registry *registry, const struct enrolment *enrolment,
		 bool reassign) must_check;

/*
 * Revokes active enrolments at `when`: of the card whose key id begins with the hex
 * digits `key_id` (8 at least), or all of `user`; one of the two is NULL. *ret_count says
 * how many. -ENOENT when there is none; -ENOTUNIQ when the digits fit several active
 * cards, and then nothing changed; -EINVAL.
 */
int registry_revoke(struct registry *registry, const char *key_id, const char *user,
		    const char *by, const char *reason, int64_t when,
		    size_t *ret_count) must_check;

/*
 * Calls back for every enrolment, by user, then time of enrolment. A callback that
 * returns other than 0 ends it with that value. The callback makes no call on this
 * registry.
 */
typedef int (*registry_callback)(void *context, const struct enrolment *enrolment);
int registry_list(struct registry *registry, registry_callback callback,
		  void *context) must_check;

/* The same for the cards of one user. */
int registry_list_user(struct registry *registry, const char *user,
		       registry_callback callback, void *context) must_check;
