/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of stores that are to go: the half of an import that was killed may be millions
 * of files, which hygied has no time for. Each is moved to STORE_FOLDER/.gone in one step,
 * so that its place is free, and removed there by a thread. What is left there when hygied
 * ends, or is killed, goes when it starts anew.
 */
#pragma once

#include "libhygie/attributes.h"

#define STORE_GONE "/var/lib/hygie/store/.gone" /* no stage is called so */

struct store_gone;

/* Begins with what is there already. The caller owns the result. 0 or a negative errno. */
int store_gone_start(struct store_gone **ret_gone) must_check;

/* Stops it, at the next file. Takes NULL. */
void store_gone_stop(struct store_gone *gone);

/*
 * Moves the folder `path`, which lies in STORE_FOLDER, there. 0, and its place is free; or
 * a negative errno, and it is where it was.
 */
int store_gone_take(struct store_gone *gone, const char *path) must_check;
