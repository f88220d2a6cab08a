/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of outcomes; see outcome.h. Exit statuses: 1 refused, 2 usage (given by the
 * command itself), 3 no or wrong card, 4 PIN, 5 not found, 6 not allowed, 7 service or
 * set-up, 8 given up.
 */
#include "libhygie/outcome.h"

#include "libhygie/attributes.h"
#include "libhygie/text.h"

#include <security/_pam_types.h>

struct outcome_row {
	const char *name;
	const char *text;
	int pam_code;
	int exit_status;
};

static const struct outcome_row rows[HYGIE_OUTCOME_COUNT] = {
	[HYGIE_REFUSED] = { "refused", N_("Refused. Ask your administrator."),
			    PAM_AUTH_ERR, 1 },
	[HYGIE_OK] = { "ok", N_("Done."), PAM_SUCCESS, 0 },
	[HYGIE_USER_UNKNOWN] = { "user-unknown",
				 N_("No card is enrolled for this user here. Ask your "
				    "administrator to enrol one with the command hygie enroll."),
				 PAM_USER_UNKNOWN, 5 },
	[HYGIE_NO_CARD] = { "no-card",
			    N_("No card was inserted. Insert your card and try again."),
			    PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_NO_READER] = { "no-reader",
			      N_("No card reader is attached. Plug one in and try again."),
			      PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_UNREADABLE] = { "card-unreadable",
				    N_("The card cannot be read. Take it out, check that the chip "
				       "faces up and goes in first, and insert it again."),
				    PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_UNKNOWN] = { "card-unknown",
				 N_("This card is not enrolled on this workstation. Insert "
				    "your own, or ask your administrator to enrol it."),
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_OTHER_USER] = { "card-other-user",
				    N_("The card in the reader belongs to another user. Insert "
				       "your own card."),
				    PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_REVOKED] = { "card-revoked",
				 N_("This card was revoked on this workstation. Use another "
				    "card, or ask your administrator."),
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_UNTRUSTED] = { "card-untrusted",
				   N_("The card's certificate is not accepted here. Ask your "
				      "administrator."),
				   PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_REMOVED] = { "card-removed",
				 N_("The card was taken out. Insert it and start again."),
				 PAM_AUTH_ERR, 3 },
	[HYGIE_CARD_SILENT] = { "card-silent",
				N_("The card stopped answering. Take it out, insert it again "
				   "and retry; if that fails, unplug the reader for a moment."),
				PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_BUSY] = { "card-busy",
			      N_("Another program is holding the card reader. Close it, or "
				 "take the card out and insert it again. No PIN try was "
				 "spent."),
			      PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_BROKEN] = { "card-broken",
				N_("The card or its driver failed. Insert the card again and "
				   "retry."),
				PAM_AUTHINFO_UNAVAIL, 3 },
	[HYGIE_CARD_NOT_PROVEN] = { "card-not-proven",
				    N_("The card could not prove that it owns its certificate. It "
				       "is refused: tell your administrator."),
				    PAM_AUTH_ERR, 3 },
	[HYGIE_PIN_WRONG] = { "pin-wrong",
			      N_("Wrong PIN. Try again, and type it with care: after a few "
				 "wrong PINs the card is blocked."),
			      PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_BLOCKED] = { "pin-blocked",
				N_("The card is blocked after too many wrong PINs. Unblock it "
				   "with \"hygie pin unblock\" and the unblocking code (PUK) "
				   "from the letter that came with the card, or ask your "
				   "administrator. Then insert it again."),
				PAM_MAXTRIES, 4 },
	[HYGIE_PIN_MALFORMED] = { "pin-malformed",
				  N_("That cannot be this card's PIN: its length or its "
				     "characters are wrong. It was not sent to the card, so no "
				     "try was spent."),
				  PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_LAST_TRY] = { "pin-last-try",
				 N_("One PIN try is left on the card. It is not risked here: "
				    "log in on a screen that can ask you first."),
				 PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_NOT_SET] = { "pin-not-set",
				N_("This card has no PIN yet. Set one with its issuer's tool "
				   "before using it here."),
				PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_MUST_CHANGE] = { "pin-must-change",
				    N_("The card wants a new PIN before it can be used. Change it "
				       "with \"hygie pin change\"."),
				    PAM_AUTH_ERR, 4 },
	[HYGIE_GAVE_UP] = { "gave-up", N_("Cancelled."), PAM_CONV_ERR, 8 },
	[HYGIE_TIMED_OUT] = { "timed-out", N_("No answer came in time. Start again."),
			      PAM_AUTHINFO_UNAVAIL, 8 },
	[HYGIE_NOT_ALLOWED] = { "not-allowed",
				N_("You are not allowed to ask that. Run it as root."),
				PAM_AUTH_ERR, 6 },
	[HYGIE_TOO_MANY] = { "too-many",
			     N_("Too many requests at once from this user. Wait a moment "
				"and try again."),
			     PAM_AUTHINFO_UNAVAIL, 7 },
	[HYGIE_UNAVAILABLE] = { "unavailable",
				N_("The card service is not running. Ask your administrator "
				   "to start hygied and pcscd."),
				PAM_AUTHINFO_UNAVAIL, 7 },
	[HYGIE_BROKEN_SETUP] = { "broken-setup",
				 N_("The set-up of the card service has a mistake. Ask your "
				    "administrator to run \"hygie config check\"."),
				 PAM_SYSTEM_ERR, 7 },
	[HYGIE_FAULT] = { "fault",
			  N_("The card service failed. Try again; the journal of hygied "
			     "says more."),
			  PAM_SYSTEM_ERR, 7 },
	[HYGIE_BAD_REQUEST] = { "bad-request",
				N_("The card service did not understand the request. Are all "
				   "parts of Hygie of one version?"),
				PAM_SYSTEM_ERR, 7 },
	[HYGIE_ALREADY_ENROLLED] = { "already-enrolled",
				     N_("This card belongs to another user. To give it to this "
					"user instead, repeat with --reassign."),
				     PAM_AUTH_ERR, 5 },
	[HYGIE_NO_SUCH_USER] = { "no-such-user",
				 N_("There is no user of that name on this system. Check the "
				    "spelling, or make the account first."),
				 PAM_AUTH_ERR, 5 },
	[HYGIE_NOT_FOUND] = { "not-found",
			      N_("There is no such enrolment. \"hygie cards\" shows those "
				 "that there are."),
			      PAM_USER_UNKNOWN, 5 },
	[HYGIE_PUK_WRONG] = { "puk-wrong",
			      N_("Wrong PUK (unblocking code). The card counts these too, and is "
				 "lost when none is left. Look it up in the letter that came with "
				 "the card before you try again."),
			      PAM_AUTH_ERR, 4 },
	[HYGIE_PUK_BLOCKED] = { "puk-blocked",
				N_("The card took too many wrong PUKs (unblocking codes) and cannot "
				   "be unblocked any more. Ask its issuer for a new card."),
				PAM_MAXTRIES, 4 },
	[HYGIE_PUK_MALFORMED] = { "puk-malformed",
				  N_("That cannot be this card's PUK (wrong length or characters). "
				     "It was not sent to the card: no try was spent."),
				  PAM_AUTH_ERR, 4 },
	[HYGIE_PINS_DIFFER] = { "pins-differ",
				N_("The new PIN was not typed the same way twice. Nothing was sent "
				   "to the card: start again."),
				PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_NEW_UNFIT] = { "pin-new-unfit",
				  N_("That cannot be the new PIN: wrong length or characters, or "
				     "the old one again. Nothing was sent to the card: start again "
				     "with another."),
				  PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_NEW_REFUSED] = { "pin-new-refused",
				    N_("The card did not take the new PIN (too simple, or one that "
				       "it had before?). Nothing was changed: start again with "
				       "another."),
				    PAM_AUTH_ERR, 4 },
	[HYGIE_PIN_FIXED] = { "pin-fixed",
			      N_("The card's driver cannot do that. Change or unblock the PIN with "
				 "its issuer's tool."),
			      PAM_AUTH_ERR, 4 },
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
