/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored on the card, read from a directory, and the data objects that GET DATA
 * makes of it (SP 800-73-4 part 1). A key and its certificate need not match: a clone is
 * made so. Holds test PINs in the clear; it is no model for handling a person's.
 *
 * The directory: SLOT.key (PEM) and SLOT.crt (PEM, or any bytes, which are then presented
 * as they are), SLOT being 9a, 9c, 9d, 9e. Each is optional, as are: `pin`, `puk` (at
 * most 8 characters), `tries`, `guid` (32 hexadecimal digits; otherwise made from the
 * certificates), and TAG.obj, for instance 5fc102.obj: what GET DATA of that tag answers,
 * byte for byte.
 */
#pragma once

#include "card/bytes.h"

#include <openssl/evp.h>
#include <stdbool.h>

#define PIV_PIN_LEN 8 /* of the padded value */
#define PIV_SLOTS 4

struct piv_slot {
	unsigned reference; /* 9A, 9C, 9D, 9E */
	unsigned tag;       /* of its certificate object */
	EVP_PKEY *key;      /* NULL: no key */
	struct bytes cert;  /* DER; empty: no certificate */
};

struct piv_data {
	char *dir;
	struct piv_slot slots[PIV_SLOTS];
	uint8_t guid[16];
	uint8_t pin[PIV_PIN_LEN]; /* padded with FF */
	uint8_t puk[PIV_PIN_LEN];
	unsigned tries; /* a full counter */
	bool gzip;      /* certificates are presented compressed */
};

/* What holds where the directory says nothing. */
struct piv_defaults {
	const char *pin;
	const char *puk;
	const char *guid; /* NULL: made from the certificates */
	unsigned tries;
	bool gzip;
};

/* Loads the directory. 0 or negative errno; `ret_data` must be zeroed or freed before. */
int piv_data_load(const char *dir, const struct piv_defaults *defaults,
		  struct piv_data *ret_data);
void piv_data_free(struct piv_data *data);

/* NULL if the card has no such key reference. */
struct piv_slot *piv_data_slot(struct piv_data *data, unsigned reference);

/* Reads a certificate into `slot` in place of the one there. 0 or negative errno. */
int piv_slot_load_cert(struct piv_slot *slot, const char *path);
int piv_slot_load_key(struct piv_slot *slot, const char *path);

/* Pads `pin` with FF. False if it is longer than 8 bytes. */
bool piv_pin_pad(const char *pin, uint8_t ret_padded[PIV_PIN_LEN]);

/* Appends the object of that tag. False if the card has none. */
bool piv_data_object(struct piv_data *data, unsigned tag, struct bytes *ret_object);

/* Appends the application property template, the answer to SELECT (part 2, 3.1.1). */
void piv_data_template(struct bytes *ret_object);

extern const uint8_t piv_aid[11];
