/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file tree that the module sees: a root of the helper's own, read-only, with /usr,
 * the module, its configuration and pcscd's socket, and nothing else: no /proc, no /home,
 * no /var, no /tmp.
 */
#pragma once

#include "hygie-token/start_order.h"

/* Where the module finds its OpenSC configuration. */
#define OPENSC_CONF_PATH "/etc/hygie-opensc.conf"

/*
 * Gives the process namespaces of its own where hygied did not, builds the root, and
 * changes into it. Nothing outside can be reached by path afterwards. Sets OPENSC_CONF
 * and the order's environment. 0 or negative errno; *ret_what names what failed, always
 * set.
 */
int root_enter(const struct start_order *order, const char **ret_what) must_check;
