/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of outcomes; see outcome.h. Exit statuses: 1 refused, 2 usage (given by the
 * command itself), 3 no or wrong card, 4 PIN, 5 not found, 6 not allowed, 7 service or
 * set-up, 8 given up.
 */
#include "libhygie/outcome.h"

#include "libhygie/attributes.h"

#include <security/_pam_types.h>

struct outcome_row {
	const char *name;
	const char *text;
	int pam_code;
	int exit_status;
};

static const struct outcome_row rows[HYGIE_OUTCOME_COUNT] = {
	[HYGIE_REFUSED] = { "refused", "Refused. Ask your administrator.", PAM_AUTH_ERR,
			    1 },
	[HYGIE_OK] = { "ok", "Done.", PAM_SUCCESS, 0 },
	[HYGIE_USER_UNKNOWN] = { "user-unknown",
				 "No card is enrolled for this user here. Ask your "
				 "administrator to enrol one (\"hygie enroll USER\").",
				 PAM_USER_UNKNOWN, 5 },
	[HYGIE_NO_CARD] = { "no-card",
			    "No card was inserted. Insert your card and try again.",
			    PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_NO_READER] = { "no-reader",
			      "No card reader is attached. Plug one in and try again.",
			      PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_UNREADABLE] = { "card-unreadable",
				    "The card cannot be read. Take it out, check that the chip "
				    "faces up and goes in first, and insert it again.",
				    PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_UNKNOWN] = { "card-unknown",
				 "This card is not enrolled on this workstation. Insert your "
				 "own, or ask your administrator to enrol it.",
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_OTHER_USER] = { "card-other-user",
				    "The card in the reader belongs to another user. Insert "
				    "your own card.",
				    PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_REVOKED] = { "card-revoked",
				 "This card was revoked here. Ask your administrator.",
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_UNTRUSTED] = { "card-untrusted",
				   "The card's certificate is not accepted here. Ask your "
				   "administrator.",
				   PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_REMOVED] = { "card-removed",
				 "The card was taken out. Insert it and start again.",
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_SILENT] = { "card-silent",
				"The card stopped answering. Take it out, insert it again and "
				"retry; if that fails, unplug the reader for a moment.",
				PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_BUSY] = { "card-busy",
			      "Another program is holding the card reader. Close it, or take "
			      "the card out and insert it again. No try was spent.",
			      PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_BROKEN] = { "card-broken",
				"The card or its driver failed. Insert the card again and "
				"retry.",
				PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_NOT_PROVEN] = { "card-not-proven",
				    "The card could not prove that it owns its certificate. It "
				    "is refused: tell your administrator.",
				    PAM_AUTH_ERR, 3 },
	[HYGIE_PIN_WRONG] = { "pin-wrong", "Wrong PIN.", PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_BLOCKED] = { "pin-blocked",
				"The card is blocked after too many wrong PINs. Unblock it with "
				"its unblocking code (PUK) or ask your administrator; then "
				"insert it again.",
				PAM_MAXTRIES, 4 },
	[HYGIE_PIN_MALFORMED] = { "pin-malformed",
				  "That cannot be this card's PIN (wrong length or characters). "
				  "It was not sent to the card: no try was spent.",
				  PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_LAST_TRY] = { "pin-last-try",
				 "One PIN try is left on the card. It is not risked here: log "
				 "in on a screen that can ask you first.",
				 PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_NOT_SET] = { "pin-not-set",
				"This card has no PIN yet. Set one with its issuer's tool "
				"before using it here.",
				PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_MUST_CHANGE] = { "pin-must-change",
				    "The card wants a new PIN before it can be used. Change "
				    "it with its issuer's tool.",
				    PAM_AUTH_ERR, 4 },
	[HYGIE_GAVE_UP] = { "gave-up", "Cancelled.", PAM_CONV_ERR, 8 },
	[HYGIE_TIMED_OUT] = { "timed-out", "No answer came in time. Start again.",
			      PAM_AUTHINFO_UNAVAIL, 8 },
	[HYGIE_NOT_ALLOWED] = { "not-allowed",
				"You are not allowed to ask that. Run it as root.",
				PAM_AUTH_ERR, 6 },
	[HYGIE_TOO_MANY] = { "too-many",
			     "Too many requests at once from this user. Wait a moment and try "
			     "again.",
			     PAM_AUTHINFO_UNAVAIL, 7 },
	[HYGIE_UNAVAILABLE] = { "unavailable",
				"The card service (hygied, or pcscd behind it) is not running. "
				"Ask your administrator to start hygied.",
				PAM_AUTHINFO_UNAVAIL, 7 },
	[HYGIE_BROKEN_SETUP] = { "broken-setup",
				 "The set-up of the card service has a mistake. Ask your "
				 "administrator to run \"hygie config check\".",
				 PAM_SYSTEM_ERR, 7 },
	[HYGIE_FAULT] = { "fault",
			  "The card service failed (see the journal of hygied). Try again.",
			  PAM_SYSTEM_ERR, 7 },
	[HYGIE_BAD_REQUEST] = { "bad-request",
				"The card service did not understand the request. Are all "
				"parts of Hygie of one version?",
				PAM_SYSTEM_ERR, 7 },
	[HYGIE_ALREADY_ENROLLED] = { "already-enrolled",
				     "This card belongs to another user. To give it to this "
				     "user instead, repeat with --reassign.",
				     PAM_AUTH_ERR, 5 },
	[HYGIE_NO_SUCH_USER] = { "no-such-user",
				 "There is no user of that name on this system. Check the "
				 "spelling, or make the account first.",
				 PAM_AUTH_ERR, 5 },
	[HYGIE_NOT_FOUND] = { "not-found", "No such enrolment.", PAM_USER_UNKNOWN, 5 },
};

static const struct outcome_row *row_of(enum hygie_outcome outcome)
{
	unsigned index = (unsigned)outcome;

	return &rows[index < HYGIE_OUTCOME_COUNT ? index : HYGIE_REFUSED];
}

const char *outcome_name(enum hygie_outcome outcome)
{
	return row_of(outcome)->name;
}

const char *outcome_text(enum hygie_outcome outcome)
{
	return row_of(outcome)->text;
}

int outcome_pam_code(enum hygie_outcome outcome)
{
	return row_of(outcome)->pam_code;
}

int outcome_exit_status(enum hygie_outcome outcome)
{
	return row_of(outcome)->exit_status;
}

enum hygie_outcome outcome_from_wire(unsigned value)
{
	return value < HYGIE_OUTCOME_COUNT ? (enum hygie_outcome)value : HYGIE_REFUSED;
}
