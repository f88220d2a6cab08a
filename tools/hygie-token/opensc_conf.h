/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private configuration that makes OpenSC serve one reader and one PIN: it keeps its
 * transaction from C_Login on, never verifies by itself from a cached PIN, and touches no
 * other reader. Text only; root.c puts it where the module finds it.
 */
#pragma once

#include "hygie-token/start_order.h"

#define OPENSC_CONF_MAX 8192

/*
 * Writes the configuration for the order's driver and reader, NUL-terminated. -E2BIG when
 * it does not fit. Readers' names come from devices: no byte of them can end a string.
 */
int opensc_conf_format(const struct start_order *order, char *ret_text,
		       size_t size) must_check;
