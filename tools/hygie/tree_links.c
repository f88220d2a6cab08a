/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of one file; see tree_links.h.
 */
#include "tree_links.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int by_from(const void *one, const void *other)
{
	const struct tree_link *a = one, *b = other;

	return (a->from > b->from) - (a->from < b->from);
}

static int by_to(const void *one, const void *other)
{
	const struct tree_link *a = one, *b = other;

	return (a->to > b->to) - (a->to < b->to);
}

const struct tree_link *tree_links_find(const struct tree_links *links, ino_t from)
{
	const struct tree_link key = { .from = from };
	struct tree_link *const *found = tfind(&key, &links->by_from, by_from);

	return found ? *found : NULL;
}

const struct tree_link *tree_links_find_copy(const struct tree_links *links, ino_t to)
{
	const struct tree_link key = { .to = to };
	struct tree_link *const *found = tfind(&key, &links->by_to, by_to);

	return found ? *found : NULL;
}

int tree_links_add(struct tree_links *links, ino_t from, ino_t to, const char *path)
{
	struct tree_link *link = calloc(1, sizeof(*link));

	if (!link)
		return -ENOMEM;
	link->from = from;
	link->to = to;
	link->next = links->first;
	links->first = link;
	link->path = strdup(path);
	if (!link->path || !tsearch(link, &links->by_from, by_from) ||
	    !tsearch(link, &links->by_to, by_to))
		return -ENOMEM;
	return 0;
}

static void link_keep(void *node)
{
	(void)node;
}

void tree_links_free(struct tree_links *links)
{
	tdestroy(links->by_to, link_keep);
	tdestroy(links->by_from, link_keep);
	while (links->first) {
		struct tree_link *link = links->first;

		links->first = link->next;
		free(link->path);
		free(link);
	}
	links->by_from = links->by_to = NULL;
}
