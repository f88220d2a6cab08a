/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of sentences and its rendering; see text.h.
 */
#include "libhygie/text.h"

#include "libhygie/attributes.h"

#include <string.h>

static const char *const templates[TEXT_COUNT] = {
	[TEXT_NONE] = "",
	[TEXT_INSERT_CARD] = N_("Insert your card."),
	[TEXT_INSERT_CARD_OF] = N_("Insert the card of {1}."),
	[TEXT_READING_CARD] = N_("Reading the card."),
	[TEXT_PIN_PROMPT] = N_("PIN of {1}: "),
	[TEXT_PIN_PROMPT_LAST] = N_("Last try. PIN of {1}, or nothing to stop: "),
	[TEXT_PIN_PAD] = N_("{1}: type your PIN on the reader's keys."),
	[TEXT_PIN_LOW] = N_("A wrong PIN was typed before. Few tries are left."),
	[TEXT_PIN_LAST] = N_("One try is left: a wrong PIN now blocks the card."),
	[TEXT_WHOSE_CARD] = N_("Cards of {1} are in. User name: "),
	[TEXT_ENROL_CARD] = N_("Card of {1} ({2}), issued by {3}, for user {4}."),
	[TEXT_TEST_CARD] = N_(
		"This is a test card. This workstation is set up to accept test cards."),
	[TEXT_CERTIFICATE_ENDS] =
		N_("The card's certificate ends on {1}. Ask for a new card."),
	[TEXT_WAITING_TURN] = N_("Waiting for the card. Another login is using it."),
	[TEXT_PIN_OR_PASSWORD] = N_("PIN of {1}, or password: "),
	[TEXT_CARD_OR_PASSWORD] =
		N_("Insert the card of {1} and press Enter, or type the password: "),
	[TEXT_CARDS_REVOKED] = N_("{1} cards were revoked."),
	[TEXT_PIN_CURRENT] = N_("Current PIN of {1}: "),
	[TEXT_PIN_CURRENT_LAST] =
		N_("Last try. Current PIN of {1}, or nothing to stop: "),
	[TEXT_PUK_PROMPT] = N_("PUK (unblocking code) of {1}: "),
	[TEXT_PIN_NEW] = N_("New PIN of {1}: "),
	[TEXT_PIN_NEW_AGAIN] = N_("New PIN of {1} again: "),
	[TEXT_PIN_CARD] = N_("Card of {1} in {2}."),
	[TEXT_PIN_NEW_DIGITS] = N_("A new PIN has {1} digits."),
	[TEXT_PIN_NEW_LETTERS] = N_("A new PIN has {1} letters and digits."),
	[TEXT_PIN_NEW_ANY] = N_("A new PIN has {1} characters."),
	[TEXT_PINS_DIFFER] = N_("The two differ. Once more:"),
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): it is one sentence */
	[TEXT_PIN_NEW_UNFIT] = N_(
		"That cannot be the new PIN: wrong length or characters, or the old one "
		"again. Once more:"),
	[TEXT_PIN_PAD_CHANGE] = N_(
		"{1}: type on the reader's keys what it asks for: your PIN, then the new "
		"one, twice."),
	[TEXT_PIN_PAD_UNBLOCK] = N_(
		"{1}: type on the reader's keys what it asks for: the PUK, then the new "
		"PIN, twice."),
	[TEXT_PIN_CHANGED] = N_("The PIN is changed."),
	[TEXT_PIN_UNBLOCKED] = N_("The card is unblocked. The new PIN holds."),
	[TEXT_PIN_UNCERTAIN] = N_(
		"The card did not say whether it took the new PIN. Insert it again: the "
		"old PIN holds, or the new one."),
	[TEXT_SESSIONS_LOCKED] = N_("{1} sessions were told to lock."),
	[TEXT_OTHER_CARD] = N_(
		"The card in the reader is not {1}'s. Insert the right card, or switch "
		"user to work with this one."),
	[TEXT_PIN_PROMPT_LOW] = N_("Few tries are left. PIN of {1}: "),
	[TEXT_PIN_PROMPT_WRONG] = N_("Wrong PIN. Once more, PIN of {1}: "),
	[TEXT_PIN_PROMPT_UNFIT] =
		N_("That cannot be the PIN, and no try was spent. PIN of {1}: "),
	[TEXT_NO_STORE_KEY] =
		N_("The card has no key that opens record stores. Logging in works all "
		   "the same."),
	[TEXT_STORE_LEFT_OUT] =
		N_("A record store was left out, so that the login did not wait for it. "
		   "Open it with \"hygie store open\"."),
	[TEXT_STORE_UNKNOWN] =
		N_("There is no store {1}. \"hygie store list\" shows which there are."),
	[TEXT_STORE_BROKEN] = N_("The store cannot be used: {1}"),
	[TEXT_STORE_NO_KEY] = N_(
		"{1} has no enrolled card with a key that opens record stores. Enrol one "
		"(\"hygie enroll\"); \"hygie cards\" shows which cards have such a key."),
	[TEXT_STORE_ADDED] = N_(
		"The right of {1} is pending: it begins when a holder who may grant opens "
		"the store next."),
	[TEXT_STORE_NO_HOLDER] = N_("{1} is no holder of this store."),
	[TEXT_STORE_LEAVING] = N_(
		"From now on the store is not opened for {1}. Until a holder who may grant "
		"opens it next, the envelope still has that card: who can copy the "
		"store's files could open them with it."),
	[TEXT_STORE_ROTATES] =
		N_("The store {1} gets a new envelope when a holder who may "
		   "grant opens it next."),
	[TEXT_STORE_FIRST_GROUP] = N_(
		"Type the first four characters of the passphrase, to show that the page "
		"is printed or noted: "),
	[TEXT_STORE_OTHER_GROUP] = N_("That is not what stands there. Once more:"),
	[TEXT_STORE_CREATED] = N_("The store is made. It will be seen in {1}."),
	[TEXT_STORE_PASSPHRASE] = N_("Recovery passphrase of the store {1}: "),
	[TEXT_STORE_MISTYPED] = N_("That is mistyped: a character is wrong, or two have "
				   "changed places. Once more:"),
	[TEXT_STORE_RECOVERED] = N_("Done. Rights granted: {1}. Rights taken away: {2}."),
	[TEXT_STORE_CARD_LEAVES] =
		N_("The store {1} is not opened for that card any more. Until a holder "
		   "who may grant opens it next, who can copy the store's files could "
		   "still open them with the card."),
	[TEXT_STORE_IMPORTED] = N_(
		"The store is imported. It will be seen in {1}. \"hygie store check\" says whether its holders' cards are enrolled here."),
	[TEXT_STORE_CARD_STAYS] =
		N_("The card's right in the store {1} could not be taken away. The "
		   "journal says why; mend that, then run \"hygie store remove\"."),
	[TEXT_SECRET_SHUT] = N_(
		"Your login secret was not opened, so what it locks (a keyring, say) may "
		"stay locked. The journal says why; \"hygie secret list\" shows which "
		"cards open it."),
	[TEXT_SECRET_NAME] = N_(
		"{1} can have no login secret: that takes a name of at most 64 letters, "
		"digits, dots, hyphens and underscores, the first neither dot nor hyphen."),
	[TEXT_SECRET_IS_ENABLED] =
		N_("{1} has a login secret already. \"hygie secret enable --new\" makes "
		   "another one in its place."),
	[TEXT_SECRET_MADE] = N_(
		"{1} has a login secret: a login by card hands it to the keyring. One that is "
		"there has its own password still: \"hygie secret keyring\" changes it over."),
	[TEXT_SECRET_BACK] = N_(
		"{1} has the login secret back that was put aside. What it locks opens "
		"with the next login by card."),
	[TEXT_SECRET_RENEWED] = N_(
		"{1} has another login secret. What the old one locks opens by the old one "
		"alone, until it is changed over: \"hygie secret keyring\" asks for it. The "
		"old envelope is kept as USER.old (hygie-secret(1))."),
	[TEXT_SECRET_OTHER_CARDS] = N_(
		"The login secret of {1} that was put aside opens with none of the cards "
		"that are enrolled now. \"hygie secret enable --new\" makes another "
		"one."),
	[TEXT_SECRET_NONE] =
		N_("{1} has no login secret. \"hygie secret list\" shows who has one."),
	[TEXT_SECRET_ASIDE] = N_(
		"The login secret of {1} is put aside; what it locks asks for it. To give the "
		"keyring another password: \"hygie secret enable\" takes the secret back, then "
		"the user runs \"hygie secret keyring --back\"."),
	[TEXT_SECRET_NEXT] = N_(
		"The login secret of {1} opens with this card as well after the next login by "
		"a card that opens it now."),
	[TEXT_SECRET_BROKEN] = N_("The login secret cannot be used: {1}"),
	[TEXT_STORE_IN_WORK] =
		N_("The store {1} is being reencrypted by another run. Wait for its end, "
		   "or stop it (Ctrl-C): what it has copied stays."),
	[TEXT_STORE_COPY] = N_("Now the records of the store {1} are copied."),
	[TEXT_STORE_CLEAR] = N_("Now a copy of the store {1} is removed."),
	[TEXT_STORE_REENCRYPTED] =
		N_("Done: the store {1} has a new secret and master key. The old copy is "
		   "kept, and a leaver's key opens it: see that all is well, then run "
		   "this command with --discard-old."),
	[TEXT_STORE_STAYS_SHUT] =
		N_("The store {1} is being reencrypted by an administrator. You are let "
		   "in without it; \"hygie store open\" opens it when that is done."),
	[TEXT_STORE_IS_OPEN] =
		N_("The store is open, for {1}. Close it (\"hygie store close\"), then "
		   "try again."),
	[TEXT_STORE_RIGHT_LET_GO] = N_(
		"The right of {1} is not taken over: it was only pending, and the store's "
		"envelope is not for that card. Give it anew: hygie store add"),
	[TEXT_STORE_KEY_LET_GO] = N_(
		"The new recovery key is not taken over: it was only pending. The old page "
		"holds; destroy the new one. Make another: hygie store recovery {1}"),
	[TEXT_STORE_CARD_OPENS] = N_(
		"By this PIN the store {1} is opened for the administrator, who has all "
		"its records encrypted anew."),
	[TEXT_STORE_SEAL_LET_GO] = N_(
		"That a new envelope was wanted is not taken over. Ask for it again: hygie "
		"store rotate {1}"),
};

const char *text_template(enum hygie_text text)
{
	unsigned index = (unsigned)text;

	return index < TEXT_COUNT ? templates[index] : "";
}

/* The argument that `at` names ({1}..{9}), or NULL when it is no placeholder. */
static const char *placeholder(const char *at, const char *const arguments[],
			       size_t count)
{
	size_t number;

	if (at[0] != '{' || at[1] < '1' || at[1] > '9' || at[2] != '}')
		return NULL;
	number = (size_t)(at[1] - '1');
	return number < count && arguments[number] ? arguments[number] : "?";
}

/* Cuts back to the edge of a UTF-8 character. */
static size_t character_edge(const char *text, size_t size)
{
	while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
		size--;
	return size;
}

/* Bytes of the character at `at`: itself and what continues it. */
static size_t character_size(const char *at)
{
	size_t size = 1;

	while (((unsigned char)at[size] & 0xC0) == 0x80)
		size++;
	return size;
}

void text_render(const char *template, const char *const arguments[], size_t count,
		 char *ret_text, size_t size)
{
	size_t used = 0;

	for (const char *at = template; *at && used + 1 < size;) {
		const char *argument = placeholder(at, arguments, count);
		const char *piece = argument ? argument : at;
		size_t length = argument ? strlen(argument) : character_size(at);
		size_t room = size - 1 - used;
		size_t taken = length > room ? character_edge(piece, room) : length;

		memcpy(ret_text + used, piece, taken);
		used += taken;
		if (taken < length)
			break;
		at += argument ? 3 : length;
	}
	if (size > 0)
		ret_text[used] = '\0';
}
