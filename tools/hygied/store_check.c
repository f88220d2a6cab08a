/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stores there are, whose they are, and what is wrong with them: declared in
 * store_admin.h. A finding is "error" (it does not open for somebody as it should),
 * "warning" (somebody should do something) or "note".
 */
#include "hygied/fscrypt_look.h"
#include "hygied/requests.h"
#include "hygied/store_admin.h"
#include "hygied/store_stage.h"
#include "hygied/stores.h"
#include "libhygie/hex.h"

#include <errno.h>
#include <grp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SOON ((int64_t)14 * 86400)

/* One store's check. */
struct check {
	struct hygied *hygied;
	struct peer *peer;
	const char *only; /* a store's name, or "" */
	const struct store *store;
	const struct envelope *envelope; /* NULL: it cannot be read */
	time_t now;
	size_t found; /* stores */
};

/* `user` may be NULL; `text` is English, N_()'d, or a file's fault. */
static void finding(const struct check *check, const char *name, const char *level,
		    const char *user, const char *text)
{
	cleanup_message struct wire_message *item = request_new_item("finding");

	if (!item)
		return;
	wire_add_string(item, TAG_STORE, name);
	wire_add_string(item, TAG_STATE, level);
	if (user)
		wire_add_string(item, TAG_USER, user);
	wire_add_string(item, TAG_TEXT, text);
	peer_send(check->peer, item);
}

static void store_send(const struct check *check)
{
	cleanup_message struct wire_message *item = request_new_item("store");
	const struct store *store = check->store;

	if (!item)
		return;
	wire_add_string(item, TAG_STORE, store->name);
	wire_add_string(item, TAG_MOUNT, store->mount);
	wire_add_string(item, TAG_CIPHER, store->cipher);
	wire_add_string(item, TAG_BACKEND, backend_word(store->backend));
	wire_add_string(item, TAG_GROUP, store->group);
	wire_add_u64(item, TAG_GENERATION, store->generation);
	peer_send(check->peer, item);
}

static void holder_send(const struct check *check, const struct store_holder *holder)
{
	cleanup_message struct wire_message *item = request_new_item("holder");
	time_t last = (time_t)holder->until - 1;
	char id[2 * HYGIE_KEY_ID_SIZE + 1], until[16];
	struct tm day;

	if (!item)
		return;
	hex_write(holder->card, HYGIE_KEY_ID_SIZE, id);
	wire_add_string(item, TAG_STORE, check->store->name);
	wire_add_string(item, TAG_USER, holder->user);
	wire_add_string(item, TAG_HOLDER, holder->name);
	wire_add_string(item, TAG_CARD_ID, id);
	wire_add_string(item, TAG_STATE, store_right_word(holder->state));
	wire_add_string(item, TAG_WRAP, store_wrap_word(holder->wrap));
	wire_add_u32(item, TAG_GRANTS, holder->grants);
	if (holder->until > 0 && gmtime_r(&last, &day) &&
	    strftime(until, sizeof(until), "%Y-%m-%d", &day) > 0)
		wire_add_string(item, TAG_UNTIL, until);
	peer_send(check->peer, item);
}

static void right_check(const struct check *check, const struct store_holder *holder)
{
	const char *name = check->store->name, *user = holder->user;

	switch (store_holder_admit(holder, check->now)) {
	case ADMISSION_PENDING:
		finding(check, name, "note", user,
			N_("The right is pending until a holder who may grant opens the "
			   "store."));
		break;
	case ADMISSION_LEAVING:
	case ADMISSION_ENDED:
		finding(check, name, "warning", user,
			N_("The right has ended, but the envelope has the card until a "
			   "holder who may grant opens the store."));
		break;
	default:
		if (holder->until > 0 && holder->until - (int64_t)check->now < SOON)
			finding(check, name, "note", user,
				N_("The right ends within two weeks."));
	}
	if (holder->wrap == ENVELOPE_WRAP_RSA_PKCS1)
		finding(check, name, "note", user,
			N_("The card knows only PKCS 1 v1.5, the weakest way: replace "
			   "it when you can."));
}

static void enrolment_check_of(const struct check *check,
			       const struct store_holder *holder)
{
	struct enrolment enrolment;
	int r = registry_find_card(check->hygied->registry, holder->card, &enrolment);

	if (holder->state == RIGHT_LEAVING)
		return;
	if (r == -ENOENT || (r == 0 && enrolment.state != ENROLMENT_ACTIVE))
		finding(check, check->store->name, "warning", holder->user,
			N_("The card is revoked, or enrolled no more: take the right away "
			   "(\"hygie store remove\")."));
	else if (r == 0 && strcmp(enrolment.user, holder->user) != 0)
		finding(check, check->store->name, "warning", holder->user,
			N_("The card is enrolled to another user now, and opens the store "
			   "for neither. \"hygie store add\" with that user gives him the "
			   "right, \"hygie store remove\" with this one takes it away."));
	else if (r < 0 && r != -ENOENT)
		finding(check, check->store->name, "warning", holder->user,
			N_("The registry cannot be read, so nobody knows whether the card "
			   "is still enrolled. The journal says why."));
}

static void certificate_check(const struct check *check,
			      const struct store_holder *holder)
{
	cleanup_certificate struct certificate *certificate = NULL;
	const char *name = check->store->name;
	struct file_error error = { "" };
	struct envelope_task task;
	int r = store_certificate_load(STORE_FOLDER, name, holder->key_id, &certificate,
				       &error);

	if (r < 0) {
		finding(check, name, "error", holder->user, error.text);
		return;
	}
	if (!check->envelope || holder->state != RIGHT_HELD)
		return;
	r = envelope_find(check->envelope, certificate, holder->wrap, &task);
	if (r < 0)
		finding(check, name, "error", holder->user,
			N_("The envelope does not open for this card."));
}

static void recovery_check(const struct check *check)
{
	const struct store *store = check->store;
	struct file_error error = { "" };
	cleanup_free char *locked = NULL;
	struct envelope_task task;
	EVP_PKEY *key = NULL;
	size_t size;

	if (store_recovery_locked(STORE_FOLDER, store->name, store->recovery, &locked,
				  &size, &error) < 0)
		finding(check, store->name, "error", NULL, error.text);
	if (store_recovery_load(STORE_FOLDER, store->name, store->recovery, &key,
				&error) < 0)
		finding(check, store->name, "error", NULL, error.text);
	else if (check->envelope &&
		 envelope_find_key(check->envelope, key, ENVELOPE_WRAP_EC, &task) < 0)
		finding(check, store->name, "error", NULL,
			N_("The envelope does not open by the recovery key."));
	EVP_PKEY_free(key);
	if (store_recovery_is_pending(store))
		finding(check, store->name, "note", NULL,
			N_("A new recovery key is pending: keep the old page, too. It "
			   "holds when a holder who may grant opens the store, or by "
			   "\"hygie store recover\" with the old passphrase."));
}

/* Whether its encrypted folder is what its backend makes of one. */
static void cipher_check(const struct check *check)
{
	const struct store *store = check->store;
	char path[STORE_PATH_SIZE + 32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/gocryptfs.conf", store->cipher);
	if (store->backend == BACKEND_GOCRYPTFS && stat(path, &st) < 0)
		finding(check, store->name, "error", NULL,
			N_("The folder of the encrypted files has no gocryptfs.conf: "
			   "restore it from a backup."));
	if (store->backend == BACKEND_FSCRYPT && fscrypt_look(store->cipher) <= 0)
		finding(check, store->name, "error", NULL,
			N_("The folder of the records is not there, or not encrypted by "
			   "its file system: is its disk mounted? What lies in the folder "
			   "now is not the store's."));
}

/* What concerns all of the store. */
static void whole_check(const struct check *check)
{
	const struct store *store = check->store;
	size_t sealed = 1, granting = 0; /* the recovery key */

	for (size_t i = 0; i < store->count; i++) {
		sealed += store->holders[i].state != RIGHT_PENDING;
		granting += store->holders[i].grants &&
			    store_holder_admit(&store->holders[i], check->now) ==
				    ADMISSION_OK;
	}
	if (check->envelope && envelope_recipient_count(check->envelope) != sealed)
		finding(check, store->name, "warning", NULL,
			N_("The envelope is not for the holders of store.ini: it was "
			   "changed by another, or a change of rights was cut short. The "
			   "next opening tells."));
	if (granting == 0)
		finding(check, store->name, "warning", NULL,
			N_("No holder may grant: changes of rights need \"hygie store "
			   "recover\"."));
	if (store->rotate)
		finding(check, store->name, "note", NULL,
			N_("A new envelope is wanted; it is made when a holder who may "
			   "grant opens the store."));
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread asks */
	if (!getgrnam(store->group))
		finding(check, store->name, "error", NULL,
			N_("The system knows the store's group no more."));
}

/* For the command: where the encrypted files of a copy that was begun lie. */
static void copy_send(const struct check *check, const struct store_stage *stage)
{
	cleanup_message struct wire_message *item = request_new_item("copy");
	cleanup_store struct store *copy = NULL;
	char cipher[STORE_PATH_SIZE];

	if (!item ||
	    store_load_at(STORE_FOLDER, stage->name, stage->store, &copy, NULL) < 0 ||
	    store_stage_cipher(stage->name, copy, cipher) < 0)
		return;
	wire_add_string(item, TAG_STORE, stage->store);
	wire_add_string(item, TAG_CIPHER, cipher);
	peer_send(check->peer, item);
}

/* What a reencryption has begun, or left behind. */
static void copies_check(const struct check *check)
{
	const char *name = check->store->name;
	struct store_stage stage;
	struct stat st;

	if (store_stage_init(&stage, name) < 0)
		return;
	copy_send(check, &stage);
	if (stores_is_reserved(check->hygied->stores, name))
		finding(check, name, "note", NULL, N_("It is being reencrypted."));
	else if (lstat(stage.path, &st) == 0)
		finding(check, name, "warning", NULL,
			N_("A reencryption was cut short. \"hygie store reencrypt\" goes "
			   "on with it; with --abandon it removes the new copy."));
	if (lstat(stage.old, &st) == 0)
		finding(check, name, "warning", NULL,
			N_("The old encrypted copy is still there, and a leaver's key "
			   "opens it: remove it by \"hygie store reencrypt\" with "
			   "--discard-old."));
}

static int store_check(void *context, const char *name, const struct store *store,
		       const struct file_error *error)
{
	struct check *check = context;
	struct file_error why = { "" };
	struct envelope *envelope = NULL;

	if (check->only[0] && strcmp(check->only, name) != 0)
		return 0;
	check->found++;
	if (!store) {
		finding(check, name, "error", NULL, error->text);
		return 0;
	}
	check->store = store;
	store_send(check);
	if (store_envelope_load(STORE_FOLDER, name, &envelope, &why) < 0)
		finding(check, name, "error", NULL, why.text);
	check->envelope = envelope;
	for (size_t i = 0; i < store->count; i++) {
		holder_send(check, &store->holders[i]);
		right_check(check, &store->holders[i]);
		enrolment_check_of(check, &store->holders[i]);
		certificate_check(check, &store->holders[i]);
	}
	recovery_check(check);
	whole_check(check);
	cipher_check(check);
	copies_check(check);
	envelope_free(envelope);
	return 0;
}

void request_store_check(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request)
{
	char only[STORE_NAME_MAX + 1] = "";
	const char *arguments[] = { only };
	struct check check = { .hygied = hygied, .peer = peer, .only = only };

	if (!request_admit_root(peer, "store-check"))
		return;
	if (wire_optional(wire_get_string(request, TAG_STORE, only, sizeof(only))) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	check.now = card_time(&hygied->environment);
	if (stores_each(STORE_FOLDER, store_check, &check) < 0)
		peer_finish(peer, HYGIE_BROKEN_SETUP, NULL);
	else if (only[0] && check.found == 0)
		peer_finish_text(peer, HYGIE_NOT_FOUND, TEXT_STORE_UNKNOWN, arguments, 1);
	else
		peer_finish(peer, HYGIE_OK, "");
}
