/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service's auth stack means for people: whether a card opens the door, whether a
 * password does, for whom the card is not asked. Found by supposing what each module
 * answers and running the stack; modules that are not known are supposed to say nothing.
 */
#pragma once

#include "pam_person.h"
#include "pam_stack.h"

enum pam_door_card {
	PAM_CARD_NO,       /* a card opens nothing */
	PAM_CARD_OPTIONAL, /* opens; so does the holder's password */
	PAM_CARD_REQUIRED, /* opens; the holder's password does not */
	PAM_CARD_BOTH,     /* only card and password together open */
};

enum pam_door_password {
	PAM_PASSWORD_NO,
	PAM_PASSWORD_CARDLESS, /* of people who have no card */
	PAM_PASSWORD_YES,
	PAM_PASSWORD_NEEDLESS, /* opens with nothing at all */
};

#define PAM_EXEMPT_MAX 8

struct pam_door {
	enum pam_door_card card;
	enum pam_door_password password;
	bool asked;          /* the stack comes to pam_hygie for somebody */
	bool used;           /* there is a line of pam_hygie in it */
	bool password_first; /* a cardholder's password is asked before the card */
	/* A required card is not asked of these: "root", "@GROUP"; malloc'ed. */
	char *exempt[PAM_EXEMPT_MAX];
	size_t exempt_count;
	/*
	 * What would take a login secret (PAM_AUTHTOK after a right card) for the password,
	 * and so refuse who has one. Borrowed from the stack; NULL: nothing.
	 */
	const struct pam_line *takes_secret;
	bool *reached; /* one for each line: somebody comes there; malloc'ed */
};

/* Judges the auth stack of a service. 0 or -ENOMEM. */
int pam_door_judge(const struct pam_stack *stack, const char *service,
		   struct pam_door *ret_door) must_check;
void pam_door_free(struct pam_door *door);
#define cleanup_pam_door cleanup_with(pam_door_free)

/* "no", "optional", "required", "with-password"; "no", "no-card", "yes", "needless". */
const char *pam_door_card_name(enum pam_door_card card);
const char *pam_door_password_name(enum pam_door_password password);
