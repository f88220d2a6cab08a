/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logind's session that this process belongs to.
 */
#pragma once

#include "libhygie/protocol.h"

#include <stdbool.h>

/*
 * The one it runs in; for a unit of the user's service manager, which runs in none, the
 * one that XDG_SESSION_ID names, else the user's display. Always one of this user's.
 */
bool own_session(char ret_session[HYGIE_SESSION_MAX]);
