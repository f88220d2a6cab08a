/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that change who may open a store; see store_admin.h.
 */
#include "hygied/store_admin.h"

#include "hygied/policy.h"
#include "hygied/requests.h"
#include "hygied/store_ini.h"
#include "hygied/stores.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void store_admin_audit(const struct peer *peer, const char *event,
		       enum hygie_outcome outcome, const char *name, const char *user)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", peer_uid(peer));
	log_audit(event, outcome,
		  (const struct log_field[]){ { "HYGIE_STORE", name },
					      { "HYGIE_USER", user },
					      { "HYGIE_PEER_UID", uid } },
		  3);
}

void store_admin_fail(struct peer *peer, const char *event, const char *name, int fault,
		      const struct file_error *error)
{
	const char *detail = error && error->text[0] ? error->text : error_text(-fault);
	enum hygie_outcome outcome =
		fault == -ENOENT ? HYGIE_NOT_FOUND : HYGIE_BROKEN_SETUP;

	log_error("store %s: %s", name, detail);
	store_admin_audit(peer, event, outcome, name, NULL);
	if (fault == -ENOENT)
		peer_finish_text(peer, outcome, TEXT_STORE_UNKNOWN, &name, 1);
	else
		peer_finish_text(peer, outcome, TEXT_STORE_BROKEN, &detail, 1);
}

bool store_admin_is_free(const struct hygied *hygied, struct peer *peer,
			 const char *event, const char *name)
{
	if (!stores_is_reserved(hygied->stores, name))
		return true;
	store_admin_audit(peer, event, HYGIE_REFUSED, name, NULL);
	peer_finish_text(peer, HYGIE_REFUSED, TEXT_STORE_IN_WORK, &name, 1);
	return false;
}

struct store *store_admin_load(const struct hygied *hygied, struct peer *peer,
			       const struct wire_message *request, const char *event)
{
	struct file_error error = { "" };
	char name[STORE_NAME_MAX + 1];
	struct store *store = NULL;
	int r;

	if (!request_admit_root(peer, event))
		return NULL;
	if (wire_get_string(request, TAG_STORE, name, sizeof(name)) < 0 ||
	    !envelope_name_is_valid(name)) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return NULL;
	}
	if (!store_admin_is_free(hygied, peer, event, name))
		return NULL;
	r = store_load(STORE_FOLDER, name, &store, &error);
	if (r < 0) {
		/* The folder is there, but not what makes it a store. */
		store_admin_fail(peer, event, name, r, &error);
		return NULL;
	}
	return store;
}

/* One user's cards on their way into a store. */
struct adding {
	const char *name, *user;
	struct store *store;
	const struct store_holder *like;
	int found;
};

/* A name as store.ini can hold it: no blanks around it. */
static void name_copy(char *ret_name, size_t size, const char *name)
{
	size_t length;

	while (*name == ' ')
		name++;
	(void)snprintf(ret_name, size, "%s", name);
	for (length = strlen(ret_name); length > 0 && ret_name[length - 1] == ' ';)
		ret_name[--length] = '\0';
}

static int holder_put(const struct adding *adding, const struct enrolment *enrolment)
{
	struct store_holder *old =
		store_holder_find(adding->store, enrolment->store_key_id);
	struct store_holder holder = *adding->like;

	memcpy(holder.key_id, enrolment->store_key_id, sizeof(holder.key_id));
	memcpy(holder.card, enrolment->key_id, sizeof(holder.card));
	name_copy(holder.user, sizeof(holder.user), enrolment->user);
	name_copy(holder.name, sizeof(holder.name), enrolment->holder);
	holder.wrap = enrolment->store_wrap;
	if (!old)
		return store_holder_add(adding->store, &holder);
	/* He is in the envelope still, unless he never was. */
	if (old->state != RIGHT_PENDING)
		holder.state = RIGHT_HELD;
	/* Another way of wrapping comes with the next envelope: this one has the old. */
	if (old->wrap != holder.wrap && holder.state == RIGHT_HELD)
		holder.wrap = old->wrap;
	*old = holder;
	return 0;
}

static int enrolment_take(void *context, const struct enrolment *enrolment)
{
	struct adding *adding = context;
	cleanup_certificate struct certificate *certificate = NULL;
	int r;

	if (enrolment->state != ENROLMENT_ACTIVE || !enrolment->has_store_key ||
	    strcmp(enrolment->user, adding->user) != 0)
		return 0;
	r = certificate_parse(enrolment->store_certificate,
			      enrolment->store_certificate_size, &certificate);
	if (r < 0)
		return r;
	if (memcmp(certificate_key_id(certificate), enrolment->store_key_id,
		   HYGIE_KEY_ID_SIZE) != 0)
		return -EBADMSG;
	r = store_certificate_save(STORE_FOLDER, adding->name, certificate);
	if (r == 0)
		r = holder_put(adding, enrolment);
	adding->found += r == 0;
	return r;
}

int store_admin_add_user(struct hygied *hygied, const char *name, struct store *store,
			 const char *user, const struct store_holder *like)
{
	struct adding adding = { name, user, store, like, 0 };
	int r = registry_list(hygied->registry, enrolment_take, &adding);

	return r < 0 ? r : adding.found;
}

/* TAG_UNTIL, by store.ini's own rule: a day that is not over. 0 without one. */
static bool until_read(const struct wire_message *request, int64_t *ret_until)
{
	char text[16];
	int r = wire_get_string(request, TAG_UNTIL, text, sizeof(text));

	*ret_until = 0;
	if (r < 0)
		return r == -ENOENT;
	return store_until_read(text, ret_until) && *ret_until > (int64_t)time(NULL);
}

void request_store_add(struct hygied *hygied, struct peer *peer,
		       const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, "store-add");
	struct store_holder like = { .state = RIGHT_PENDING };
	char user[HYGIE_USER_MAX];
	const char *arguments[] = { user };
	uint32_t flags = 0;
	int r;

	if (!store)
		return;
	if (wire_get_string(request, TAG_USER, user, sizeof(user)) < 0 || !user[0] ||
	    wire_optional(wire_get_u32(request, TAG_FLAGS, &flags)) < 0) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	if (!until_read(request, &like.until)) {
		peer_finish(peer, HYGIE_BAD_REQUEST,
			    N_("The last day of a right is written YYYY-MM-DD, and is "
			       "today or later."));
		return;
	}
	like.grants = !(flags & REQUEST_NO_GRANT);
	r = store_admin_add_user(hygied, store->name, store, user, &like);
	if (r > 0) {
		int saved = store_save(STORE_FOLDER, store);

		r = saved < 0 ? saved : r;
	}
	if (r < 0) {
		store_admin_fail(peer, "store-add", store->name,
				 r == -ENOENT ? -EBADMSG : r, NULL);
		return;
	}
	store_admin_audit(peer, "store-add", r > 0 ? HYGIE_OK : HYGIE_NOT_FOUND,
			  store->name, user);
	if (r == 0)
		peer_finish_text(peer, HYGIE_NOT_FOUND, TEXT_STORE_NO_KEY, arguments, 1);
	else
		peer_finish_text(peer, HYGIE_OK, TEXT_STORE_ADDED, arguments, 1);
}

void request_store_remove(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, "store-remove");
	char user[HYGIE_USER_MAX];
	const char *arguments[] = { user };
	size_t leaving = 0;
	int r;

	if (!store)
		return;
	if (wire_get_string(request, TAG_USER, user, sizeof(user)) < 0 || !user[0]) {
		peer_finish(peer, HYGIE_BAD_REQUEST, NULL);
		return;
	}
	for (size_t i = store->count; i-- > 0;) {
		struct store_holder *holder = &store->holders[i];

		if (strcmp(holder->user, user) != 0)
			continue;
		/*
		 * A pending one, too: if a sealing was cut short, the envelope has him
		 * already.
		 */
		holder->state = RIGHT_LEAVING;
		leaving++;
	}
	r = leaving > 0 ? store_save(STORE_FOLDER, store) : 0;
	if (r < 0) {
		store_admin_fail(peer, "store-remove", store->name, r, NULL);
		return;
	}
	store_admin_audit(peer, "store-remove", leaving > 0 ? HYGIE_OK : HYGIE_NOT_FOUND,
			  store->name, user);
	if (leaving == 0)
		peer_finish_text(peer, HYGIE_NOT_FOUND, TEXT_STORE_NO_HOLDER, arguments,
				 1);
	else
		peer_finish_text(peer, HYGIE_OK, TEXT_STORE_LEAVING, arguments, 1);
}

void request_store_rotate(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request)
{
	cleanup_store struct store *store =
		store_admin_load(hygied, peer, request, "store-rotate");
	const char *arguments[1];
	int r;

	if (!store)
		return;
	store->rotate = true;
	r = store_save(STORE_FOLDER, store);
	if (r < 0) {
		store_admin_fail(peer, "store-rotate", store->name, r, NULL);
		return;
	}
	store_admin_audit(peer, "store-rotate", HYGIE_OK, store->name, NULL);
	arguments[0] = store->name;
	peer_finish_text(peer, HYGIE_OK, TEXT_STORE_ROTATES, arguments, 1);
}
