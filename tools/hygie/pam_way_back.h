/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who could still get in by password where a card is required of everybody else.
 */
#pragma once

#include <stdbool.h>

#define PAM_EXEMPT_GROUP "hygie-exempt"

struct pam_way_back {
	bool known;        /* passwords could be looked at: that is root's */
	bool group;        /* the group exists */
	bool root;         /* root has a password */
	char member[64];   /* of the group, with a password; "" when there is none */
	bool passwordless; /* the group has members, none with a password */
};

/* Looks at the accounts of this machine. */
void pam_way_back_find(struct pam_way_back *ret_way);

/* Whether there is one at all. */
bool pam_way_back_exists(const struct pam_way_back *way);

/* What is missing and what to do about it. */
const char *pam_way_back_advice(const struct pam_way_back *way);
