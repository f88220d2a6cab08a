/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the cards that are in can serve a request, and if none, what to tell the
 * person.
 */
#pragma once

#include "hygied/hygied.h"

/* Whom the card is for. */
struct wanted {
	const char *user;   /* "": whoever the card says */
	const char *reader; /* "": any */
	bool enrolment;     /* a card to enrol: it need not be enrolled yet */
	bool any;           /* whatever can be read, be it nobody's or not trusted */
};

#define CANDIDATES_MAX 8

struct candidates {
	size_t count;
	struct card *card[CANDIDATES_MAX];
	char user[CANDIDATES_MAX]
		 [HYGIE_USER_MAX];         /* whose; "" for an enrolment, or any */
	bool reading;                      /* a card is being read: wait for it */
	enum hygie_outcome problem;        /* HYGIE_OK: nothing stands against any card */
	char problem_text[HYGIE_TEXT_MAX]; /* "": the outcome's own */
};

/* Looks at all cards. A fault of the registry is a negative errno: refuse. */
int candidates_find(struct hygied *hygied, const struct wanted *wanted,
		    struct candidates *ret_candidates) must_check;

/*
 * Whether scheme, person and issuing CA are the enrolled ones: the key alone is not
 * enough.
 */
bool enrolment_names(const struct enrolment *enrolment,
		     const struct token_certificate *entry);
