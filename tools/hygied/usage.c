/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting connections and requests by uid; see usage.h.
 */
#include "hygied/usage.h"

#define KEPT_FOR_ROOT 32
#define MINUTE_US 60000000.0

static struct usage_entry *find_entry(struct usage *usage, uid_t uid)
{
	for (size_t i = 0; i < usage->count; i++)
		if (usage->entries[i].uid == uid)
			return &usage->entries[i];
	return NULL;
}

/* A new entry, in the place of one that is idle when the table is full. */
static struct usage_entry *make_entry(struct usage *usage, uid_t uid, uint64_t now)
{
	struct usage_entry *entry = NULL;

	if (usage->count < USAGE_UIDS_MAX)
		entry = &usage->entries[usage->count++];
	for (size_t i = 0; !entry && i < usage->count; i++)
		if (usage->entries[i].connections == 0 &&
		    now - usage->entries[i].updated > (uint64_t)MINUTE_US)
			entry = &usage->entries[i];
	if (entry)
		*entry = (struct usage_entry){ .uid = uid, .updated = now };
	return entry;
}

static void leak(struct usage_entry *entry, unsigned per_minute, uint64_t now)
{
	entry->requests -=
		(double)per_minute * (double)(now - entry->updated) / MINUTE_US;
	if (entry->requests < 0)
		entry->requests = 0;
	entry->updated = now;
}

static bool user_may(struct usage *usage, const struct settings *settings, uid_t uid,
		     uint64_t now)
{
	struct usage_entry *entry = find_entry(usage, uid);

	if (usage->connections + KEPT_FOR_ROOT >= settings->connections)
		return false;
	if (!entry)
		entry = make_entry(usage, uid, now);
	if (!entry)
		return false;
	leak(entry, settings->requests_per_minute, now);
	if (entry->connections >= settings->connections_per_user ||
	    entry->requests + 1 > (double)settings->requests_per_minute)
		return false;
	entry->requests += 1;
	entry->connections++;
	return true;
}

bool usage_begin(struct usage *usage, const struct settings *settings, uid_t uid,
		 uint64_t now)
{
	if (usage->connections >= settings->connections)
		return false;
	if (uid != 0 && !user_may(usage, settings, uid, now))
		return false;
	usage->connections++;
	return true;
}

void usage_end(struct usage *usage, uid_t uid)
{
	struct usage_entry *entry = uid == 0 ? NULL : find_entry(usage, uid);

	usage->connections--;
	if (entry)
		entry->connections--;
}
