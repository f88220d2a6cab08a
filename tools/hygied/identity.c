/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of identity schemes and the rules that hold for all of them; declared in
 * identity.h. What a national card looks like is in identity_*.c.
 */
#include "hygied/identity.h"

#include "hygied/identity_schemes.h"
#include "libhygie/printable.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static const struct identity_scheme schemes[] = {
	{ "us-piv", identity_read_us_piv },
	{ "fr-igc-sante", identity_read_fr_igc_sante },
};

#define USE_YOUR_OWN ": use your own professional card."

static const char *const holder_refusals[] = {
	[IDENTITY_HOLDER_UNKNOWN] = "The certificate does not say who holds the card.",
	[IDENTITY_HOLDER_PERSON] = "",
	[IDENTITY_HOLDER_ORGANISATION] =
		"This certificate is an organisation's" USE_YOUR_OWN,
	[IDENTITY_HOLDER_SHARED] = "This card is shared and names no person" USE_YOUR_OWN,
	[IDENTITY_HOLDER_PATIENT] = "This is a patient's card" USE_YOUR_OWN,
	[IDENTITY_HOLDER_DEVICE] =
		"This key is the card's own or a machine's: use the one with a PIN.",
};

const struct identity_scheme *identity_scheme_at(size_t i)
{
	return i < array_size(schemes) ? &schemes[i] : NULL;
}

const struct identity_scheme *identity_scheme_by_name(const char *name)
{
	for (size_t i = 0; i < array_size(schemes); i++)
		if (strcmp(schemes[i].name, name) == 0)
			return &schemes[i];
	return NULL;
}

/* "CAMILLE SPECIMEN", or the identifier where the scheme has no names. */
static void display_name_fill(struct identity *identity)
{
	char text[2 * IDENTITY_NAME_SIZE];

	if (identity->surname[0] != '\0')
		(void)snprintf(text, sizeof(text), "%s%s%s", identity->given,
			       identity->given[0] != '\0' ? " " : "", identity->surname);
	else
		(void)snprintf(text, sizeof(text), "%s", identity->person_id);
	(void)printable_copy(identity->display_name, sizeof(identity->display_name), text,
			     strlen(text));
}

int identity_inspect(const struct identity_scheme *scheme, const struct certificate *c,
		     struct identity *ret_identity, char *reason, size_t reason_size)
{
	struct identity identity = {
		.scheme = scheme,
		.card_type = -1,
		.profession = IDENTITY_PROFESSION_UNKNOWN,
	};
	int r = scheme->read(c, &identity, reason, reason_size);

	ERR_clear_error();
	if (r < 0)
		return r;
	identity.is_person = identity.holder == IDENTITY_HOLDER_PERSON;
	if (identity.is_person &&
	    (identity.person_id[0] == '\0' || identity.id_type[0] == '\0')) {
		(void)snprintf(reason, reason_size, "%s",
			       holder_refusals[IDENTITY_HOLDER_UNKNOWN]);
		return -EBADMSG;
	}
	if (identity.display_name[0] == '\0')
		display_name_fill(&identity);
	*ret_identity = identity;
	return 0;
}

int identity_read(const struct identity_scheme *scheme, const struct certificate *c,
		  struct identity *ret_identity, char *reason, size_t reason_size)
{
	struct identity identity;
	int r = identity_inspect(scheme, c, &identity, reason, reason_size);

	if (r < 0)
		return r;
	if (!identity.is_person) {
		(void)snprintf(reason, reason_size, "%s",
			       holder_refusals[identity.holder]);
		return -EBADMSG;
	}
	*ret_identity = identity;
	return 0;
}
