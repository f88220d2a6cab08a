/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIN, a store key, or a buffer through which one passes: pages of its own that are
 * locked into memory, left out of core dumps, emptied in a forked child and wiped when
 * freed. The only type in which such bytes may live.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

/*
 * Makes an empty secret with room for `capacity` bytes (at most 1 MiB). The caller owns
 * it. -ENOMEM, or -EPERM when the pages cannot be locked. One exception: a process whose
 * own RLIMIT_MEMLOCK leaves no room (a locker that a site confined) gets unlocked pages,
 * since its conversation has held the PIN in such pages already.
 */
int secret_new(size_t capacity, struct secret **ret_secret) must_check;

/* Makes a secret that holds a copy of `size` bytes at `bytes`. Errors as secret_new. */
int secret_new_from(const void *bytes, size_t size,
		    struct secret **ret_secret) must_check;

/* Wipes and frees; takes NULL. */
void secret_free(struct secret *secret);

/* The bytes, of which secret_size() are in use and secret_capacity() may be written. */
uint8_t *secret_bytes(struct secret *secret);
const uint8_t *secret_bytes_const(const struct secret *secret);
size_t secret_size(const struct secret *secret);
size_t secret_capacity(const struct secret *secret);

/*
 * Says how many bytes are in use; bytes beyond are wiped. `size` is at most the capacity.
 */
void secret_set_size(struct secret *secret, size_t size);

/* Appends; -ENOSPC when it does not fit, and then nothing was written. */
int secret_append(struct secret *secret, const void *bytes, size_t size) must_check;

/*
 * For a process through which secrets pass: no core dump, no ptrace by others, and
 * memory can be locked. 0 or negative errno; -EPERM, -ENOMEM as secret_new.
 */
int secret_protect_process(void) must_check;

/* Overwrites plain memory in a way that the compiler keeps. */
void wipe(void *bytes, size_t size);

define_cleanup(cleanup_secret_function, struct secret, secret_free)
#define cleanup_secret cleanup_with(cleanup_secret_function)
