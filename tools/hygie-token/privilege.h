/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming nobody in particular: the helper's own uid and gid, no groups, no
 * capabilities, no way back.
 */
#pragma once

#include "libhygie/attributes.h"

#include <sys/types.h>

/* 0 or negative errno; after a failure the process must end. */
int privilege_drop(uid_t uid, gid_t gid) must_check;
