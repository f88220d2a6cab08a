/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.ini's text: read and written. Every key is there once and none is unknown, since
 * a right that was misread is worse than a store that does not open. No I/O.
 */
#pragma once

#include "hygied/store_file.h"

#include <stddef.h>

#define STORE_INI_MAX ((size_t)256 * 1024) /* bytes */
#define STORE_INI_LINE_MAX 384             /* bytes */

/*
 * 0, with what the text says of the store `name`; -EBADMSG, with line and fault in
 * ret_error (may be NULL); -ENOMEM.
 */
int store_ini_parse(const char *text, size_t size, const char *name,
		    struct store **ret_store, struct file_error *ret_error) must_check;

/* 0 and a malloc'ed text; -EINVAL when a field cannot be; -ENOMEM. */
int store_ini_format(const struct store *store, char **ret_text,
		     size_t *ret_size) must_check;

/*
 * A right's last day, YYYY-MM-DD, as the moment when it is over (store_holder.until);
 * false when it is no such day.
 */
bool store_until_read(const char *text, int64_t *ret_until) must_check;
