/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialogue that asks for one's own login secret, for "hygie secret show" and
 * "hygie secret keyring".
 */
#pragma once

#include "exchange.h"

/*
 * Asks for the PIN and fills ret_exchange->secret; nobody dumps or traces this process
 * from now on. 0; else the failure is told, and this is the exit status.
 */
int secret_exchange(const struct options *options,
		    struct exchange *ret_exchange) must_check;
