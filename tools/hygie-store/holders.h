/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs that hold something of a store: an open file, a mapped one, their working
 * directory or their root; of fscrypt also one that they watch. Told from /proc, a program
 * in another mount namespace included. Of gocryptfs by the device's numbers, never by asking
 * the file system itself, which may be dead. Of fscrypt, whose disk is others' too, by the
 * mount; and what is held by another mount, or watched, by its key: such a file is opened
 * for that, if it is encrypted, and no other.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdbool.h>
#include <sys/types.h>

#define HOLDERS_MAX 64

struct holder {
	pid_t pid;
	uid_t uid;
	char program[64]; /* printable */
	char file[HYGIE_PATH_MAX];
};

struct holders {
	struct holder holder[HOLDERS_MAX];
	size_t count;
	bool more; /* than fit */
};

/* Looks at every process but our own and `except`. 0 or negative errno. */
int holders_find(const struct subject *subject, pid_t except,
		 struct holders *ret_holders) must_check;
