/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card profiles: reading and choosing; declared in profile.h. What a key's value may be
 * is in profile_value.c, finding the module's file in profile_module.c.
 */
#include "hygied/profile.h"

#include "hygied/profile_value.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct profiles {
	size_t count;
	struct profile *profile[PROFILES_MAX];
	size_t folder[PROFILES_MAX]; /* where each came from */
};

/* What section_begin needs, as the target that config_load_file hands round. */
struct loading {
	struct profiles *profiles;
	size_t folder;
	struct profile_draft draft[PROFILES_MAX]; /* of the file being read */
	size_t count;
};

static bool draft_is_known(const struct loading *loading, const char *name)
{
	for (size_t i = 0; i < loading->count; i++)
		if (strcmp(loading->draft[i].profile.name, name) == 0)
			return true;
	for (size_t i = 0; i < loading->profiles->count; i++)
		if (loading->profiles->folder[i] == loading->folder &&
		    strcmp(loading->profiles->profile[i]->name, name) == 0)
			return true;
	return false;
}

static void *card_begin(void *target, const char *section, const char *name,
			const struct config_place *place, char *reason,
			size_t reason_size)
{
	struct loading *loading = target;
	struct profile_draft *draft;

	(void)section; /* the table has one */
	if (name[0] == '\0') {
		(void)snprintf(reason, reason_size, "has no name; write [card NAME]");
		return NULL;
	}
	if (draft_is_known(loading, name)) {
		(void)snprintf(
			reason, reason_size,
			"is in this folder already; give one of them another name");
		return NULL;
	}
	if (loading->count == PROFILES_MAX) {
		(void)snprintf(reason, reason_size, "is one too many; %d are the most",
			       PROFILES_MAX);
		return NULL;
	}
	draft = &loading->draft[loading->count++];
	*draft = (struct profile_draft){ 0 };
	config_defaults(profile_schema(), draft);
	(void)snprintf(draft->profile.name, sizeof(draft->profile.name), "%s", name);
	(void)snprintf(draft->profile.file, sizeof(draft->profile.file), "%s",
		       place->file);
	draft->profile.line = place->line;
	return draft;
}

/* Puts a finished profile where an older one of its name was, or at the end. */
static int profile_keep(struct loading *loading, const struct profile *profile)
{
	struct profiles *profiles = loading->profiles;
	size_t i = 0;

	while (i < profiles->count &&
	       strcmp(profiles->profile[i]->name, profile->name) != 0)
		i++;
	if (i == PROFILES_MAX)
		return -E2BIG;
	if (i == profiles->count) {
		struct profile *added = malloc(sizeof(*added));

		if (added == NULL)
			return -ENOMEM;
		profiles->profile[profiles->count++] = added;
	}
	*profiles->profile[i] = *profile;
	profiles->folder[i] = loading->folder;
	return 0;
}

static int file_load(struct loading *loading, const char *path, uid_t owner,
		     struct config_errors *errors)
{
	const struct config_schema schema = { profile_schema()->keys,
					      profile_schema()->count, card_begin };
	int result, r;

	loading->count = 0;
	result = config_load_file(path, owner, &schema, loading, errors);
	if (result < 0)
		return result;
	for (size_t i = 0; i < loading->count; i++) {
		const struct profile *profile = &loading->draft[i].profile;

		r = profile_check(&loading->draft[i], errors);
		if (r == 0)
			r = profile_keep(loading, profile);
		if (r == -E2BIG)
			config_errors_add(
				errors, path, profile->line,
				"[card %s] is one profile too many; %d are the most",
				profile->name, PROFILES_MAX);
		if (result == 0)
			result = r;
	}
	return result;
}

/* Goes on after a file with mistakes, so that all are told. */
static int folder_load(struct loading *loading, const char *folder, uid_t owner,
		       struct config_errors *errors)
{
	cleanup_trusted_names struct trusted_names names = { 0 };
	struct file_error error = { "" };
	int result = 0;
	int r = trusted_folder_list(folder, ".conf", owner, &names, &error);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		config_errors_add(errors, folder, 0, "%s", error.text);
		return r;
	}
	for (size_t i = 0; i < names.count; i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s", folder, names.name[i]) < 0)
			return -ENOMEM;
		r = file_load(loading, path, owner, errors);
		if (result == 0)
			result = r;
	}
	return result;
}

int profiles_load(const char *const folders[], size_t count, uid_t owner,
		  struct profiles **ret_profiles, struct config_errors *errors)
{
	cleanup_free struct loading *loading = calloc(1, sizeof(*loading));
	cleanup_profiles struct profiles *profiles = calloc(1, sizeof(*profiles));
	int result = 0;

	if (loading == NULL || profiles == NULL)
		return -ENOMEM;
	loading->profiles = profiles;
	for (size_t i = 0; i < count; i++) {
		int r;

		loading->folder = i;
		r = folder_load(loading, folders[i], owner, errors);
		if (result == 0)
			result = r;
	}
	if (result < 0)
		return result;
	*ret_profiles = profiles;
	profiles = NULL;
	return 0;
}

void profiles_free(struct profiles *profiles)
{
	if (profiles == NULL)
		return;
	for (size_t i = 0; i < profiles->count; i++)
		free(profiles->profile[i]);
	free(profiles);
}

const struct profile *profiles_at(const struct profiles *profiles, size_t index)
{
	return index < profiles->count ? profiles->profile[index] : NULL;
}

const struct profile *profiles_next_uri(const struct profiles *profiles, size_t *cursor)
{
	while (*cursor < profiles->count) {
		const struct profile *profile = profiles->profile[(*cursor)++];

		if (profile->uri[0] != '\0')
			return profile;
	}
	return NULL;
}

static bool profile_fits(const struct profile *profile, const char *reader_name,
			 const uint8_t *atr, size_t atr_size)
{
	if (profile->uri[0] != '\0')
		return false;
	if (profile->reader[0] != '\0' && strstr(reader_name, profile->reader) == NULL)
		return false;
	if (profile->atr_size == 0)
		return true;
	if (profile->atr_size != atr_size)
		return false;
	for (size_t i = 0; i < atr_size; i++)
		if ((profile->atr[i] ^ atr[i]) & profile->atr_mask[i])
			return false;
	return true;
}

/* How closely a profile describes a card: the mask's bits, then whether it names a
 * reader. */
static unsigned profile_weight(const struct profile *profile)
{
	unsigned bits = 0;

	for (size_t i = 0; i < profile->atr_size; i++)
		bits += (unsigned)__builtin_popcount(profile->atr_mask[i]);
	return 2 * bits + (profile->reader[0] != '\0');
}

const struct profile *profile_for_reader(const struct profiles *profiles,
					 const char *reader_name, const uint8_t *atr,
					 size_t atr_size)
{
	const struct profile *best = NULL;

	for (size_t i = 0; i < profiles->count; i++) {
		const struct profile *profile = profiles->profile[i];

		if (profile_fits(profile, reader_name, atr, atr_size) &&
		    (best == NULL || profile_weight(profile) > profile_weight(best)))
			best = profile;
	}
	return best;
}
