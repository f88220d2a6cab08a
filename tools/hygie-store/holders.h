/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs that hold something of a mounted file system: an open file, a mapped one,
 * their working directory or their root. Told from /proc, by the device's numbers, so a
 * program in another mount namespace is found too; never by asking the file system
 * itself, which may be dead.
 */
#pragma once

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
int holders_find(dev_t device, pid_t except, struct holders *ret_holders) must_check;
