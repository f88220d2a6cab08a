/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system that a folder lies on, for a person who is to make it encrypt.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>

struct disk {
	char device[256]; /* what is mounted, "/dev/sda2" */
	char type[64];    /* "ext4" */
};

/* 0 or negative errno. */
int disk_find(const char *folder, struct disk *ret_disk) must_check;

/* Why fscrypt cannot encrypt `folder` there, and what to do: for the log. */
void disk_advise(const struct disk *disk, const char *folder, char *ret_text,
		 size_t size);
