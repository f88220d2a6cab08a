/* SPDX-License-Identifier: Apache-2.0 */
/* The card's content and its data objects; see piv_data.h. */
#include "card/piv_data.h"

#include "card/piv_key.h"
#include "card/tlv.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const uint8_t piv_aid[11] = { 0xa0, 0, 0, 0x03, 0x08, 0, 0, 0x10, 0, 0x01, 0 };

static const struct {
	unsigned reference;
	unsigned tag;
	const char *name;
} slot_table[PIV_SLOTS] = {
	{ 0x9a, 0x5fc105, "9a" },
	{ 0x9c, 0x5fc10a, "9c" },
	{ 0x9d, 0x5fc10b, "9d" },
	{ 0x9e, 0x5fc101, "9e" },
};

struct piv_slot *piv_data_slot(struct piv_data *data, unsigned reference)
{
	for (size_t i = 0; i < PIV_SLOTS; i++)
		if (data->slots[i].reference == reference)
			return &data->slots[i];
	return NULL;
}

bool piv_pin_pad(const char *pin, uint8_t ret_padded[PIV_PIN_LEN])
{
	size_t len = strlen(pin);

	if (len > PIV_PIN_LEN)
		return false;
	memset(ret_padded, 0xff, PIV_PIN_LEN);
	memcpy(ret_padded, pin, len);
	return true;
}

/* PEM becomes DER; anything else is kept as it is: a hostile card may present any bytes.
 */
int piv_slot_load_cert(struct piv_slot *slot, const char *path)
{
	cleanup_bytes struct bytes file = { 0 };
	unsigned char *der = NULL;
	char *name = NULL, *header = NULL;
	long der_len = 0;
	BIO *bio;
	int r = bytes_read_file(path, &file);

	if (r < 0)
		return r;
	bytes_clear(&slot->cert);
	bio = BIO_new_mem_buf(file.data, (int)file.len);
	if (bio && PEM_read_bio(bio, &name, &header, &der, &der_len) > 0)
		bytes_add(&slot->cert, der, (size_t)der_len);
	else
		bytes_add(&slot->cert, file.data, file.len);
	ERR_clear_error();
	BIO_free(bio);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	return 0;
}

int piv_slot_load_key(struct piv_slot *slot, const char *path)
{
	EVP_PKEY *key;
	int r = piv_key_load(path, &key);

	if (r < 0)
		return r;
	EVP_PKEY_free(slot->key);
	slot->key = key;
	return 0;
}

static int piv_data_load_slots(struct piv_data *data)
{
	char path[PATH_MAX];
	int r;

	for (size_t i = 0; i < PIV_SLOTS; i++) {
		struct piv_slot *slot = &data->slots[i];

		slot->reference = slot_table[i].reference;
		slot->tag = slot_table[i].tag;
		snprintf(path, sizeof(path), "%s/%s.key", data->dir, slot_table[i].name);
		r = piv_slot_load_key(slot, path);
		if (r < 0 && r != -ENOENT)
			return r;
		snprintf(path, sizeof(path), "%s/%s.crt", data->dir, slot_table[i].name);
		r = piv_slot_load_cert(slot, path);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* The file's first line, or `otherwise` where there is no such file. Never too long. */
static int piv_data_setting(const struct piv_data *data, const char *name,
			    const char *otherwise, char *ret_value, size_t size)
{
	cleanup_bytes struct bytes file = { 0 };
	char path[PATH_MAX];
	size_t len;
	int r;

	snprintf(path, sizeof(path), "%s/%s", data->dir, name);
	r = bytes_read_file(path, &file);
	if (r == -ENOENT)
		bytes_add(&file, otherwise, strlen(otherwise));
	else if (r < 0)
		return r;
	bytes_add_u8(&file, 0);
	len = strcspn((char *)file.data, "\r\n");
	if (len >= size)
		return -EINVAL;
	memcpy(ret_value, file.data, len);
	ret_value[len] = 0;
	return 0;
}

static int piv_data_load_pins(struct piv_data *data, const struct piv_defaults *defaults)
{
	char value[32], tries[16];
	int r;

	r = piv_data_setting(data, "pin", defaults->pin, value, sizeof(value));
	if (r < 0 || !piv_pin_pad(value, data->pin))
		return r < 0 ? r : -EINVAL;
	r = piv_data_setting(data, "puk", defaults->puk, value, sizeof(value));
	if (r < 0 || !piv_pin_pad(value, data->puk))
		return r < 0 ? r : -EINVAL;
	snprintf(tries, sizeof(tries), "%u", defaults->tries);
	r = piv_data_setting(data, "tries", tries, value, sizeof(value));
	if (r < 0)
		return r;
	data->tries = (unsigned)strtoul(value, NULL, 10);
	return data->tries <= 15 ? 0 : -EINVAL;
}

/* Two cards of different certificates differ in their GUID, and a card keeps its own. */
static void piv_data_make_guid(struct piv_data *data)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	cleanup_bytes struct bytes all = { 0 };

	for (size_t i = 0; i < PIV_SLOTS; i++)
		bytes_add(&all, data->slots[i].cert.data, data->slots[i].cert.len);
	bytes_add(&all, "guid", 4);
	if (EVP_Digest(all.data, all.len, digest, NULL, EVP_sha256(), NULL) != 1)
		abort();
	memcpy(data->guid, digest, sizeof(data->guid));
}

static int piv_data_load_guid(struct piv_data *data, const struct piv_defaults *defaults)
{
	cleanup_bytes struct bytes guid = { 0 };
	char value[64];
	int r;

	r = piv_data_setting(data, "guid", defaults->guid ? defaults->guid : "", value,
			     sizeof(value));
	if (r < 0)
		return r;
	if (!*value) {
		piv_data_make_guid(data);
		return 0;
	}
	r = bytes_from_hex(value, &guid);
	if (r < 0 || guid.len != sizeof(data->guid))
		return -EINVAL;
	memcpy(data->guid, guid.data, guid.len);
	return 0;
}

int piv_data_load(const char *dir, const struct piv_defaults *defaults,
		  struct piv_data *ret_data)
{
	struct piv_data data = { .dir = strdup(dir), .gzip = defaults->gzip };
	int r;

	if (!data.dir)
		abort();
	r = piv_data_load_slots(&data);
	if (r == 0)
		r = piv_data_load_pins(&data, defaults);
	if (r == 0)
		r = piv_data_load_guid(&data, defaults);
	if (r < 0) {
		piv_data_free(&data);
		return r;
	}
	*ret_data = data;
	return 0;
}

void piv_data_free(struct piv_data *data)
{
	for (size_t i = 0; i < PIV_SLOTS; i++) {
		EVP_PKEY_free(data->slots[i].key);
		bytes_free(&data->slots[i].cert);
	}
	free(data->dir);
	*data = (struct piv_data){ 0 };
}

/* A gzip member, as SP 800-73-4 part 1 appendix A wants for compressed certificates. */
static void gzip_add(const struct bytes *in, struct bytes *out)
{
	z_stream stream = { 0 };
	uLong bound;
	uint8_t *packed;

	if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	bound = deflateBound(&stream, in->len);
	packed = malloc(bound);
	if (!packed)
		abort();
	stream.next_in = in->data;
	stream.avail_in = (uInt)in->len;
	stream.next_out = packed;
	stream.avail_out = (uInt)bound;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	bytes_add(out, packed, stream.total_out);
	deflateEnd(&stream);
	free(packed);
}

static bool piv_certificate(const struct piv_data *data, const struct piv_slot *slot,
			    struct bytes *ret_object)
{
	cleanup_bytes struct bytes inner = { 0 }, packed = { 0 };
	const uint8_t info = data->gzip ? 1 : 0;

	if (slot->cert.len == 0)
		return false;
	if (data->gzip)
		gzip_add(&slot->cert, &packed);
	else
		bytes_add(&packed, slot->cert.data, slot->cert.len);
	tlv_add(&inner, 0x70, packed.data, packed.len);
	tlv_add(&inner, 0x71, &info, 1);
	tlv_add(&inner, 0xfe, NULL, 0);
	tlv_add(ret_object, 0x53, inner.data, inner.len);
	return true;
}

static void piv_chuid(const struct piv_data *data, struct bytes *ret_object)
{
	/* A FASC-N of agency 9999, system 9999, credential 999999 (not federal). */
	static const uint8_t fascn[25] = {
		0xd4, 0xe7, 0x39, 0xda, 0x73, 0x9c, 0xed, 0x39, 0xce,
		0x73, 0x9d, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10,
		0x84, 0x21, 0xc8, 0x42, 0x10, 0xc3, 0xeb,
	};
	cleanup_bytes struct bytes inner = { 0 };

	tlv_add(&inner, 0x30, fascn, sizeof(fascn));
	tlv_add(&inner, 0x34, data->guid, sizeof(data->guid));
	tlv_add(&inner, 0x35, "20391231", 8);
	tlv_add(&inner, 0x3e, NULL, 0);
	tlv_add(&inner, 0xfe, NULL, 0);
	tlv_add(ret_object, 0x53, inner.data, inner.len);
}

/* Card capability container: only the card identifier says anything, the rest is empty.
 */
static void piv_ccc(const struct piv_data *data, struct bytes *ret_object)
{
	static const uint8_t empty[] = { 0xf3, 0xf4, 0xf6, 0xf7, 0xfa,
					 0xfb, 0xfc, 0xfd, 0xfe };
	cleanup_bytes struct bytes inner = { 0 }, id = { 0 };

	bytes_add(&id, "\xa0\x00\x00\x01\x16\xff\x02", 7);
	bytes_add(&id, data->guid, 14);
	tlv_add(&inner, 0xf0, id.data, id.len);
	tlv_add(&inner, 0xf1, "\x21", 1);
	tlv_add(&inner, 0xf2, "\x21", 1);
	tlv_add(&inner, 0xf5, "\x10", 1);
	for (size_t i = 0; i < sizeof(empty); i++)
		tlv_add(&inner, empty[i], NULL, 0);
	tlv_add(ret_object, 0x53, inner.data, inner.len);
}

/* The PIN policy: the application PIN alone satisfies the access rules. */
static void piv_discovery(struct bytes *ret_object)
{
	cleanup_bytes struct bytes inner = { 0 };

	tlv_add(&inner, 0x4f, piv_aid, sizeof(piv_aid));
	tlv_add(&inner, 0x5f2f, "\x40\x00", 2);
	tlv_add(ret_object, 0x7e, inner.data, inner.len);
}

/* No retired keys, on the card or off it. */
static void piv_key_history(struct bytes *ret_object)
{
	static const uint8_t none[] = { 0xc1, 1, 0, 0xc2, 1, 0, 0xfe, 0 };

	tlv_add(ret_object, 0x53, none, sizeof(none));
}

static bool piv_data_raw(const struct piv_data *data, unsigned tag,
			 struct bytes *ret_object)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%x.obj", data->dir, tag);
	return bytes_read_file(path, ret_object) == 0;
}

bool piv_data_object(struct piv_data *data, unsigned tag, struct bytes *ret_object)
{
	if (piv_data_raw(data, tag, ret_object))
		return true;
	switch (tag) {
	case 0x5fc102:
		piv_chuid(data, ret_object);
		return true;
	case 0x5fc107:
		piv_ccc(data, ret_object);
		return true;
	case 0x7e:
		piv_discovery(ret_object);
		return true;
	case 0x5fc10c:
		piv_key_history(ret_object);
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < PIV_SLOTS; i++)
		if (data->slots[i].tag == tag)
			return piv_certificate(data, &data->slots[i], ret_object);
	return false;
}

void piv_data_template(struct bytes *ret_object)
{
	static const char label[] = "Virtual PIV card";
	cleanup_bytes struct bytes inner = { 0 }, authority = { 0 };

	tlv_add(&authority, 0x4f, piv_aid, 5);
	tlv_add(&inner, 0x4f, piv_aid + 5, 6);
	tlv_add(&inner, 0x79, authority.data, authority.len);
	tlv_add(&inner, 0x50, label, sizeof(label) - 1);
	tlv_add(ret_object, 0x61, inner.data, inner.len);
}
