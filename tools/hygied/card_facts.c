/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a card, by its profile and by what its helper told; see card.h.
 */
#include "hygied/card_certificates.h"
#include "hygied/card_own.h"
#include "hygied/pin_form.h"

#include <errno.h>
#include <string.h>

enum card_state card_state(const struct card *card)
{
	return card->state;
}

const char *card_reader(const struct card *card)
{
	return card_has_reader(card) || !card->profile ? card->reader
						       : card->profile->uri;
}

bool card_has_reader(const struct card *card)
{
	return card->reader[0] != '\0';
}

bool card_is_exclusive(const struct card *card)
{
	return card->profile && card->profile->exclusive;
}

uint32_t card_token_flags(const struct card *card)
{
	return card->token.flags;
}

enum hygie_outcome card_problem(const struct card *card, const char **ret_detail)
{
	*ret_detail = card->detail;
	return card->problem;
}

const struct token_certificate *card_certificate(const struct card *card)
{
	return card->known ? card_certificates_choose(&card->token) : NULL;
}

const struct token_certificate *card_certificate_at(const struct card *card, size_t index)
{
	return card->known && index < card->token.count ? &card->token.certificates[index]
							: NULL;
}

bool card_has_key(const struct card *card, const uint8_t key_id[HYGIE_KEY_ID_SIZE],
		  struct card_mark *ret_mark)
{
	for (size_t i = 0; card->known && i < card->token.count; i++) {
		const struct certificate *one = card->token.certificates[i].certificate;

		if (memcmp(certificate_key_id(one), key_id, HYGIE_KEY_ID_SIZE) != 0)
			continue;
		memcpy(ret_mark->certificate, certificate_fingerprint(one),
		       sizeof(ret_mark->certificate));
		memcpy(ret_mark->serial, card->token.serial, sizeof(ret_mark->serial));
		return true;
	}
	return false;
}

int card_judge(const struct card *card, struct trust_verdict *ret_verdict)
{
	const struct token_certificate *entry = card_certificate(card);

	return entry ? card_certificate_judge(entry, card->environment, ret_verdict)
		     : -ENOENT;
}

bool card_pin_fits(const struct card *card, const struct secret *pin)
{
	return card->profile && pin_form_fits(card->profile, &card->token, pin);
}

bool card_puk_fits(const struct card *card, const struct secret *puk)
{
	struct pin_form form = { .min = 0 };

	if (!card->profile)
		return false;
	form = pin_form_of_puk(card->profile);
	return pin_form_is(&form, puk);
}

enum token_unblock card_unblock_way(const struct card *card)
{
	if (!card->profile)
		return 0;
	switch (card->profile->unblock) {
	case PROFILE_UNBLOCK_AUTO:
		return card->profile->driver[0] ? UNBLOCK_BY_SET_PIN : 0;
	case PROFILE_UNBLOCK_SET_PIN:
		return UNBLOCK_BY_SET_PIN;
	case PROFILE_UNBLOCK_OFFICER:
		return UNBLOCK_BY_OFFICER;
	case PROFILE_UNBLOCK_YKCS11:
		return UNBLOCK_BY_PREFIX;
	default:
		return 0;
	}
}

struct pin_form card_pin_form(const struct card *card)
{
	return card->profile ? pin_form_of_pin(card->profile, &card->token)
			     : (struct pin_form){ .min = 0 };
}
