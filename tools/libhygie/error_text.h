/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an errno means, for logs and messages. Unlike strerror() it is safe in threads, and
 * says the same in every locale.
 */
#pragma once

/* The sentence of an errno (a positive number), or "unknown error"; never NULL. */
const char *error_text(int error);
