/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supposed person at a supposed door: whether the conditions of pam_succeed_if.so hold
 * for them.
 */
#pragma once

#include <stdbool.h>

/* Root, a member of one group, or (neither) an ordinary cardholder. */
struct pam_person {
	bool root;
	const char *group; /* NULL: of none that matters */
};

/*
 * Whether all conditions in a pam_succeed_if line's arguments hold. What it does not know
 * (a file, another field) does not hold.
 */
bool pam_person_passes(const struct pam_person *person, const char *service,
		       const char *arguments);

/*
 * The group of "user ingroup GROUP" in the arguments, malloc'ed, or NULL: whom a line may
 * be meant for.
 */
char *pam_condition_group(const char *arguments);
