/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT, GET DATA and the dispatch of commands; see card.h. */
#include "card/card.h"

#include "card/card_pin.h"
#include "card/card_sign.h"
#include "card/tlv.h"

#include <string.h>

/* vpcd's frames hold no more, status word included. */
#define FRAME_MAX 0xffff

static const uint8_t other_aid[] = { 0xa0, 0, 0, 0, 0x01, 0x02, 0x03 };

const char *applet_name(enum applet applet)
{
	static const char *const names[] = {
		[APPLET_NONE] = "none",
		[APPLET_PIV] = "piv",
		[APPLET_OTHER] = "other",
	};

	return names[applet];
}

void card_free(struct card *card)
{
	piv_data_free(&card->data);
	bytes_free(&card->recorded);
	apdu_chain_free(&card->chain);
}

void card_take_data(struct card *card, struct piv_data *data)
{
	piv_data_free(&card->data);
	card->data = *data;
	*data = (struct piv_data){ 0 };
	card->tries = card->data.tries;
	card->puk_tries = card->data.tries;
	card->verified = false;
	card->fresh = false;
}

void card_reset(struct card *card)
{
	card->selected = APPLET_NONE;
	card->verified = false;
	card->fresh = false;
	apdu_chain_reset(&card->chain);
}

void card_reset_counts(struct card *card)
{
	card->verifies = 0;
	card->empty_verifies = 0;
	card->misdirected = 0;
	card->signatures = 0;
}

/* An application is selected by its AID or by the AID's beginning, registered part at
 * least. */
static enum applet card_applet_named(const struct apdu *apdu)
{
	if (apdu->lc >= 5 && apdu->lc <= sizeof(piv_aid) &&
	    !memcmp(apdu->data, piv_aid, apdu->lc))
		return APPLET_PIV;
	if (apdu->lc == sizeof(other_aid) && !memcmp(apdu->data, other_aid, apdu->lc))
		return APPLET_OTHER;
	return APPLET_NONE;
}

/* An unknown AID leaves the selection and the security status alone (part 2, 3.1.1). */
static unsigned card_select(struct card *card, const struct apdu *apdu,
			    struct bytes *ret_data)
{
	enum applet applet = card_applet_named(apdu);

	if (apdu->p1 != 0x04)
		return SW_WRONG_P1P2;
	if (applet == APPLET_NONE)
		return SW_NOT_FOUND;
	if (applet != card->selected || card->reselect_drops_pin) {
		card->verified = false;
		card->fresh = false;
	}
	card->selected = applet;
	if (applet == APPLET_PIV)
		piv_data_template(ret_data);
	return SW_OK;
}

static unsigned card_get_data(struct card *card, const struct apdu *apdu,
			      struct bytes *ret_data)
{
	struct tlv list;
	unsigned tag = 0;

	if (apdu->p1 != 0x3f || apdu->p2 != 0xff)
		return SW_WRONG_P1P2;
	if (!tlv_find(apdu->data, apdu->lc, 0x5c, &list) || list.len == 0 || list.len > 3)
		return SW_WRONG_DATA;
	for (size_t i = 0; i < list.len; i++)
		tag = tag << 8 | list.value[i];
	return piv_data_object(&card->data, tag, ret_data) ? SW_OK : SW_NOT_FOUND;
}

/* Writing and generating need the card management key, which nobody has. */
static unsigned card_manage(struct card *card, const struct apdu *apdu,
			    struct bytes *ret_data)
{
	(void)card;
	(void)apdu;
	(void)ret_data;
	return SW_SECURITY_STATUS;
}

static unsigned card_version(struct card *card, const struct apdu *apdu,
			     struct bytes *ret_data)
{
	(void)apdu;
	if (!card->yubico)
		return SW_INS;
	/* Before 5.3, whose tools would ask for metadata that this card does not keep. */
	bytes_add(ret_data, "\x05\x02\x04", 3);
	return SW_OK;
}

static unsigned card_serial(struct card *card, const struct apdu *apdu,
			    struct bytes *ret_data)
{
	(void)apdu;
	if (!card->yubico)
		return SW_INS;
	/* Four bytes of the GUID, positive as a serial number is. */
	bytes_add_u8(ret_data, card->data.guid[0] & 0x0f);
	bytes_add(ret_data, card->data.guid + 1, 3);
	return SW_OK;
}

static unsigned card_dispatch(struct card *card, const struct apdu *apdu,
			      struct bytes *ret_data)
{
	static const struct {
		unsigned ins;
		unsigned (*perform)(struct card *card, const struct apdu *apdu,
				    struct bytes *ret_data);
	} commands[] = {
		{ INS_VERIFY, card_verify },
		{ INS_CHANGE_REFERENCE_DATA, card_change_reference_data },
		{ INS_RESET_RETRY_COUNTER, card_reset_retry_counter },
		{ INS_GENERATE_ASYMMETRIC, card_manage },
		{ INS_PUT_DATA, card_manage },
		{ INS_GENERAL_AUTHENTICATE, card_general_authenticate },
		{ INS_GET_DATA, card_get_data },
		{ INS_YUBICO_SERIAL, card_serial },
		{ INS_YUBICO_VERSION, card_version },
	};

	if (apdu->ins == INS_SELECT)
		return card_select(card, apdu, ret_data);
	if (card->selected != APPLET_PIV)
		return SW_INS;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].ins == apdu->ins)
			return commands[i].perform(card, apdu, ret_data);
	return SW_INS;
}

static void card_count_verify(struct card *card, const struct apdu *apdu)
{
	if (apdu->ins != INS_VERIFY)
		return;
	if (apdu->lc == 0) {
		card->empty_verifies++;
		return;
	}
	card->verifies++;
	if (card->selected != APPLET_PIV)
		card->misdirected++;
}

static void card_perform(struct card *card, const struct apdu *apdu,
			 struct bytes *ret_answer)
{
	cleanup_bytes struct bytes data = { 0 };
	bool was_fresh = card->fresh;
	size_t le = apdu->le;
	unsigned sw;

	card_count_verify(card, apdu);
	sw = card_dispatch(card, apdu, &data);
	if (card->pin_always == PIN_ALWAYS_STRICT && was_fresh && apdu->ins != INS_VERIFY)
		card->fresh = false;
	if (le > FRAME_MAX - 2)
		le = FRAME_MAX - 2;
	/* A YubiKey sends its data to commands without Le too, and its tools count on it.
	 */
	if (le == 0 && card->yubico)
		le = 256;
	apdu_chain_answer(&card->chain, data.data, data.len, sw, le, ret_answer);
}

void card_command(struct card *card, const uint8_t *raw, size_t len,
		  struct bytes *ret_answer)
{
	struct apdu apdu;

	if (!apdu_parse(raw, len, &apdu)) {
		bytes_add_u16(ret_answer, SW_WRONG_LENGTH);
		return;
	}
	if (apdu.cla & 0xef) {
		bytes_add_u16(ret_answer, SW_CLA);
		return;
	}
	if (apdu.ins == INS_GET_RESPONSE) {
		apdu_chain_continue(&card->chain, apdu.le, ret_answer);
		return;
	}
	if (!apdu_chain_gather(&card->chain, &apdu)) {
		bytes_add_u16(ret_answer, SW_OK);
		return;
	}
	card_perform(card, &apdu, ret_answer);
}
