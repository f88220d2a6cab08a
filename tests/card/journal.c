/* SPDX-License-Identifier: Apache-2.0 */
/* The list of APDUs seen; see journal.h. */
#include "card/journal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void journal_free(struct journal *journal)
{
	free(journal->entries);
	*journal = (struct journal){ 0 };
}

void journal_clear(struct journal *journal)
{
	journal->count = 0;
}

static struct journal_entry *journal_next(struct journal *journal)
{
	if (journal->count == journal->room) {
		journal->room = journal->room ? 2 * journal->room : 64;
		journal->entries = reallocarray(journal->entries, journal->room,
						sizeof(journal->entries[0]));
		if (!journal->entries)
			abort();
	}
	journal->entries[journal->count] = (struct journal_entry){ 0 };
	return &journal->entries[journal->count++];
}

static void journal_note_pin(struct journal_entry *entry, const struct apdu *apdu)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(apdu->data, apdu->lc, digest, NULL, EVP_sha256(), NULL) != 1)
		abort();
	snprintf(entry->pin, sizeof(entry->pin), "pin[%zu]=%02x%02x%02x%02x", apdu->lc,
		 digest[0], digest[1], digest[2], digest[3]);
}

void journal_add(struct journal *journal, const uint8_t *raw, size_t len,
		 const char *applet, unsigned resets, uint64_t now_us)
{
	struct journal_entry *entry = journal_next(journal);
	struct apdu apdu;

	entry->arrived_us = now_us;
	entry->resets = resets;
	entry->applet = applet;
	memcpy(entry->header, raw, len < 4 ? len : 4);
	if (!apdu_parse(raw, len, &apdu))
		return;
	entry->lc = apdu.lc;
	if (apdu.lc && (apdu.ins == INS_VERIFY || apdu.ins == INS_CHANGE_REFERENCE_DATA ||
			apdu.ins == INS_RESET_RETRY_COUNTER))
		journal_note_pin(entry, &apdu);
}

void journal_answer(struct journal *journal, const struct bytes *answer)
{
	if (journal->count == 0 || answer->len < 2)
		return;
	journal->entries[journal->count - 1].sw = (unsigned)answer->data[answer->len - 2]
							  << 8 |
						  answer->data[answer->len - 1];
}

void journal_print(const struct journal *journal, struct bytes *ret_text)
{
	char line[192], sw[8];

	for (size_t i = 0; i < journal->count; i++) {
		const struct journal_entry *entry = &journal->entries[i];
		const uint8_t *header = entry->header;

		strcpy(sw, "----");
		if (entry->sw)
			snprintf(sw, sizeof(sw), "%04X", entry->sw & 0xffff);
		snprintf(line, sizeof(line),
			 "%zu %s %02X %02X %02X %02X %zu %s %s %llu %u%s%s\n", i + 1,
			 apdu_ins_name(header[1]), header[0], header[1], header[2],
			 header[3], entry->lc, sw, entry->applet,
			 (unsigned long long)(entry->arrived_us -
					      journal->entries[0].arrived_us),
			 entry->resets, *entry->pin ? " " : "", entry->pin);
		bytes_add(ret_text, line, strlen(line));
	}
}
