/* SPDX-License-Identifier: Apache-2.0 */
/* Which APDU shall go wrong, and how; see faults.h. */
#include "card/faults.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum fault_action faults_arrival(struct faults *faults)
{
	faults->seen++;
	if (faults->remove_at == faults->seen) {
		faults->remove_at = 0;
		return FAULT_REMOVE;
	}
	if (faults->silent_from && faults->silent_from <= faults->seen)
		return FAULT_SILENT;
	if (faults->reset_at == faults->seen) {
		faults->reset_at = 0;
		return FAULT_RESET;
	}
	return FAULT_NONE;
}

static void faults_garbage(const struct faults *faults, struct bytes *answer)
{
	size_t len = faults->garbage_len;
	uint8_t byte;

	if (RAND_bytes(&byte, 1) != 1)
		abort();
	if (len == 0)
		len = 2 + byte % 63;
	bytes_clear(answer);
	while (answer->len < len) {
		if (RAND_bytes(&byte, 1) != 1)
			abort();
		bytes_add_u8(answer, byte);
	}
	/* No status word (ISO 7816-4, 5.6): by chance it would be "well" or "more to come". */
	answer->data[answer->len - 2] &= 0x0F;
}

void faults_spoil(struct faults *faults, struct bytes *answer)
{
	if (faults->garbage_at == faults->seen) {
		faults->garbage_at = 0;
		faults_garbage(faults, answer);
	}
	if (faults->sw_at == faults->seen) {
		faults->sw_at = 0;
		bytes_clear(answer);
		bytes_add_u16(answer, faults->sw);
	}
}

bool faults_remove_after(struct faults *faults)
{
	if (faults->remove_after != faults->seen)
		return false;
	faults->remove_after = 0;
	return true;
}

void faults_clear(struct faults *faults)
{
	*faults = (struct faults){ .seen = faults->seen };
}
