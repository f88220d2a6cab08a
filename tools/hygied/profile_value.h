/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what a card profile may say, between profile.c and profile_value.c.
 */
#pragma once

#include "hygied/profile.h"

/* A profile while its section is read: the table's offsets count from here. */
struct profile_draft {
	struct profile profile;
	bool atr_said; /* atr_size 0 may mean "any" or nothing said */
	struct profile_mask {
		size_t size;
		uint8_t bytes[PROFILE_ATR_MAX];
	} mask;
};

/* The keys of [card NAME], without a section_begin: for profile.c and for tests. */
const struct config_schema *profile_schema(void);

/*
 * Looks at the whole of a section and fills in atr_mask. 0, or -EINVAL with every mistake
 * told at the heading's line.
 */
int profile_check(struct profile_draft *draft, struct config_errors *errors) must_check;
