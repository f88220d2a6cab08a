/* SPDX-License-Identifier: Apache-2.0 */
/* The use of private keys; see card_sign.h. */
#include "card/card_sign.h"

#include "card/piv_key.h"
#include "card/tlv.h"

#include <string.h>

/* 9E is free, 9A and 9D want the PIN once, 9C wants it before each use. */
static bool card_may_use(const struct card *card, unsigned reference)
{
	switch (reference) {
	case 0x9e:
		return true;
	case 0x9c:
		return card->verified && card->fresh;
	default:
		return card->verified;
	}
}

/*
 * Signs or deciphers a block. For SIG_OTHER its last byte is changed first: that is the
 * end of a PKCS #1 block's hash and of an ECDSA digest, so the signature is a good one.
 */
static bool card_sign_block(const struct card *card, EVP_PKEY *key,
			    const struct tlv *block, struct bytes *ret_result)
{
	cleanup_bytes struct bytes input = { 0 };

	bytes_add(&input, block->value, block->len);
	if (card->sig_mode == SIG_OTHER && input.len)
		input.data[input.len - 1] ^= 1;
	if (piv_key_sign(key, input.data, input.len, ret_result) < 0)
		return false;
	if (card->sig_mode == SIG_EMPTY)
		bytes_clear(ret_result);
	if (card->sig_mode == SIG_SHORT)
		ret_result->len /= 2;
	if (card->sig_mode == SIG_ZERO)
		memset(ret_result->data, 0, ret_result->len);
	return true;
}

/* The template holds an empty response (82) and either a challenge (81) or a point (85).
 */
static unsigned card_use_key(const struct card *card, EVP_PKEY *key,
			     const struct apdu *apdu, struct bytes *ret_data)
{
	cleanup_bytes struct bytes result = { 0 }, response = { 0 };
	struct tlv template, part;
	bool done = false;

	if (!tlv_find(apdu->data, apdu->lc, 0x7c, &template))
		return SW_WRONG_DATA;
	if (tlv_find(template.value, template.len, 0x81, &part))
		done = card_sign_block(card, key, &part, &result);
	else if (tlv_find(template.value, template.len, 0x85, &part))
		done = piv_key_agree(key, part.value, part.len, &result) == 0;
	if (!done)
		return SW_WRONG_DATA;
	tlv_add(&response, 0x82, result.data, result.len);
	tlv_add(ret_data, 0x7c, response.data, response.len);
	return SW_OK;
}

unsigned card_general_authenticate(struct card *card, const struct apdu *apdu,
				   struct bytes *ret_data)
{
	struct piv_slot *slot = piv_data_slot(&card->data, apdu->p2);
	unsigned sw;

	if (!slot || !slot->key || piv_key_algorithm(slot->key) != apdu->p1)
		return SW_WRONG_P1P2;
	if (!card_may_use(card, slot->reference))
		return SW_SECURITY_STATUS;
	if (card->replay && card->recorded.len) {
		bytes_add(ret_data, card->recorded.data, card->recorded.len);
		return SW_OK;
	}
	sw = card_use_key(card, slot->key, apdu, ret_data);
	card->fresh = false;
	if (sw != SW_OK)
		return sw;
	card->signatures++;
	bytes_clear(&card->recorded);
	bytes_add(&card->recorded, ret_data->data, ret_data->len);
	return SW_OK;
}
