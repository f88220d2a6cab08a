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

#define EVENT "store-import"

struct import {
	char name[STORE_NAME_MAX + 1];
	char stage[STORE_NAME_MAX + 8]; /* ".NAME.new" */
	char path[STORE_PATH_SIZE], place[STORE_PATH_SIZE];
	struct store *store;
};

static int paths_make(struct import *import)
{
	int r;

	(void)snprintf(import->stage, sizeof(import->stage), ".%s.new", import->name);
	r = store_path(STORE_FOLDER, import->stage, NULL, import->path);
	return r < 0 ? r : store_path(STORE_FOLDER, import->name, NULL, import->place);
}

/* Whatever an opening or a change of rights will read. */
static int files_judge(const struct import *import, struct file_error *error)
{
	const struct store *store = import->store;
	struct envelope *envelope = NULL;
	cleanup_free char *locked = NULL;
	char conf[STORE_PATH_SIZE];
	EVP_PKEY *key = NULL;
	struct stat st;
	size_t size;
	int r = store_envelope_load(STORE_FOLDER, import->stage, &envelope, error);

	envelope_free(envelope);
	for (size_t i = 0; r == 0 && i < store->count; i++) {
		struct certificate *certificate = NULL;

		r = store_certificate_load(STORE_FOLDER, import->stage,
					   store->holders[i].key_id, &certificate, error);
		certificate_free(certificate);
	}
	if (r == 0)
		r = store_recovery_load(STORE_FOLDER, import->stage, store->recovery,
					&key, error);
	EVP_PKEY_free(key);
	if (r == 0)
		r = store_recovery_locked(STORE_FOLDER, import->stage, store->recovery,
					  &locked, &size, error);
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

/* Its encrypted files lie with it now, wherever they were. */
static int settle(struct import *import)
{
	int r = store_path(STORE_FOLDER, import->name, "cipher", import->store->cipher);

	if (r == 0)
		r = store_save_at(STORE_FOLDER, import->stage, import->store);
	if (r < 0)
		return r;
	if (renameat2(AT_FDCWD, import->path, AT_FDCWD, import->place, RENAME_NOREPLACE) <
	    0)
		return -errno;
	return durable_folder_sync(import->place);
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
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
	if (r == 0 && !getgrnam(import.store->group))
		r = -ENXIO;
	if (r == 0)
		r = files_judge(&import, &error);
	if (r == 0)
		r = settle(&import);
	finish(peer, &import, r, &error);
	store_free(import.store);
}
