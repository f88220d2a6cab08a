/* SPDX-License-Identifier: Apache-2.0 */
/* VERIFY and its relatives; see card_pin.h. */
#include "card/card_pin.h"

#include <string.h>

enum {
	REFERENCE_PIN = 0x80,
	REFERENCE_PUK = 0x81,
};

static void card_unverify(struct card *card)
{
	card->verified = false;
	card->fresh = false;
}

static unsigned card_pin_state(const struct card *card)
{
	if (card->tries == 0)
		return SW_BLOCKED;
	return card->verified ? (unsigned)SW_OK : SW_TRIES | card->tries;
}

/* Compares `given` with `wanted`, spends a try of `tries` if it is wrong. */
static unsigned card_check(const uint8_t *given, const uint8_t *wanted, unsigned *tries,
			   unsigned full)
{
	if (*tries == 0)
		return SW_BLOCKED;
	if (memcmp(given, wanted, PIV_PIN_LEN) != 0) {
		--*tries;
		return SW_TRIES | *tries;
	}
	*tries = full;
	return SW_OK;
}

unsigned card_verify(struct card *card, const struct apdu *apdu, struct bytes *ret_data)
{
	unsigned sw;

	(void)ret_data;
	if (apdu->p2 != REFERENCE_PIN)
		return SW_REFERENCE;
	if (apdu->p1 == 0xff && apdu->lc == 0) {
		card_unverify(card);
		return SW_OK;
	}
	if (apdu->p1 != 0)
		return SW_WRONG_P1P2;
	if (apdu->lc == 0)
		return card_pin_state(card);
	if (apdu->lc != PIV_PIN_LEN)
		return SW_WRONG_DATA;
	sw = card_check(apdu->data, card->data.pin, &card->tries, card->data.tries);
	card->verified = sw == SW_OK;
	card->fresh = card->verified;
	return sw;
}

unsigned card_change_reference_data(struct card *card, const struct apdu *apdu,
				    struct bytes *ret_data)
{
	bool puk = apdu->p2 == REFERENCE_PUK;
	uint8_t *value = puk ? card->data.puk : card->data.pin;
	unsigned *tries = puk ? &card->puk_tries : &card->tries;
	unsigned sw;

	(void)ret_data;
	if (apdu->p1 != 0)
		return SW_WRONG_P1P2;
	if (apdu->p2 != REFERENCE_PIN && !puk)
		return SW_REFERENCE;
	if (apdu->lc != 2 * PIV_PIN_LEN)
		return SW_WRONG_DATA;
	sw = card_check(apdu->data, value, tries, card->data.tries);
	if (sw == SW_OK && card->refuse_new)
		return card->refuse_new;
	if (sw == SW_OK)
		memcpy(value, apdu->data + PIV_PIN_LEN, PIV_PIN_LEN);
	if (!puk) {
		card->verified = sw == SW_OK;
		card->fresh = card->verified;
	}
	return sw;
}

unsigned card_reset_retry_counter(struct card *card, const struct apdu *apdu,
				  struct bytes *ret_data)
{
	unsigned sw;

	(void)ret_data;
	if (apdu->p1 != 0)
		return SW_WRONG_P1P2;
	if (apdu->p2 != REFERENCE_PIN)
		return SW_REFERENCE;
	if (apdu->lc != 2 * PIV_PIN_LEN)
		return SW_WRONG_DATA;
	sw = card_check(apdu->data, card->data.puk, &card->puk_tries, card->data.tries);
	if (sw == SW_OK && card->refuse_new)
		sw = card->refuse_new;
	if (sw != SW_OK)
		return sw;
	memcpy(card->data.pin, apdu->data + PIV_PIN_LEN, PIV_PIN_LEN);
	card->tries = card->data.tries;
	card_unverify(card);
	return SW_OK;
}
