/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom to call when a person cannot mend it themselves: one line that the administrator
 * put into /etc/hygie/contact. A file, so that it is there while hygied is not.
 */
#pragma once

#include "libhygie/outcome.h"

#include <stdbool.h>
#include <stddef.h>

#define CONTACT_PATH "/etc/hygie/contact"
#define CONTACT_MAX 200 /* bytes that are read */

/* Whether somebody has to be called for it. */
bool contact_helps(enum hygie_outcome outcome);

/*
 * The first line of `path`, printable, into `ret_text`; "" when there is none, it is not
 * root's (`owner`) or others may write to it. Never waits.
 */
void contact_read(const char *path, unsigned owner, char *ret_text, size_t size);
