/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of files, carried from one folder into another: contents, holes, owners (by
 * number), modes, times, extended attributes, symbolic links as such, names of one file as
 * names of one file; pipes and sockets are made anew; devices are left out and told.
 *
 * Whoever has prepared the tree leads nobody out of it: each folder is held open, and each
 * entry is reached from there by one name, through no link. Nobody else may write in either
 * tree meanwhile. Run again, it goes on: what has the size, time, owner and mode of the
 * original counts as copied; only TREE_COMPARE reads it.
 */
#pragma once

#include "store_archive.h"
#include "tree_links.h"
#include "tree_progress.h"

enum tree_pass {
	TREE_MEASURE, /* counts files and bytes */
	TREE_COPY,    /* what is not there, and removes what should not be */
	TREE_COMPARE, /* byte by byte; what differs is copied anew, and counted */
};

struct tree {
	enum tree_pass pass;
	int watched; /* a descriptor: when it becomes readable, it ends (-ECANCELED) */
	struct tree_progress *progress;
	struct archive_error *error;
	/*
	 * TREE_MEASURE: told of each entry, those of `from` itself have the depth 1 (NULL:
	 * nobody is). A negative errno ends the walk, and is told with the entry's path.
	 */
	int (*visit)(void *context, unsigned depth, const char *name,
		     const struct stat *st);
	void *context;
	int to; /* the copy's top, during a pass */
	struct tree_links links;
	uint64_t files, bytes; /* seen in this pass */
	uint64_t repaired;     /* entries that differed */
	uint64_t left_out;     /* devices */
	char first_left_out[256];
};

/*
 * Does that pass over the folder `from`; `to` is its copy (-1: none, for TREE_MEASURE). 0;
 * or a negative errno with `error`: what failed is in the tree called by its path there.
 * -ECANCELED: `watched` spoke.
 */
int tree_walk(struct tree *tree, int from, int to) must_check;

/* Whether `watched` spoke: -ECANCELED; else 0. */
int tree_look(const struct tree *tree) must_check;

/* ---- one entry, for tree.c: `from` and `to` are the folders that it lies in ---- */

/* A regular file. TREE_COMPARE: its bytes are read on both sides. */
int tree_file(struct tree *tree, int from, int to, const char *name,
	      const struct stat *st) must_check;
/* A symbolic link, a pipe or a socket. */
int tree_node(struct tree *tree, int from, int to, const char *name,
	      const struct stat *st) must_check;
/* Owner, mode, times and extended attributes of a folder whose entries are there. */
int tree_folder_rights(int from, int to, const struct stat *st) must_check;
/* Removes an entry, whatever it is. One that is not there is fine. */
int tree_remove(int folder, const char *name) must_check;

/* Makes the extended attributes those of `from`. 0 or a negative errno. */
int tree_attributes_copy(int from, int to) must_check;
/* 1: they are the same; 0: not; negative errno. */
int tree_attributes_compare(int from, int to) must_check;
