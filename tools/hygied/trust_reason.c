/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused certificate means to the person in front of the reader; declared in
 * trust.h.
 */
#include "hygied/trust.h"

#include "libhygie/text.h"

static const char *const texts[TRUST_REASON_COUNT] = {
	[TRUST_UNDECIDED] =
		N_("The card's certificate was not checked: try again, and tell your "
		   "administrator if it happens twice."),
	[TRUST_OK] = N_("The card's certificate is good for a login."),
	[TRUST_NO_ANCHOR] =
		N_("No certification authority is set up on this machine: your "
		   "administrator has to install the one that issues your cards."),
	[TRUST_UNKNOWN_ISSUER] =
		N_("This card comes from an authority that is not set up on this "
		   "machine: use another card, or ask your administrator to add it."),
	[TRUST_BAD_SIGNATURE] =
		N_("The card's certificate is not genuine: the authority it names "
		   "did not sign it. Keep the card and tell your administrator."),
	[TRUST_AMBIGUOUS_SCHEME] =
		N_("This card's authority is set up for two kinds of cards: your "
		   "administrator has to remove it from one of them."),
	[TRUST_EXPIRED] =
		N_("The card's certificate has expired: use your new card, or ask its "
		   "issuer for one."),
	[TRUST_NOT_YET_VALID] =
		N_("The card's certificate is not valid yet: check this machine's "
		   "date, or use your former card until it is."),
	[TRUST_CA_NOT_IN_DATE] =
		N_("The authority behind this card is out of date on this machine: "
		   "check the date, then ask your administrator to update it."),
	[TRUST_WEAK_KEY] = N_(
		"The card's key is too weak or of a kind that is not accepted: ask its "
		"issuer for a newer card."),
	[TRUST_WEAK_SIGNATURE] =
		N_("The card's certificate is signed with an outdated method (MD5 or "
		   "SHA-1): ask its issuer for a newer card."),
	[TRUST_KEY_USAGE] =
		N_("This key is for signing documents, not for logging in: your "
		   "administrator has to choose the card's authentication key."),
	[TRUST_EXTENDED_KEY_USAGE] =
		N_("The card's certificate is not meant for logging in: your "
		   "administrator has to choose its authentication key."),
	[TRUST_CARD_AUTH_KEY] =
		N_("This key belongs to the card or to a machine and needs no PIN: "
		   "insert the card and use the key that asks for the PIN."),
	[TRUST_IS_CA] = N_(
		"This certificate belongs to an authority, not to a person: use your own "
		"professional card."),
	[TRUST_BROKEN_CHAIN] =
		N_("The authority was not allowed to issue this certificate: do not "
		   "use the card, and tell your administrator."),
	[TRUST_CRITICAL_EXTENSION] =
		N_("The card's certificate demands something this version does "
		   "not understand: ask your administrator for an update."),
	[TRUST_TEST_CARD] = N_("This is a test card: use your real professional card."),
	[TRUST_ORGANISATION] =
		N_("This certificate belongs to an organisation: use your own "
		   "professional card."),
	[TRUST_SHARED_CARD] =
		N_("This card is shared and names no person: use your own professional "
		   "card."),
	[TRUST_PATIENT] = N_("This is a patient's card: use your own professional card."),
	[TRUST_UNREADABLE_IDENTITY] =
		N_("The card does not say properly who its holder is: use "
		   "another card, and tell your administrator."),
	[TRUST_MALFORMED] =
		N_("The card's certificate is damaged or badly made: use another card, "
		   "and tell your administrator."),
};

const char *trust_reason_text(enum trust_reason reason)
{
	size_t i = (size_t)reason;

	return i < array_size(texts) && texts[i] != NULL ? texts[i]
							 : texts[TRUST_UNDECIDED];
}
