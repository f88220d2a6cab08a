/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry in a throw-away folder, and enrolments to put into it.
 */
#pragma once

#include "unit/scratch.h"

#include "hygied/registry.h"

static char reason[512]; /* what registry_open() said */

static inline const char *registry_path(void **state)
{
	return scratch_path(state, "registry.db");
}

static inline struct registry *open_new(void **state)
{
	struct registry *registry = NULL;
	int r = registry_open(registry_path(state), &registry, reason, sizeof(reason));

	if (r != 0)
		fail_msg("registry_open: %d: %s", r, reason);
	return registry;
}

static inline void assert_open_fails(void **state, int fault, const char *told)
{
	struct registry *registry = NULL;

	reason[0] = '\0';
	assert_int_equal(
		registry_open(registry_path(state), &registry, reason, sizeof(reason)),
		fault);
	assert_null(registry);
	assert_contains(reason, told);
}

/* A whole enrolment, all of whose parts are told by `number` and `user`. */
static inline struct enrolment make(const char *user, uint8_t number)
{
	struct enrolment e = { .has_store_key = number % 2 == 0,
			       .scheme = "fr-igc-sante",
			       .not_before = 1000 + number,
			       .not_after = 2000 + number,
			       .certificate_size = 1500u + number,
			       .state = ENROLMENT_ACTIVE,
			       .enrolled_by = "root",
			       .enrolled_at = 5000 + number };

	(void)snprintf(e.user, sizeof(e.user), "%s", user);
	(void)snprintf(e.person_id, sizeof(e.person_id), "89970%02u", number);
	(void)snprintf(e.holder, sizeof(e.holder), "Zoé SPECIMEN %u", number);
	memset(e.key_id, number, sizeof(e.key_id));
	if (e.has_store_key) {
		memset(e.store_key_id, 0x80 | number, sizeof(e.store_key_id));
		e.store_wrap = ENVELOPE_WRAP_EC;
		e.store_certificate_size = 900u + number;
		memset(e.store_certificate, ~number & 0xff, e.store_certificate_size);
	}
	memset(e.issuer_key_id, 0x40 | number, sizeof(e.issuer_key_id));
	memset(e.certificate, number, e.certificate_size);
	return e;
}

static inline void assert_same(const struct enrolment *a, const struct enrolment *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static inline void assert_owner(struct registry *registry, uint8_t number,
				const char *user)
{
	struct enrolment wanted = make(user, number), e;

	assert_int_equal(registry_find_card(registry, wanted.key_id, &e), 0);
	assert_same(&e, &wanted);
}

struct listing {
	char users[256];
	size_t count;
	size_t stop_after;
};

static inline int list_note(void *context, const struct enrolment *e)
{
	struct listing *listing = context;

	strcat(listing->users, e->user);
	strcat(listing->users, " ");
	listing->count++;
	return listing->count == listing->stop_after ? 77 : 0;
}

static inline int state_of(struct registry *registry, const char *user)
{
	enum enrolment_state state;

	assert_int_equal(registry_user_state(registry, user, &state), 0);
	return (int)state;
}
