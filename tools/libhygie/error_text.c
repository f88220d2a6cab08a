/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An errno in words; see error_text.h.
 */
#include "libhygie/error_text.h"

#include <string.h>

const char *error_text(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}
