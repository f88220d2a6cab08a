/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether gocryptfs shows all that lies in an encrypted folder: it leaves out, and tells
 * nobody, what has a name that it cannot decrypt (damaged, or a long one whose ".name"
 * file is gone). Such a record would be missing from a copy, and from any comparison.
 */
#pragma once

#include "store_archive.h"
#include "tree.h"

/* What was seen, by what it looks like. Begins as zero. */
struct store_names {
	uint64_t *seen; /* owned */
	size_t count, room;
};

/* Has the measuring of that tree, the records, fill it in. */
void store_names_watch(struct store_names *names, struct tree *tree);

/*
 * Compares it with the encrypted folder. 0; -EUCLEAN: there is not as much as was seen, or
 * more, and `error` has the path of the first, if it can be told apart; -ECANCELED: `watched` spoke; another errno.
 */
int store_names_compare(struct store_names *names, const char *cipher, int watched,
			struct archive_error *error) must_check;

void store_names_free(struct store_names *names);
#define cleanup_names cleanup_with(store_names_free)
