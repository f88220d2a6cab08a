/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in an envelope, as text: a first line that is the store's secret, as
 * gocryptfs reads it from a passfile, and a second that binds it:
 *
 *	hygie-store-1 NAME GENERATION RECIPIENTS
 *	hygie-secret-1 USER GENERATION RECIPIENTS	of a login secret
 *
 * RECIPIENTS is the SHA-256, in hexadecimal, of the RecipientInfos of the same envelope,
 * or "-" in one that was made by hand.
 */
#pragma once

#include "hygied/envelope.h"

/* Writes it. `hash`: 32 bytes. 0; -EINVAL for what cannot be written so; -ENOMEM,
 * -EPERM. */
int envelope_content_write(const struct secret *secret,
			   const struct envelope_store *store, const uint8_t *hash,
			   struct secret **ret_content) must_check;

/*
 * Reads `content` of an envelope whose recipients have that hash, and judges it against
 * what is expected. 0 with a verdict, SHUT when it is not of that form; -ENOMEM, -EPERM.
 */
int envelope_content_read(const struct secret *content, const uint8_t *hash,
			  const struct envelope_store *expected,
			  struct envelope_opened *ret_opened) must_check;
