/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Showing the encrypted folder at its mount point.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <stdbool.h>

/*
 * Mounts the folder there in one step: nosuid, nodev, with `read_only` so that nothing in it
 * can be changed; and so that nothing that is mounted in one of the two places comes to be in
 * the other. 0 or negative errno.
 */
int show_folder(const struct subject *subject, bool read_only) must_check;
