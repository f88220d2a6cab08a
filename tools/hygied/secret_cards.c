/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a login secret is for; see secret_cards.h.
 */
#include "hygied/secret_cards.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

const struct secret_card *secret_cards_find(const struct secret_cards *cards,
					    const uint8_t store_key_id[HYGIE_KEY_ID_SIZE])
{
	for (size_t i = 0; i < cards->count; i++)
		if (memcmp(certificate_key_id(cards->card[i].certificate), store_key_id,
			   HYGIE_KEY_ID_SIZE) == 0)
			return &cards->card[i];
	return NULL;
}

static int card_take(void *context, const struct enrolment *enrolment)
{
	struct secret_cards *cards = context;
	struct secret_card *card = &cards->card[cards->count];
	int r;

	if (enrolment->state != ENROLMENT_ACTIVE || !enrolment->has_store_key ||
	    secret_cards_find(cards, enrolment->store_key_id))
		return 0;
	if (cards->count == SECRET_CARDS_MAX)
		return -E2BIG;
	r = certificate_parse(enrolment->store_certificate,
			      enrolment->store_certificate_size, &card->certificate);
	if (r < 0)
		return r;
	cards->count++;
	memcpy(card->card, enrolment->key_id, sizeof(card->card));
	card->wrap = enrolment->store_wrap;
	return memcmp(certificate_key_id(card->certificate), enrolment->store_key_id,
		      HYGIE_KEY_ID_SIZE) == 0
		       ? 0
		       : -EBADMSG;
}

int secret_cards_read(struct registry *registry, const char *user,
		      struct secret_cards **ret_cards)
{
	cleanup_secret_cards struct secret_cards *cards = calloc(1, sizeof(*cards));
	int r;

	if (!cards)
		return -ENOMEM;
	r = registry_list_user(registry, user, card_take, cards);
	if (r < 0)
		return r;
	*ret_cards = cards;
	cards = NULL;
	return 0;
}

void secret_cards_free(struct secret_cards *cards)
{
	if (!cards)
		return;
	for (size_t i = 0; i < cards->count; i++)
		certificate_free(cards->card[i].certificate);
	free(cards);
}

bool secret_card_is_in(const struct secret_card *card, const struct envelope *envelope)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate_x509(card->certificate));
	struct envelope_task task;

	return envelope_find_key(envelope, key, card->wrap, &task) == 0;
}

bool secret_cards_fit(const struct secret_cards *cards, const struct envelope *envelope)
{
	if (envelope_recipient_count(envelope) != cards->count)
		return false;
	for (size_t i = 0; i < cards->count; i++)
		if (!secret_card_is_in(&cards->card[i], envelope))
			return false;
	return true;
}

int secret_cards_seal(const struct secret_cards *cards, const char *user,
		      uint64_t generation, const struct secret *secret, uint8_t **ret_der,
		      size_t *ret_size)
{
	const struct envelope_store sealed_for = { user, generation, ENVELOPE_OF_USER };
	struct envelope_recipient recipients[SECRET_CARDS_MAX];

	for (size_t i = 0; i < cards->count; i++)
		recipients[i] = (struct envelope_recipient){
			X509_get0_pubkey(certificate_x509(cards->card[i].certificate)),
			cards->card[i].wrap,
		};
	return envelope_seal(secret, &sealed_for, recipients, cards->count, ret_der,
			     ret_size);
}
