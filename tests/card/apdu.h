/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of commands and answers (ISO/IEC 7816-4): short and extended lengths,
 * commands that come in several parts (CLA bit 10), answers fetched in parts (61xx, GET
 * RESPONSE). Knows nothing of what a command means.
 */
#pragma once

#include "card/bytes.h"

#include <stdbool.h>

enum apdu_ins {
	INS_VERIFY = 0x20,
	INS_CHANGE_REFERENCE_DATA = 0x24,
	INS_RESET_RETRY_COUNTER = 0x2c,
	INS_GENERATE_ASYMMETRIC = 0x47,
	INS_GENERAL_AUTHENTICATE = 0x87,
	INS_SELECT = 0xa4,
	INS_GET_RESPONSE = 0xc0,
	INS_GET_DATA = 0xcb,
	INS_PUT_DATA = 0xdb,
	INS_YUBICO_METADATA = 0xf7,
	INS_YUBICO_SERIAL = 0xf8,
	INS_YUBICO_ATTEST = 0xf9,
	INS_YUBICO_VERSION = 0xfd,
};

enum apdu_sw {
	SW_OK = 0x9000,
	SW_MORE = 0x6100,
	SW_TRIES = 0x63c0,
	SW_WRONG_LENGTH = 0x6700,
	SW_SECURITY_STATUS = 0x6982,
	SW_BLOCKED = 0x6983,
	SW_CONDITIONS = 0x6985,
	SW_WRONG_DATA = 0x6a80,
	SW_NOT_FOUND = 0x6a82,
	SW_WRONG_P1P2 = 0x6a86,
	SW_REFERENCE = 0x6a88,
	SW_INS = 0x6d00,
	SW_CLA = 0x6e00,
	SW_FAILED = 0x6f00,
};

struct apdu {
	uint8_t cla;
	uint8_t ins;
	uint8_t p1;
	uint8_t p2;
	const uint8_t *data; /* points into what was parsed, or into the gathered chain */
	size_t lc;
	size_t le; /* bytes of answer the reader can take now; 0: it expects none */
};

/* The parts of a command gathered so far, and the rest of an answer not yet fetched. */
struct apdu_chain {
	struct bytes command;
	unsigned command_ins;
	bool gathering;
	struct bytes answer;
	size_t avoided; /* so many bytes of data are never sent in one part; 0: none */
};

/* Parses one command APDU, all of it. False where the lengths do not add up. */
bool apdu_parse(const uint8_t *raw, size_t len, struct apdu *ret_apdu);

/* The name of an instruction for people; never NULL. */
const char *apdu_ins_name(unsigned ins);

void apdu_chain_free(struct apdu_chain *chain);

/* Forgets both directions, as a reset does. */
void apdu_chain_reset(struct apdu_chain *chain);

/*
 * Gathers `apdu` into the chain. True if it completes a command: then `apdu` holds all of
 * the data, which stays in the chain until the next call. False if more parts are to
 * come.
 */
bool apdu_chain_gather(struct apdu_chain *chain, struct apdu *apdu);

/*
 * Makes the answer out of `data` and `sw`, as much of it as `le` allows; the rest stays
 * in the chain for GET RESPONSE and is announced by 61xx.
 */
void apdu_chain_answer(struct apdu_chain *chain, const uint8_t *data, size_t len,
		       unsigned sw, size_t le, struct bytes *ret_answer);

/* Answers GET RESPONSE from what is left. */
void apdu_chain_continue(struct apdu_chain *chain, size_t le, struct bytes *ret_answer);
