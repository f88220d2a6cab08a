/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one PKCS#11 module of this process: loaded, initialised, never finalised. From here
 * on foreign code runs with us; whatever must be shut is shut before.
 */
#pragma once

#include "hygie-token/failure.h"

/*
 * Loads `path` (absolute; resolved inside the helper's own root), gets its function list
 * and initialises it. HYGIE_OK, or the failure: HYGIE_BROKEN_SETUP when it is no usable
 * PKCS#11 2.x module or somebody but root may write it, else by what C_Initialize
 * answered. The list is the module's own.
 */
enum hygie_outcome module_load(const char *path, CK_FUNCTION_LIST **ret_functions,
			       struct failure *failure);
