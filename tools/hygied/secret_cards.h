/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cards that a user's login secret is sealed to: those that the registry has as active
 * and with a key that opens stores. Nothing else says who: an envelope for others is
 * sealed anew at the next opening.
 */
#pragma once

#include "hygied/certificate.h"
#include "hygied/envelope.h"
#include "hygied/registry.h"

#define SECRET_CARDS_MAX 32 /* of one user */

struct secret_card {
	uint8_t card[HYGIE_KEY_ID_SIZE]; /* of the authentication key's SPKI */
	struct certificate *certificate; /* of the key for stores */
	enum envelope_wrap wrap;         /* recorded at enrolment */
};

struct secret_cards {
	size_t count;
	struct secret_card card[SECRET_CARDS_MAX];
};

/*
 * Reads them from the registry; two cards with one key count once. 0, and the caller frees
 * them; -E2BIG; -EBADMSG for a certificate that is not its key's; errors of the registry.
 */
int secret_cards_read(struct registry *registry, const char *user,
		      struct secret_cards **ret_cards) must_check;

/* Takes NULL. */
void secret_cards_free(struct secret_cards *cards);
define_cleanup(cleanup_secret_cards_function, struct secret_cards, secret_cards_free)
#define cleanup_secret_cards cleanup_with(cleanup_secret_cards_function)

	/* The one with that key for stores, or NULL. Borrowed. */
	const struct secret_card *secret_cards_find(
		const struct secret_cards *cards,
		const uint8_t store_key_id[HYGIE_KEY_ID_SIZE]);

/* Whether the card is among the envelope's recipients, in the way that was recorded. */
bool secret_card_is_in(const struct secret_card *card, const struct envelope *envelope);

/* Whether the envelope is for these cards, all of them and no other. */
bool secret_cards_fit(const struct secret_cards *cards, const struct envelope *envelope);

/*
 * Seals `secret` of `user` to them. 0 with the DER, which the caller gives to
 * OPENSSL_free; errors as envelope_seal: -EINVAL, too, when there is no card.
 */
int secret_cards_seal(const struct secret_cards *cards, const char *user,
		      uint64_t generation, const struct secret *secret, uint8_t **ret_der,
		      size_t *ret_size) must_check;
