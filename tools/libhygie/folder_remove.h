/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a folder with all that is in it, however many and however deep: from folder to
 * folder, each held open in its turn, through no symbolic link and into nothing that is
 * mounted there. It takes as long as it takes: not for an event loop.
 */
#pragma once

#include "libhygie/attributes.h"

/*
 * One that is not there is fine, and so is a file. 0 or a negative errno: -EXDEV when
 * something is mounted in it; -ECANCELED: `watched` (a descriptor, -1: none) became
 * readable. What is left then can be removed by the same call.
 */
int folder_remove(const char *path, int watched);

/*
 * Removes all that is in the folder `folder`, which was at `path`, then what is at `path`
 * now, if it is empty: what has taken its place meanwhile is left. Errors as above.
 */
int folder_remove_held(const char *path, int folder, int watched) must_check;
