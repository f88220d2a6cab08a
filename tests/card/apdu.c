/* SPDX-License-Identifier: Apache-2.0 */
/* Commands taken apart, answers cut into parts; see apdu.h. */
#include "card/apdu.h"

/* Behind the header: nothing, Le, Lc data, or Lc data Le, each of one byte. */
static bool apdu_parse_short(const uint8_t *body, size_t len, struct apdu *apdu)
{
	size_t lc = body[0];

	if (len == 1) {
		apdu->le = lc ? lc : 256;
		return true;
	}
	if (lc == 0 || (len != 1 + lc && len != 2 + lc))
		return false;
	apdu->data = body + 1;
	apdu->lc = lc;
	if (len == 2 + lc)
		apdu->le = body[1 + lc] ? body[1 + lc] : 256;
	return true;
}

static size_t apdu_le_extended(const uint8_t *two)
{
	size_t le = (size_t)two[0] << 8 | two[1];

	return le ? le : 65536;
}

/* The same four cases with a zero byte in front and lengths of two bytes. */
static bool apdu_parse_extended(const uint8_t *body, size_t len, struct apdu *apdu)
{
	size_t lc = (size_t)body[1] << 8 | body[2];

	if (len == 3) {
		apdu->le = apdu_le_extended(body + 1);
		return true;
	}
	if (lc == 0 || (len != 3 + lc && len != 5 + lc))
		return false;
	apdu->data = body + 3;
	apdu->lc = lc;
	if (len == 5 + lc)
		apdu->le = apdu_le_extended(body + 3 + lc);
	return true;
}

bool apdu_parse(const uint8_t *raw, size_t len, struct apdu *ret_apdu)
{
	struct apdu apdu = { 0 };

	if (len < 4)
		return false;
	apdu.cla = raw[0];
	apdu.ins = raw[1];
	apdu.p1 = raw[2];
	apdu.p2 = raw[3];
	if (len >= 7 && raw[4] == 0) {
		if (!apdu_parse_extended(raw + 4, len - 4, &apdu))
			return false;
	} else if (len > 4 && !apdu_parse_short(raw + 4, len - 4, &apdu)) {
		return false;
	}
	*ret_apdu = apdu;
	return true;
}

const char *apdu_ins_name(unsigned ins)
{
	static const struct {
		unsigned ins;
		const char *name;
	} names[] = {
		{ INS_VERIFY, "VERIFY" },
		{ INS_CHANGE_REFERENCE_DATA, "CHANGE-REFERENCE-DATA" },
		{ INS_RESET_RETRY_COUNTER, "RESET-RETRY-COUNTER" },
		{ INS_GENERATE_ASYMMETRIC, "GENERATE-ASYMMETRIC" },
		{ INS_GENERAL_AUTHENTICATE, "GENERAL-AUTHENTICATE" },
		{ INS_SELECT, "SELECT" },
		{ INS_GET_RESPONSE, "GET-RESPONSE" },
		{ INS_GET_DATA, "GET-DATA" },
		{ INS_PUT_DATA, "PUT-DATA" },
		{ INS_YUBICO_METADATA, "YUBICO-METADATA" },
		{ INS_YUBICO_SERIAL, "YUBICO-SERIAL" },
		{ INS_YUBICO_ATTEST, "YUBICO-ATTEST" },
		{ INS_YUBICO_VERSION, "YUBICO-VERSION" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].ins == ins)
			return names[i].name;
	return "UNKNOWN";
}

void apdu_chain_free(struct apdu_chain *chain)
{
	bytes_free(&chain->command);
	bytes_free(&chain->answer);
}

void apdu_chain_reset(struct apdu_chain *chain)
{
	bytes_clear(&chain->command);
	bytes_clear(&chain->answer);
	chain->gathering = false;
}

bool apdu_chain_gather(struct apdu_chain *chain, struct apdu *apdu)
{
	/* A command of another kind between the parts ends the chain without effect. */
	if (!chain->gathering || chain->command_ins != apdu->ins) {
		bytes_clear(&chain->command);
		chain->gathering = false;
	}
	if (apdu->cla & 0x10) {
		bytes_add(&chain->command, apdu->data, apdu->lc);
		chain->command_ins = apdu->ins;
		chain->gathering = true;
		return false;
	}
	if (chain->gathering) {
		bytes_add(&chain->command, apdu->data, apdu->lc);
		apdu->data = chain->command.data;
		apdu->lc = chain->command.len;
		chain->gathering = false;
	}
	return true;
}

static void apdu_add_more(struct bytes *answer, size_t left)
{
	bytes_add_u16(answer, SW_MORE | (left > 255 ? 0 : (unsigned)left));
}

/* How much of an answer of `len` bytes is sent at once. */
static size_t apdu_part(const struct apdu_chain *chain, size_t len, size_t le)
{
	size_t part = le < len ? le : len;

	return part && part == chain->avoided ? part - 1 : part;
}

void apdu_chain_answer(struct apdu_chain *chain, const uint8_t *data, size_t len,
		       unsigned sw, size_t le, struct bytes *ret_answer)
{
	le = apdu_part(chain, len, le);
	bytes_clear(&chain->answer);
	if (len <= le) {
		bytes_add(ret_answer, data, len);
		bytes_add_u16(ret_answer, sw);
		return;
	}
	bytes_add(ret_answer, data, le);
	bytes_add(&chain->answer, data + le, len - le);
	apdu_add_more(ret_answer, chain->answer.len);
}

void apdu_chain_continue(struct apdu_chain *chain, size_t le, struct bytes *ret_answer)
{
	size_t part = apdu_part(chain, chain->answer.len, le);

	if (chain->answer.len == 0) {
		bytes_add_u16(ret_answer, SW_CONDITIONS);
		return;
	}
	bytes_add(ret_answer, chain->answer.data, part);
	bytes_drop(&chain->answer, part);
	if (chain->answer.len)
		apdu_add_more(ret_answer, chain->answer.len);
	else
		bytes_add_u16(ret_answer, SW_OK);
}
