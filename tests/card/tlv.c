/* SPDX-License-Identifier: Apache-2.0 */
/* BER-TLV, made and taken apart; see tlv.h. */
#include "card/tlv.h"

static void tlv_add_tag(struct bytes *out, unsigned tag)
{
	if (tag > 0xffff)
		bytes_add_u8(out, tag >> 16 & 0xff);
	if (tag > 0xff)
		bytes_add_u8(out, tag >> 8 & 0xff);
	bytes_add_u8(out, tag & 0xff);
}

static void tlv_add_length(struct bytes *out, size_t len)
{
	if (len > 0xffff) {
		bytes_add_u8(out, 0x83);
		bytes_add_u8(out, len >> 16 & 0xff);
		bytes_add_u16(out, len & 0xffff);
	} else if (len > 0xff) {
		bytes_add_u8(out, 0x82);
		bytes_add_u16(out, (unsigned)len);
	} else {
		if (len > 0x7f)
			bytes_add_u8(out, 0x81);
		bytes_add_u8(out, (unsigned)len);
	}
}

void tlv_add(struct bytes *out, unsigned tag, const void *value, size_t len)
{
	tlv_add_tag(out, tag);
	tlv_add_length(out, len);
	bytes_add(out, value, len);
}

static bool tlv_take_tag(const uint8_t **at, size_t *left, unsigned *ret_tag)
{
	unsigned tag;
	bool more;

	if (*left == 0)
		return false;
	tag = *(*at)++;
	--*left;
	for (more = (tag & 0x1f) == 0x1f; more; more = (tag & 0x80) != 0) {
		if (*left == 0 || tag > 0xffff)
			return false;
		tag = tag << 8 | *(*at)++;
		--*left;
	}
	*ret_tag = tag;
	return true;
}

static bool tlv_take_length(const uint8_t **at, size_t *left, size_t *ret_len)
{
	size_t len, octets;

	if (*left == 0)
		return false;
	len = *(*at)++;
	--*left;
	if (len > 0x7f) {
		octets = len & 0x7f;
		if (octets == 0 || octets > 3 || octets > *left)
			return false;
		*left -= octets;
		for (len = 0; octets; octets--)
			len = len << 8 | *(*at)++;
	}
	*ret_len = len;
	return len <= *left;
}

bool tlv_take(const uint8_t **at, size_t *left, struct tlv *ret_tlv)
{
	const uint8_t *p = *at;
	size_t n = *left, len;
	unsigned tag;

	if (!tlv_take_tag(&p, &n, &tag) || !tlv_take_length(&p, &n, &len))
		return false;
	*ret_tlv = (struct tlv){ .tag = tag, .value = p, .len = len };
	*at = p + len;
	*left = n - len;
	return true;
}

bool tlv_find(const uint8_t *data, size_t len, unsigned tag, struct tlv *ret_tlv)
{
	struct tlv tlv;

	while (tlv_take(&data, &len, &tlv)) {
		if (tlv.tag != tag)
			continue;
		*ret_tlv = tlv;
		return true;
	}
	return false;
}
