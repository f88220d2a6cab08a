/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outcomes: what a request came to, as a person would act on it. Faults of the machine
 * are negative errno and become HYGIE_FAULT or HYGIE_UNAVAILABLE at the edge. One table
 * gives each outcome its name, its sentence, its PAM code and its exit status.
 */
#pragma once

/*
 * The zero is refusal: cleared memory logs nobody in. Numbers go over the wire: append.
 */
enum hygie_outcome {
	HYGIE_REFUSED = 0,
	HYGIE_OK = 1,
	HYGIE_USER_UNKNOWN,    /* the user has no enrolled card */
	HYGIE_NO_CARD,         /* none came in time */
	HYGIE_NO_READER,       /* no reader is attached */
	HYGIE_CARD_UNREADABLE, /* no answer to reset, or nothing usable on it */
	HYGIE_CARD_UNKNOWN,    /* not enrolled to anybody */
	HYGIE_CARD_OTHER_USER, /* enrolled, to somebody else */
	HYGIE_CARD_REVOKED,    /* its enrolment was revoked */
	HYGIE_CARD_UNTRUSTED,  /* its certificate does not stand */
	HYGIE_CARD_REMOVED,    /* pulled out meanwhile */
	HYGIE_CARD_SILENT,     /* card, reader or module did not answer in time */
	HYGIE_CARD_BUSY,       /* another program holds the reader */
	HYGIE_CARD_BROKEN,     /* card or module failed or died */
	HYGIE_CARD_NOT_PROVEN, /* the signature does not belong to the certificate */
	HYGIE_PIN_WRONG,
	HYGIE_PIN_BLOCKED,
	HYGIE_PIN_MALFORMED,    /* cannot be this card's PIN; was not sent to it */
	HYGIE_PIN_LAST_TRY,     /* not risked where nobody can be asked */
	HYGIE_PIN_NOT_SET,      /* the token has no user PIN yet */
	HYGIE_PIN_MUST_CHANGE,  /* the token wants a new PIN first */
	HYGIE_GAVE_UP,          /* the person cancelled, or the conversation failed */
	HYGIE_TIMED_OUT,        /* nobody answered the prompt */
	HYGIE_NOT_ALLOWED,      /* this peer may not ask that */
	HYGIE_TOO_MANY,         /* a limit per user was reached */
	HYGIE_UNAVAILABLE,      /* hygied or pcscd is not there */
	HYGIE_BROKEN_SETUP,     /* configuration, registry or CA folder is unusable */
	HYGIE_FAULT,            /* no memory, or another fault of the machine or ours */
	HYGIE_BAD_REQUEST,      /* malformed, or not allowed at this point */
	HYGIE_ALREADY_ENROLLED, /* the card belongs to another user already */
	HYGIE_NOT_FOUND,        /* no such enrolment, user or card */
	HYGIE_NO_SUCH_USER,     /* the system knows no user of that name */
	HYGIE_PUK_WRONG,
	HYGIE_PUK_BLOCKED,
	HYGIE_PUK_MALFORMED,   /* cannot be this card's PUK; was not sent to it */
	HYGIE_PINS_DIFFER,     /* the new PIN was typed in two ways */
	HYGIE_PIN_NEW_UNFIT,   /* cannot be a new PIN; was not sent to the card */
	HYGIE_PIN_NEW_REFUSED, /* the card did not take the new PIN */
	HYGIE_PIN_FIXED,       /* the driver cannot change or unblock it */
	HYGIE_OUTCOME_COUNT
};

/* A stable word for logs and JSON ("pin-wrong"); "refused" for a number out of range. */
const char *outcome_name(enum hygie_outcome outcome);

/* One English sentence: what is wrong and what to do next. Under 300 bytes. */
const char *outcome_text(enum hygie_outcome outcome);

/*
 * The code that pam_sm_authenticate answers (design: never SUCCESS or IGNORE on an
 * error).
 */
int outcome_pam_code(enum hygie_outcome outcome);

/* The exit status of the hygie command; 0 for HYGIE_OK alone. */
int outcome_exit_status(enum hygie_outcome outcome);

/* A number from the wire as an outcome; what is not known becomes HYGIE_REFUSED. */
enum hygie_outcome outcome_from_wire(unsigned value);
