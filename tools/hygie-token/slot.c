/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing the slot; see slot.h. p11-kit serves for RFC 7512 alone: it loads no module
 * here.
 */
#include "hygie-token/slot.h"

#include <p11-kit/uri.h>
#include <string.h>

#define SLOTS_MAX 64
#define DESCRIPTION_SIZE 64
/* OpenSC ends what it had to cut in three dots; others just cut. */
#define CUT "..."
#define CUT_SIZE (DESCRIPTION_SIZE - (sizeof(CUT) - 1))

static void cleanup_uri_function(P11KitUri **uri)
{
	p11_kit_uri_free(*uri);
}

#define cleanup_uri cleanup_with(cleanup_uri_function)

static bool is_beginning_of(const unsigned char description[64], const char *reader)
{
	bool cut = memcmp(description + CUT_SIZE, CUT, sizeof(CUT) - 1) == 0;

	return memcmp(description, reader, cut ? CUT_SIZE : DESCRIPTION_SIZE) == 0;
}

bool slot_description_matches(const unsigned char description[64], const char *reader)
{
	size_t size = strnlen(reader, READER_NAME_MAX);
	size_t used = DESCRIPTION_SIZE;

	if (size == 0)
		return false;
	if (size >= DESCRIPTION_SIZE)
		return is_beginning_of(description, reader);
	while (used > 0 &&
	       (description[used - 1] == ' ' || description[used - 1] == '\0'))
		used--;
	return memmem(description, used, reader, size) != NULL;
}

/* Slots tell the beginning of a name, and a name in part: what fits two readers fits none.
 */
static bool reader_is_ambiguous(const struct start_order *order)
{
	if (order->driver[0] != '\0')
		return false; /* OpenSC ignores the others by their whole names */
	for (size_t i = 0; i < order->other_reader_count; i++) {
		const char *other = order->other_readers[i];

		if (strncmp(other, order->reader, CUT_SIZE) == 0 ||
		    strstr(other, order->reader))
			return true;
	}
	return false;
}

static bool slot_matches_reader(CK_FUNCTION_LIST *functions, CK_SLOT_ID slot,
				const char *reader)
{
	CK_SLOT_INFO info = { 0 };

	return functions->C_GetSlotInfo(slot, &info) == CKR_OK &&
	       (info.flags & CKF_TOKEN_PRESENT) &&
	       slot_description_matches(info.slotDescription, reader);
}

static bool slot_matches_uri(CK_FUNCTION_LIST *functions, CK_SLOT_ID slot, P11KitUri *uri)
{
	CK_SLOT_INFO slot_info = { 0 };
	CK_TOKEN_INFO token_info = { 0 };

	return functions->C_GetSlotInfo(slot, &slot_info) == CKR_OK &&
	       p11_kit_uri_match_slot_info(uri, &slot_info) &&
	       functions->C_GetTokenInfo(slot, &token_info) == CKR_OK &&
	       p11_kit_uri_match_token_info(uri, &token_info);
}

static enum hygie_outcome uri_parse(const char *text, P11KitUri **ret_uri,
				    struct failure *failure)
{
	cleanup_uri P11KitUri *uri = p11_kit_uri_new();
	int r;

	if (!uri)
		return failure_set(failure, HYGIE_FAULT, "token URI: no memory");
	r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_TOKEN, uri);
	if (r != P11_KIT_URI_OK)
		return failure_set(failure, HYGIE_BROKEN_SETUP, "token URI: %s",
				   p11_kit_uri_message(r));
	if (p11_kit_uri_any_unrecognized(uri))
		return failure_set(failure, HYGIE_BROKEN_SETUP,
				   "token URI: holds an attribute that is not known");
	*ret_uri = uri;
	uri = NULL;
	return HYGIE_OK;
}

static enum hygie_outcome slot_find_in(CK_FUNCTION_LIST *functions,
				       const struct start_order *order, P11KitUri *uri,
				       CK_SLOT_ID *ret_slot, struct failure *failure)
{
	CK_SLOT_ID slots[SLOTS_MAX] = { 0 };
	CK_ULONG count = SLOTS_MAX;
	CK_RV rv;

	rv = functions->C_GetSlotList(CK_TRUE, slots, &count);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_GetSlotList", rv);
	if (count > SLOTS_MAX)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "C_GetSlotList: more slots than there is room for");
	for (size_t i = 0; i < count; i++) {
		bool matches =
			uri ? slot_matches_uri(functions, slots[i], uri)
			    : slot_matches_reader(functions, slots[i], order->reader);

		if (matches) {
			*ret_slot = slots[i];
			return HYGIE_OK;
		}
	}
	return failure_set(failure, HYGIE_CARD_UNREADABLE,
			   "the module shows no token there (%lu slots with a token)",
			   count);
}

enum hygie_outcome slot_find(CK_FUNCTION_LIST *functions, const struct start_order *order,
			     CK_SLOT_ID *ret_slot, struct failure *failure)
{
	cleanup_uri P11KitUri *uri = NULL;
	enum hygie_outcome outcome;

	if (order->token_uri[0] != '\0') {
		outcome = uri_parse(order->token_uri, &uri, failure);
		if (outcome != HYGIE_OK)
			return outcome;
	} else if (reader_is_ambiguous(order)) {
		return failure_set(failure, HYGIE_CARD_UNREADABLE,
				   "another reader's name is like this one's");
	}
	return slot_find_in(functions, order, uri, ret_slot, failure);
}
