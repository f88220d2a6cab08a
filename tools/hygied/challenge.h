/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes a card signs to prove that it is here now: a purpose, fresh randomness, this
 * machine, the user, the service and the time, so that a signature serves one login only
 * and can never be taken for a signature of something else.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>
#include <stdint.h>

#define CHALLENGE_MAX 512

struct challenge {
	uint8_t bytes[CHALLENGE_MAX];
	size_t size;
};

/*
 * Makes a fresh challenge for `purpose` ("hygie-auth-v1", "hygie-enrol-v1"). `user` and
 * `service` are cut to 100 bytes. Layout: purpose and a NUL; 32 random bytes; 16 bytes of
 * host id (machine-id, application-specific); seconds since 1970 (8 bytes, big-endian);
 * user and service, each after one byte of length. Negative errno without randomness.
 */
int challenge_new(const char *purpose, const char *user, const char *service,
		  struct challenge *ret_challenge) must_check;
