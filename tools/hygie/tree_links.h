/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names are names of one file (hard links): where the first of them was copied to.
 */
#pragma once

#include "libhygie/attributes.h"

#include <sys/types.h>

struct tree_link {
	struct tree_link *next;
	ino_t from, to; /* the file and its copy */
	char *path;     /* of the first name, in the copy; owned */
};

/* Begins as zero. */
struct tree_links {
	struct tree_link *first; /* all, owned */
	void *by_from, *by_to;   /* tsearch(3) */
};

/* The copy of that file, or NULL. Borrowed. */
const struct tree_link *tree_links_find(const struct tree_links *links, ino_t from);
/* The file whose copy that is, or NULL. */
const struct tree_link *tree_links_find_copy(const struct tree_links *links, ino_t to);
/* 0 or -ENOMEM; `path` is copied. */
int tree_links_add(struct tree_links *links, ino_t from, ino_t to,
		   const char *path) must_check;
void tree_links_free(struct tree_links *links);
