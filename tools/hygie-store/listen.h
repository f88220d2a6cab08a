/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hearing what is done to the files of a store (fanotify): of gocryptfs, which is a file
 * system of its own, by whichever mount of it. Of fscrypt only by those of its mounts that
 * this namespace has at that moment, since the file system is others' too: not what is done
 * by a copy in another mount namespace, nor by the path of the encrypted folder.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>

/* Begins, deaf. The caller closes *ret_fd, which can be polled. */
int listen_new(int *ret_fd) must_check;

/*
 * Listens to those events (FAN_...), files and folders; also to copies that were made since
 * the last call. 1; 0: it can be reached nowhere, or something else lies over it; negative
 * errno.
 */
int listen_begin(int fd, const struct subject *subject, uint64_t events) must_check;

/* Deaf again. */
void listen_end(int fd);

/* Reads all events away. Whether one was of another process than this. */
bool listen_drain(int fd);
