/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a record store; see store_create.h.
 */
#include "hygied/store_create.h"

#include "hygied/fscrypt_look.h"
#include "hygied/keeper.h"
#include "hygied/recovery_note.h"
#include "hygied/requests.h"
#include "hygied/store_admin.h"
#include "hygied/store_gone.h"
#include "hygied/store_rights.h"
#include "hygied/store_stage.h"
#include "libhygie/deadline.h"
#include "libhygie/durable.h"
#include "libhygie/folder_remove.h"
#include "libhygie/log.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NOTE_MS RECOVERY_NOTE_MS
#define MAKE_MS 60000
#define EVENT "store-create"

struct creation {
	struct hygied *hygied;
	struct peer *peer;
	struct store *store;
	gid_t gid;
	char stage_name[STORE_NAME_MAX + 8]; /* ".NAME.new" */
	char stage[STORE_PATH_SIZE], place[STORE_PATH_SIZE];
	char stage_cipher[STORE_PATH_SIZE]; /* where it is made */
	char members[SETTINGS_SERVICES_MAX][HYGIE_USER_MAX];
	size_t member_count;
	struct recovery_note note;
	int stage_fd;          /* locked while it is ours; -1: it is not */
	struct secret *secret; /* from the keeper's start to its order */
	struct keeper *keeper;
	sd_event_source *timer;
};

static void creation_stop(struct creation *creation)
{
	creation->timer = sd_event_source_disable_unref(creation->timer);
	keeper_free(creation->keeper);
	creation->keeper = NULL;
	secret_free(creation->secret);
	creation->secret = NULL;
	if (creation->stage_fd >= 0) { /* a handful of files, all of our making */
		(void)folder_remove(creation->stage, -1);
		(void)close(creation->stage_fd);
	}
	creation->stage_fd = -1;
}

static void creation_free(void *self)
{
	struct creation *creation = self;

	if (!peer_is_finished(creation->peer))
		store_admin_audit(creation->peer, EVENT, HYGIE_GAVE_UP,
				  creation->store->name, NULL);
	creation_stop(creation);
	recovery_note_forget(&creation->note);
	store_free(creation->store);
	free(creation);
}

static void give_up(struct creation *creation, enum hygie_outcome outcome,
		    const char *text)
{
	creation_stop(creation);
	store_admin_audit(creation->peer, EVENT, outcome, creation->store->name, NULL);
	peer_finish(creation->peer, outcome, text);
}

/* With a detail in English, from the files or from the keeper. */
static void fail(struct creation *creation, int fault, const char *detail)
{
	struct file_error error = { "" };

	creation_stop(creation);
	(void)snprintf(error.text, sizeof(error.text), "%s", detail);
	store_admin_fail(creation->peer, EVENT, creation->store->name,
			 fault == -ENOENT ? -EIO : fault, &error);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	give_up(userdata, HYGIE_TIMED_OUT, NULL);
	return 0;
}

static int timer_set(struct creation *creation, unsigned milliseconds)
{
	creation->timer = sd_event_source_disable_unref(creation->timer);
	return sd_event_add_time(creation->hygied->loop, &creation->timer,
				 CLOCK_MONOTONIC, deadline_after(milliseconds), 1000,
				 on_late, creation);
}

/* The files that make it a store, in the stage. */
static int stage_fill(struct creation *creation, struct file_error *error)
{
	static const struct store_holder like = { .state = RIGHT_HELD, .grants = true };
	struct store *store = creation->store;
	char name[STORE_NAME_MAX + 1];
	int r;

	memcpy(name, store->name, sizeof(name));
	r = store_recovery_save(STORE_FOLDER, creation->stage_name, creation->note.key,
				creation->note.locked, creation->note.locked_size,
				store->recovery);
	for (size_t i = 0; r == 0 && i < creation->member_count; i++) {
		r = store_admin_add_user(creation->hygied, creation->stage_name, store,
					 creation->members[i], &like);
		if (r == 0)
			r = -ENOKEY;
		r = r > 0 ? 0 : r;
	}
	if (r == 0)
		r = envelope_secret_new(&creation->secret);
	if (r == 0)
		r = store_seal_at(STORE_FOLDER, creation->stage_name, store,
				  creation->secret, error);
	if (r == 0)
		r = store_save_at(STORE_FOLDER, creation->stage_name, store);
	return r;
}

/* Two may be asked for one name at once; what one that was killed left has no lock. */
static int stage_make(struct creation *creation, struct file_error *error)
{
	cleanup_close int old = -1;
	int r;

	if (mkdir(STORE_FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = store_stage_lock(creation->stage, &old);
	if (r == 0)
		r = store_gone_take(creation->hygied->gone, creation->stage);
	if (r < 0 && r != -ENOENT)
		return r;
	if (mkdir(creation->stage, 0700) < 0)
		return errno == EEXIST ? -EBUSY : -errno; /* made this very moment */
	r = store_stage_lock(creation->stage, &creation->stage_fd);
	if (r == 0)
		return stage_fill(creation, error);
	if (r != -EBUSY) /* an import was quicker: it is that one's now */
		(void)rmdir(creation->stage);
	return r;
}

/* All is made: from here on it is a store. */
static void conclude(struct creation *creation)
{
	const char *arguments[] = { creation->store->mount };
	int r = durable_folder_sync(creation->stage);

	if (r == 0)
		r = durable_rename(creation->stage, creation->place);
	if (r < 0) {
		fail(creation, r, "");
		return;
	}
	(void)close(creation->stage_fd);
	creation->stage_fd = -1;
	creation_stop(creation);
	store_admin_audit(creation->peer, EVENT, HYGIE_OK, creation->store->name, NULL);
	peer_finish_text(creation->peer, HYGIE_OK, TEXT_STORE_CREATED, arguments, 1);
}

static void on_keeper(void *context, const struct keeper_event *event)
{
	struct creation *creation = context;
	struct keeper_place place = { .backend = creation->store->backend,
				      .cipher = creation->stage_cipher,
				      .mount = creation->store->mount,
				      .group = creation->gid };
	int r;

	switch (event->kind) {
	case KEEPER_CONNECTED:
		r = keeper_init(creation->keeper, &place, creation->secret);
		secret_free(creation->secret);
		creation->secret = NULL;
		if (r < 0)
			fail(creation, r, "");
		return;
	case KEEPER_IS_DONE:
		conclude(creation);
		return;
	case KEEPER_ABSENT:
	case KEEPER_GONE:
	case KEEPER_FAILED:
		fail(creation, -EIO,
		     event->text[0] ? event->text : "the store's keeper did not do it");
		return;
	default:
		return;
	}
}

/* The page is noted: the store is made. */
static void make(struct creation *creation)
{
	sd_event *loop = creation->hygied->loop;
	struct file_error error = { "" };
	int r = access(creation->place, F_OK) == 0 ? -EBUSY
						   : stage_make(creation, &error);

	if (r == -EBUSY) {
		give_up(creation, HYGIE_BAD_REQUEST,
			N_("A store of that name was made meanwhile, or is being made. "
			   "Nothing was made by this; destroy the page."));
		return;
	}
	if (r == -ENOKEY) {
		give_up(creation, HYGIE_NOT_FOUND,
			N_("A holder's card was revoked meanwhile. Nothing was made; "
			   "destroy the page."));
		return;
	}
	if (r == 0)
		r = timer_set(creation, MAKE_MS);
	/* One that runs is taken as it is. */
	if (r == 0) {
		r = keeper_attach(loop, creation->store->name, on_keeper, creation,
				  &creation->keeper);
		if (r < 0)
			r = keeper_start(loop, creation->store->name, on_keeper, creation,
					 &creation->keeper);
	}
	if (r < 0)
		fail(creation, r, error.text);
}

static void on_answer(void *self, struct secret *answer)
{
	cleanup_secret struct secret *owned = answer;
	struct creation *creation = self;

	switch (recovery_note_take(&creation->note, creation->peer, owned)) {
	case NOTE_TAKEN:
		make(creation);
		break;
	case NOTE_NOT_TAKEN:
		give_up(creation, HYGIE_GAVE_UP,
			N_("The passphrase was not noted, so nothing was made. Destroy "
			   "the page."));
		break;
	default:
		break;
	}
}

static const struct dialogue creation_dialogue = {
	.answer = on_answer,
	.free = creation_free,
};

/* A user with a card for stores: found before a page is printed. */
static int count_keys(void *context, const struct enrolment *enrolment)
{
	const char **user = context;

	return enrolment->state == ENROLMENT_ACTIVE && enrolment->has_store_key &&
	       strcmp(enrolment->user, *user) == 0;
}

static bool members_admit(struct creation *creation)
{
	for (size_t i = 0; i < creation->member_count; i++) {
		const char *user = creation->members[i];
		int r = registry_list(creation->hygied->registry, count_keys, &user);

		if (r > 0)
			continue;
		store_admin_audit(creation->peer, EVENT, HYGIE_NOT_FOUND,
				  creation->store->name, user);
		if (r < 0)
			peer_finish(creation->peer, HYGIE_BROKEN_SETUP, NULL);
		else
			peer_finish_text(creation->peer, HYGIE_NOT_FOUND,
					 TEXT_STORE_NO_KEY, &user, 1);
		return false;
	}
	return true;
}

static bool backend_read(struct store *store, const struct wire_message *request)
{
	char word[16] = "";
	int r = wire_get_string(request, TAG_BACKEND, word, sizeof(word));

	if (r == 0)
		store->backend = backend_from_word(word);
	return wire_optional(r) == 0 && backend_word(store->backend);
}

/* What its file system lacks is found before a page is printed. */
static bool can_encrypt(const struct creation *creation)
{
	return creation->store->backend != BACKEND_FSCRYPT ||
	       fscrypt_look(creation->stage_cipher) != -EOPNOTSUPP;
}

static int has_its_place(void *context, const char *name, const struct store *other,
			 const struct file_error *error)
{
	const struct store *store = context;

	(void)name;
	(void)error;
	return other && (strcmp(other->cipher, store->cipher) == 0 ||
			 strcmp(other->mount, store->mount) == 0);
}

/* An fscrypt's folder that is empty would be made anew, for another key. */
static bool is_taken(const struct creation *creation)
{
	return stores_each(STORE_FOLDER, has_its_place, creation->store) > 0;
}

/* Whether it may be made, as far as can be seen before. */
static bool creation_admit(struct creation *creation)
{
	struct store *store = creation->store;
	const struct group *group;
	const char *text = NULL;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
	group = getgrnam(store->group);
	if (group)
		creation->gid = group->gr_gid;
	if (access(creation->place, F_OK) == 0)
		text = N_("There is a store of that name.");
	else if (!group)
		text = N_("The system knows no group of that name. Make it (addgroup), "
			  "with the users who work with the records.");
	else if (!trusted_path_is_plain(store->mount) ||
		 !trusted_path_is_plain(store->cipher))
		text = N_("A folder is written as an absolute path, without \"..\".");
	else if (is_taken(creation))
		text = N_("Another store has that encrypted folder or that mount point. "
			  "Choose one of its own (--cipher, --mount).");
	else if (!can_encrypt(creation))
		text = N_("The file system of the encrypted folder has no encryption "
			  "switched on. ext4: \"tune2fs -O encrypt DEVICE\". Or choose a "
			  "folder on another one (--cipher), or --backend gocryptfs.");
	if (text) {
		store_admin_audit(creation->peer, EVENT, HYGIE_BAD_REQUEST, store->name,
				  NULL);
		peer_finish(creation->peer, HYGIE_BAD_REQUEST, text);
		return false;
	}
	return members_admit(creation);
}

static int members_read(struct creation *creation, const struct wire_message *request)
{
	struct wire_field field;
	size_t cursor = 0;

	while (wire_next_field(request, &cursor, &field)) {
		if (field.tag != TAG_MEMBER)
			continue;
		if (creation->member_count == array_size(creation->members) ||
		    wire_field_string(&field, creation->members[creation->member_count],
				      HYGIE_USER_MAX) < 0)
			return -EBADMSG;
		creation->member_count++;
	}
	return 0;
}

static int request_read(struct creation *creation, const struct wire_message *request)
{
	struct store *store = creation->store;
	int r;

	if (wire_get_string(request, TAG_STORE, store->name, sizeof(store->name)) < 0 ||
	    !envelope_name_is_valid(store->name) ||
	    wire_get_string(request, TAG_GROUP, store->group, sizeof(store->group)) < 0 ||
	    !config_name_is_valid(store->group) || members_read(creation, request) < 0)
		return -EBADMSG;
	(void)snprintf(creation->stage_name, sizeof(creation->stage_name), ".%s.new",
		       store->name);
	r = store_path(STORE_FOLDER, creation->stage_name, NULL, creation->stage);
	if (r == 0)
		r = store_path(STORE_FOLDER, creation->stage_name, "cipher",
			       creation->stage_cipher);
	if (r == 0)
		r = store_path(STORE_FOLDER, store->name, NULL, creation->place);
	if (r == 0)
		r = store_path(STORE_FOLDER, store->name, "cipher", store->cipher);
	if (r == 0)
		r = store_path(STORE_MOUNTS, store->name, NULL, store->mount);
	if (r == 0)
		r = wire_optional(wire_get_string(request, TAG_MOUNT, store->mount,
						  sizeof(store->mount)));
	if (r < 0)
		return r;
	r = wire_get_string(request, TAG_CIPHER, store->cipher, sizeof(store->cipher));
	if (r == 0) /* elsewhere: made in its place */
		memcpy(creation->stage_cipher, store->cipher, sizeof(store->cipher));
	return wire_optional(r);
}

void store_create_serve(struct hygied *hygied, struct peer *peer,
			const struct wire_message *request)
{
	struct creation *creation;

	if (!request_admit_root(peer, EVENT))
		return;
	creation = calloc(1, sizeof(*creation));
	if (creation)
		creation->store = calloc(1, sizeof(*creation->store));
	if (!creation || !creation->store) {
		free(creation);
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	creation->hygied = hygied;
	creation->peer = peer;
	creation->store->generation = 1;
	creation->store->backend = BACKEND_GOCRYPTFS;
	creation->stage_fd = -1;
	peer_set_dialogue(peer, &creation_dialogue, creation);
	if (!backend_read(creation->store, request)) {
		peer_finish(peer, HYGIE_BAD_REQUEST,
			    N_("A store's backend is gocryptfs or fscrypt."));
		return;
	}
	if (request_read(creation, request) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	if (!creation_admit(creation))
		return;
	if (timer_set(creation, NOTE_MS) < 0 ||
	    recovery_note_send(&creation->note, peer, creation->store->name) < 0)
		give_up(creation, HYGIE_FAULT, NULL);
}
