/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking in an exported store; see store_import.h.
 */
#include "hygied/store_import.h"

#include "hygied/requests.h"
#include "hygied/store_admin.h"
#include "libhygie/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENT "store-import"

struct import {
	char name[STORE_NAME_MAX + 1];
	char stage[STORE_NAME_MAX + 8]; /* ".NAME.new" */
	char path[STORE_PATH_SIZE], place[STORE_PATH_SIZE];
	struct store *store;
	struct store *exported; /* as its store.ini has it */
};

static int paths_make(struct import *import)
{
	int r;

	(void)snprintf(import->stage, sizeof(import->stage), ".%s.new", import->name);
	r = store_path(STORE_FOLDER, import->stage, NULL, import->path);
	return r < 0 ? r : store_path(STORE_FOLDER, import->name, NULL, import->place);
}

static int refuse(struct file_error *error, const char *text)
{
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -EBADMSG;
}

/* 0; -ENOENT: no recipient of the envelope. */
static int find_certificate(const struct import *import, const struct envelope *envelope,
			    const struct store_holder *holder, struct file_error *error)
{
	struct certificate *certificate = NULL;
	struct envelope_task task;
	int r = store_certificate_load(STORE_FOLDER, import->stage, holder->key_id,
				       &certificate, error);

	/* No file at all is damage, not somebody who is no recipient. */
	if (r == -ENOENT)
		r = -EBADMSG;
	if (r == 0)
		r = envelope_find(envelope, certificate, ENVELOPE_WRAP_NONE, &task);
	certificate_free(certificate);
	return r;
}

static int find_recovery(const struct import *import, const struct envelope *envelope,
			 const uint8_t id[HYGIE_KEY_ID_SIZE], struct file_error *error)
{
	struct envelope_task task;
	EVP_PKEY *key = NULL;
	int r = store_recovery_load(STORE_FOLDER, import->stage, id, &key, error);

	if (r == -ENOENT)
		r = -EBADMSG;
	if (r == 0)
		r = envelope_find_key(envelope, key, ENVELOPE_WRAP_NONE, &task);
	EVP_PKEY_free(key);
	return r;
}

/*
 * Whoever had the export in his hands could write into store.ini. What the envelope says
 * is the holders' own; what the next opening would be asked to add to it is let go:
 * pending rights, a pending recovery key, a new envelope.
 */
static int rights_judge(struct import *import, const struct envelope *envelope,
			struct file_error *error)
{
	static const uint8_t none[HYGIE_KEY_ID_SIZE];
	struct store *store = import->store;
	int r = 0;

	store->rotate = false;
	for (size_t i = store->count; r == 0 && i-- > 0;) {
		struct store_holder *holder = &store->holders[i];

		r = find_certificate(import, envelope, holder, error);
		if (r == -ENOENT && holder->state == RIGHT_HELD)
			return refuse(error, "store.ini: a holder is none of the "
					     "envelope's (keys.cms): it was changed");
		if (r == -ENOENT) {
			store_holder_drop(store, holder);
			r = 0;
		}
	}
	if (r == 0)
		r = find_recovery(import, envelope, store->recovery, error);
	if (r == -ENOENT)
		return refuse(error, "the recovery key is none of the envelope's "
				     "(keys.cms): it was changed");
	if (r == 0 && memcmp(store->recovery_next, none, sizeof(none)) != 0) {
		r = find_recovery(import, envelope, store->recovery_next, error);
		if (r == -ENOENT) {
			memset(store->recovery_next, 0, sizeof(none));
			r = 0;
		}
	}
	return r;
}

/* Their folder: whoever is of its group reads what is mounted. */
static int cipher_judge(const struct import *import, struct file_error *error)
{
	const struct group *group;
	char path[STORE_PATH_SIZE];
	struct stat st;
	int r = store_path(STORE_FOLDER, import->stage, "cipher", path);

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
	group = getgrnam(import->store->group);
	if (!group)
		return -ENXIO;
	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && st.st_gid == group->gr_gid &&
	    !(st.st_mode & S_IRWXO))
		return 0;
	(void)snprintf(
		error->text, sizeof(error->text),
		"cipher: belongs to user %u, group %u, mode %o; it must be root's, "
		"of the group %.48s (%u here), and nobody else's (2770)",
		st.st_uid, st.st_gid, st.st_mode & 07777U, import->store->group,
		group->gr_gid);
	return -EBADMSG;
}

/* Whatever an opening or a change of rights will read. */
static int files_judge(struct import *import, struct file_error *error)
{
	struct envelope *envelope = NULL;
	cleanup_free char *locked = NULL;
	char conf[STORE_PATH_SIZE];
	struct stat st;
	size_t size;
	int r = store_envelope_load(STORE_FOLDER, import->stage, &envelope, error);

	if (import->store->backend != BACKEND_GOCRYPTFS)
		r = refuse(error, "its backend is none whose files can be moved; make a "
				  "new store and copy the records into it");
	if (r == 0)
		r = rights_judge(import, envelope, error);
	envelope_free(envelope);
	if (r == 0)
		r = store_recovery_locked(STORE_FOLDER, import->stage,
					  import->store->recovery, &locked, &size, error);
	if (r == 0)
		r = cipher_judge(import, error);
	if (r == 0)
		r = store_path(STORE_FOLDER, import->stage, "cipher/gocryptfs.conf",
			       conf);
	if (r == 0 && lstat(conf, &st) < 0) {
		(void)snprintf(error->text, sizeof(error->text), "%s: is not there",
			       conf);
		r = -errno;
	}
	return r == -ENOENT ? -EBADMSG : r;
}

/* Its encrypted files lie with it now, wherever they were, and it is seen where stores are. */
static int settle(struct import *import)
{
	int r = store_path(STORE_FOLDER, import->name, "cipher", import->store->cipher);

	if (r == 0)
		r = store_path(STORE_MOUNTS, import->name, NULL, import->store->mount);
	if (r == 0)
		r = store_save_at(STORE_FOLDER, import->stage, import->store);
	if (r < 0)
		return r;
	if (renameat2(AT_FDCWD, import->path, AT_FDCWD, import->place, RENAME_NOREPLACE) <
	    0)
		return -errno;
	return durable_folder_sync(import->place);
}

/*
 * What the export's store.ini says and the store does not have. Who was leaving, and is
 * gone, has lost nothing by it.
 */
static void let_go_tell(struct peer *peer, const struct import *import)
{
	const struct store *store = import->store, *exported = import->exported;
	const char *name[] = { store->name };

	for (size_t i = 0; i < exported->count; i++) {
		const struct store_holder *holder = &exported->holders[i];
		const char *right[] = { holder->user };

		if (holder->state != RIGHT_PENDING ||
		    store_holder_find(store, holder->key_id))
			continue;
		store_admin_audit(peer, "store-right-let-go", HYGIE_OK, store->name,
				  holder->user);
		peer_say(peer, WIRE_WARNING, TEXT_STORE_RIGHT_LET_GO, right, 1);
	}
	if (store_recovery_is_pending(exported) && !store_recovery_is_pending(store))
		peer_say(peer, WIRE_WARNING, TEXT_STORE_KEY_LET_GO, name, 1);
	if (exported->rotate)
		peer_say(peer, WIRE_WARNING, TEXT_STORE_SEAL_LET_GO, name, 1);
}

static void finish(struct peer *peer, const struct import *import, int r,
		   const struct file_error *error)
{
	const char *arguments[] = { import->store ? import->store->mount : "" };
	const char *text = NULL;

	if (r == -EEXIST)
		text = N_("There is a store of that name.");
	else if (r == -ENXIO)
		text = N_("The system knows no group of that name. Make it (addgroup), "
			  "with the users who work with the records.");
	if (text) {
		store_admin_audit(peer, EVENT, HYGIE_BAD_REQUEST, import->name, NULL);
		peer_finish(peer, HYGIE_BAD_REQUEST, text);
	} else if (r < 0) {
		store_admin_fail(peer, EVENT, import->name, r == -ENOENT ? -EBADMSG : r,
				 error);
	} else {
		store_admin_audit(peer, EVENT, HYGIE_OK, import->name, NULL);
		let_go_tell(peer, import);
		peer_finish_text(peer, HYGIE_OK, TEXT_STORE_IMPORTED, arguments, 1);
	}
}

void request_store_import(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request)
{
	struct import import = { .store = NULL };
	struct file_error error = { "" };
	int r;

	(void)hygied;
	if (!request_admit_root(peer, EVENT))
		return;
	if (wire_get_string(request, TAG_STORE, import.name, sizeof(import.name)) < 0 ||
	    !envelope_name_is_valid(import.name) || paths_make(&import) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	r = access(import.place, F_OK) == 0
		    ? -EEXIST
		    : store_load_at(STORE_FOLDER, import.stage, import.name,
				    &import.store, &error);
	if (r == 0)
		r = store_copy(import.store, &import.exported);
	if (r == 0)
		r = files_judge(&import, &error);
	if (r == 0)
		r = settle(&import);
	finish(peer, &import, r, &error);
	store_free(import.exported);
	store_free(import.store);
}
