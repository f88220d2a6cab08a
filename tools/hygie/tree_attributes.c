/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of files and folders; declared in tree.h.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define ROOM ((size_t)65536) /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

/* What one side has: names that end in NUL, and room for a value behind them. */
struct attributes {
	int fd;
	char *names, *value;
	ssize_t size;
};

static void attributes_end(struct attributes *attributes)
{
	free(attributes->names);
}
#define cleanup_attributes cleanup_with(attributes_end)

/* A file system that knows none has none. */
static int attributes_begin(struct attributes *attributes)
{
	attributes->names = malloc(2 * ROOM);
	if (!attributes->names)
		return -ENOMEM;
	attributes->value = attributes->names + ROOM;
	attributes->size = flistxattr(attributes->fd, attributes->names, ROOM);
	if (attributes->size < 0 && (errno == ENOTSUP || errno == ENODATA))
		attributes->size = 0;
	return attributes->size < 0 ? -errno : 0;
}

/* The name after `name`, the first for NULL; NULL after the last. */
static const char *name_next(const struct attributes *attributes, const char *name)
{
	const char *end = attributes->names + attributes->size;

	name = name ? name + strlen(name) + 1 : attributes->names;
	return name < end ? name : NULL;
}

/* The size of the value, in `value`; -ENODATA: there is no such. */
static ssize_t value_read(const struct attributes *attributes, const char *name)
{
	ssize_t size = fgetxattr(attributes->fd, name, attributes->value, ROOM);

	return size < 0 ? -errno : size;
}

/* 1: both have it, and the same. */
static int value_compare(const struct attributes *one, const struct attributes *other,
			 const char *name)
{
	ssize_t size = value_read(one, name), there = value_read(other, name);

	if (size < 0)
		return (int)size;
	if (there == -ENODATA)
		return 0;
	if (there < 0)
		return (int)there;
	return size == there && memcmp(one->value, other->value, (size_t)size) == 0;
}

static int value_copy(const struct attributes *from, int to, const char *name)
{
	ssize_t size = value_read(from, name);

	if (size < 0)
		return (int)size;
	return fsetxattr(to, name, from->value, (size_t)size, 0) < 0 ? -errno : 0;
}

int tree_attributes_copy(int from, int to)
{
	cleanup_attributes struct attributes source = { .fd = from }, copy = { .fd = to };
	const char *name = NULL;
	int r = attributes_begin(&source);

	if (r == 0)
		r = attributes_begin(&copy);
	while (r == 0 && (name = name_next(&copy, name)))
		if (value_read(&source, name) == -ENODATA && fremovexattr(to, name) < 0 &&
		    errno != ENODATA)
			r = -errno;
	name = NULL;
	while (r == 0 && (name = name_next(&source, name)))
		r = value_copy(&source, to, name);
	return r;
}

int tree_attributes_compare(int from, int to)
{
	cleanup_attributes struct attributes source = { .fd = from }, copy = { .fd = to };
	const char *name = NULL;
	int r = attributes_begin(&source);

	if (r == 0)
		r = attributes_begin(&copy);
	if (r == 0)
		r = source.size == copy.size;
	while (r == 1 && (name = name_next(&source, name)))
		r = value_compare(&source, &copy, name);
	return r;
}
