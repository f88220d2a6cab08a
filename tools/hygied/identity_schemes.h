/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers that identity.c's table points to; one line a scheme. Their contract is
 * that of struct identity_scheme's read.
 */
#pragma once

#include "hygied/identity.h"

int identity_read_us_piv(const struct certificate *c, struct identity *identity,
			 char *reason, size_t reason_size) must_check;
int identity_read_fr_igc_sante(const struct certificate *c, struct identity *identity,
			       char *reason, size_t reason_size) must_check;
