/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making challenges; see challenge.h.
 */
#include "hygied/challenge.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-id128.h>
#include <time.h>

#define RANDOM_SIZE 32
#define TEXT_SIZE_MAX 100

/* This application's own id, so that the machine-id itself never leaves. */
#define HYGIE_APPLICATION_ID                                                             \
	SD_ID128_MAKE(6f, 1d, 3a, 52, 0b, 74, 4e, 19, 9c, 02, 8e, 61, f7, 35, da, 48)

static void put(struct challenge *challenge, const void *bytes, size_t size)
{
	memcpy(challenge->bytes + challenge->size, bytes, size);
	challenge->size += size;
}

static void put_text(struct challenge *challenge, const char *text)
{
	uint8_t length = (uint8_t)strnlen(text, TEXT_SIZE_MAX);

	put(challenge, &length, 1);
	put(challenge, text, length);
}

static void put_time(struct challenge *challenge)
{
	uint64_t now = (uint64_t)time(NULL);

	for (int shift = 56; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(now >> shift);

		put(challenge, &byte, 1);
	}
}

int challenge_new(const char *purpose, const char *user, const char *service,
		  struct challenge *ret_challenge)
{
	struct challenge challenge = { .size = 0 };
	uint8_t random[RANDOM_SIZE];
	sd_id128_t host = SD_ID128_NULL;
	ssize_t n;

	if (strlen(purpose) > TEXT_SIZE_MAX)
		return -EINVAL;
	do {
		n = getrandom(random, sizeof(random), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(random))
		return n < 0 ? -errno : -EIO;
	/* A machine without a machine-id still has the randomness; the id stays zero. */
	(void)sd_id128_get_machine_app_specific(HYGIE_APPLICATION_ID, &host);
	put(&challenge, purpose, strlen(purpose) + 1);
	put(&challenge, random, sizeof(random));
	put(&challenge, host.bytes, sizeof(host.bytes));
	put_time(&challenge);
	put_text(&challenge, user);
	put_text(&challenge, service);
	*ret_challenge = challenge;
	return 0;
}
