/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a keeper shows, and how to tell it from everything else that is mounted and open:
 *
 *	gocryptfs	a file system of its own: the name that its mount has, and then the
 *			device's numbers
 *	fscrypt		a folder of a file system in which others have theirs: the device's
 *			numbers, the folder in it, and the key that it is encrypted with
 */
#pragma once

#include "hygie-store/keep.h"
#include "hygie-store/mount_table.h"
#include "libhygie/attributes.h"
#include "libhygie/fscrypt_key.h"
#include "libhygie/protocol.h"

#include <sys/types.h>

struct subject {
	enum backend backend;
	char folder[HYGIE_PATH_MAX];     /* of the encrypted files */
	char mount[HYGIE_PATH_MAX];      /* where it is to be seen */
	char source[KEEP_NAME_SIZE + 8]; /* gocryptfs: what the mount is called */
	dev_t device;                    /* gocryptfs: 0 until it is mounted */
	/* fscrypt: */
	ino_t top;                  /* the folder's number */
	char root[MOUNT_PATH_SIZE]; /* the folder, in its file system */
	struct fscrypt_key_id key;
};

/*
 * Fills in where the folder, opened as `fd`, lies. 0; -EXDEV: it is mounted itself; other
 * negative errno.
 */
int subject_find(struct subject *subject, int fd) must_check;

/*
 * Fills in what there is to know of an fscrypt's folder before it is shown. 0; -ENODATA:
 * the folder is not encrypted; other errors as open(), fscrypt_key_of() and subject_find().
 * `reason` then says it.
 */
int subject_look(struct subject *subject, char *reason, size_t reason_size) must_check;

/*
 * The folder above it, to reach its file system by without keeping the store itself busy; if
 * that has another path by now, or is no more to be seen, another folder of that file system.
 * 0, and the caller closes *ret_fd; -ENODEV: it is mounted nowhere; other negative errno.
 */
int subject_open_disk(const struct subject *subject, int *ret_fd) must_check;

/*
 * Whether an opened file is of an fscrypt's: encrypted with its key. `fd` may be any file.
 */
bool subject_has(const struct subject *subject, int fd);

/*
 * The same of what was opened with O_PATH. Only an encrypted file or folder of that device
 * is opened for it, never what a path leads to by then.
 */
bool subject_has_at(const struct subject *subject, int fd);
