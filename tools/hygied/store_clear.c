/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a copy of a store; see store_clear.h.
 */
#include "hygied/store_clear.h"

#include "hygied/requests.h"
#include "hygied/store_admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct clearing {
	struct peer *peer;
	struct store_stage stage;
	bool old;
	int fd; /* of the copy, locked */
};

static const char *event_of(bool old)
{
	return old ? "store-discard" : "store-reencrypt-abandoned";
}

static void clearing_free(void *self)
{
	struct clearing *clearing = self;

	if (!peer_is_finished(clearing->peer))
		store_admin_audit(clearing->peer, event_of(clearing->old), HYGIE_GAVE_UP,
				  clearing->stage.store, NULL);
	(void)close(clearing->fd);
	free(clearing);
}

static void finish(struct peer *peer, const struct store_stage *stage, bool old,
		   enum hygie_outcome outcome, const char *text)
{
	store_admin_audit(peer, event_of(old), outcome, stage->store, NULL);
	peer_finish(peer, outcome, text);
}

/* Answered, whatever the answer: it is gone, or not. */
static void on_answer(void *self, struct secret *answer)
{
	struct clearing *clearing = self;
	bool gone = access(clearing->old ? clearing->stage.old : clearing->stage.path,
			   F_OK) < 0;

	secret_free(answer);
	finish(clearing->peer, &clearing->stage, clearing->old,
	       gone ? HYGIE_OK : HYGIE_GAVE_UP,
	       !gone ? NULL
	       : clearing->old
		       ? N_("The old copy is removed. Copies and backups made before "
			    "still open by the old keys.")
		       : N_("The new copy is removed. The store is as it was."));
}

static const struct dialogue clearing_dialogue = {
	.answer = on_answer,
	.free = clearing_free,
};

/*
 * Where its encrypted files lie: never where the store's own are. One without a store.ini
 * has none elsewhere: they are made after it, and removed before it.
 */
static int cipher_find(const struct store_stage *stage, const char *place,
		       char ret_cipher[STORE_PATH_SIZE], struct file_error *error)
{
	cleanup_store struct store *copy = NULL, *current = NULL;
	char conf[STORE_PATH_SIZE + 32];
	struct stat st;
	int r = store_load(STORE_FOLDER, stage->store, &current, error);

	if (r < 0)
		return r;
	(void)snprintf(conf, sizeof(conf), "%s/gocryptfs.conf", current->cipher);
	if (lstat(conf, &st) < 0) {
		(void)snprintf(
			error->text, sizeof(error->text),
			"%.200s: is not there; this copy may be all that is left, and is "
			"not removed",
			conf);
		return -EBADMSG;
	}
	r = store_load_at(STORE_FOLDER, place, stage->store, &copy, error);
	if (r == -ENOENT)
		return store_path(STORE_FOLDER, place, "cipher", ret_cipher);
	if (r == 0)
		r = store_stage_cipher(place, copy, ret_cipher);
	if (r == 0 && strcmp(ret_cipher, current->cipher) == 0)
		r = -EEXIST;
	return r;
}

static int clearing_ask(struct peer *peer, const struct store_stage *stage, bool old,
			struct file_error *error)
{
	cleanup_message struct wire_message *item = request_new_item("clear");
	const char *arguments[] = { stage->store };
	char cipher[STORE_PATH_SIZE];
	int r = cipher_find(stage, old ? stage->old_name : stage->name, cipher, error);

	if (r < 0 || !item)
		return r < 0 ? r : -ENOMEM;
	wire_add_string(item, TAG_STORE, stage->store);
	wire_add_string(item, TAG_FILE, old ? stage->old : stage->path);
	wire_add_string(item, TAG_CIPHER, cipher);
	peer_send(peer, item);
	peer_ask(peer, 0, TEXT_STORE_CLEAR, arguments, 1);
	return 0;
}

void store_clear_begin(struct peer *peer, const struct store_stage *stage, bool old)
{
	struct file_error error = { "" };
	struct clearing *clearing;
	int fd, r = store_stage_lock(old ? stage->old : stage->path, &fd);

	if (r == -ENOENT) {
		finish(peer, stage, old, HYGIE_NOT_FOUND,
		       N_("There is no such copy of that store: nothing is to be done."));
		return;
	}
	if (r < 0) {
		finish(peer, stage, old, HYGIE_REFUSED,
		       N_("Another run has that copy in its hands. Wait for its end."));
		return;
	}
	clearing = calloc(1, sizeof(*clearing));
	if (!clearing) {
		(void)close(fd);
		peer_finish(peer, HYGIE_FAULT, NULL);
		return;
	}
	*clearing = (struct clearing){ peer, *stage, old, fd };
	peer_set_dialogue(peer, &clearing_dialogue, clearing);
	r = clearing_ask(peer, stage, old, &error);
	if (r < 0)
		store_admin_fail(peer, event_of(old), stage->store,
				 r == -ENOENT ? -EIO : r, &error);
}
