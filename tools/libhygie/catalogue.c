/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .mo files (GNU gettext's manual, "The Format of GNU MO Files"); see catalogue.h.
 * The file is searched from end to end: it is small, is asked a few times a login, and
 * need not be believed to be sorted.
 */
#include "libhygie/catalogue.h"

#include "libhygie/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC 0x950412DEu
#define HEADER_SIZE 20u
#define ENTRY_SIZE 8u
#define PATH_SIZE 512

struct catalogue {
	bool big_endian;
	uint32_t count;
	uint32_t originals, translations; /* offsets of the two tables */
	size_t size;
	uint8_t bytes[];
};

static bool is_letter(char c, char first)
{
	return c >= first && c <= first + 25;
}

bool language_of_locale(const char *locale, char ret_language[LANGUAGE_SIZE])
{
	size_t size = 0;

	while (size < 3 && is_letter(locale[size], 'a'))
		size++;
	if (size < 2)
		return false;
	if (locale[size] == '_') {
		if (!is_letter(locale[size + 1], 'A') ||
		    !is_letter(locale[size + 2], 'A'))
			return false;
		size += 3;
	}
	if (!strchr(".@", locale[size])) /* or the end */
		return false;
	memcpy(ret_language, locale, size);
	ret_language[size] = '\0';
	return true;
}

/* The caller has checked that four bytes are there. */
static uint32_t number_at(const struct catalogue *catalogue, size_t offset)
{
	const uint8_t *at = catalogue->bytes + offset;

	return catalogue->big_endian ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
					       (uint32_t)at[2] << 8 | at[3]
				     : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
					       (uint32_t)at[1] << 8 | at[0];
}

static bool table_fits(const struct catalogue *catalogue, uint32_t offset)
{
	return offset <= catalogue->size &&
	       catalogue->count <= (catalogue->size - offset) / ENTRY_SIZE;
}

/* Reads the head of the file, whose bytes are in place. */
static int catalogue_begin(struct catalogue *catalogue)
{
	if (catalogue->size < HEADER_SIZE)
		return -EBADMSG;
	catalogue->big_endian = catalogue->bytes[0] == MAGIC >> 24;
	if (number_at(catalogue, 0) != MAGIC || number_at(catalogue, 4) >> 16 != 0)
		return -EBADMSG;
	catalogue->count = number_at(catalogue, 8);
	catalogue->originals = number_at(catalogue, 12);
	catalogue->translations = number_at(catalogue, 16);
	return table_fits(catalogue, catalogue->originals) &&
			       table_fits(catalogue, catalogue->translations)
		       ? 0
		       : -EBADMSG;
}

static int catalogue_new(size_t size, struct catalogue **ret_catalogue)
{
	struct catalogue *catalogue;

	if (size > CATALOGUE_SIZE_MAX)
		return -EFBIG;
	catalogue = calloc(1, sizeof(*catalogue) + size);
	if (!catalogue)
		return -ENOMEM;
	catalogue->size = size;
	*ret_catalogue = catalogue;
	return 0;
}

static int catalogue_finish(struct catalogue *catalogue, int r,
			    struct catalogue **ret_catalogue)
{
	if (r == 0)
		r = catalogue_begin(catalogue);
	if (r < 0)
		catalogue_free(catalogue);
	else
		*ret_catalogue = catalogue;
	return r;
}

int catalogue_parse(const void *bytes, size_t size, struct catalogue **ret_catalogue)
{
	struct catalogue *catalogue;
	int r;

	r = catalogue_new(size, &catalogue);
	if (r < 0)
		return r;
	memcpy(catalogue->bytes, bytes, size);
	return catalogue_finish(catalogue, 0, ret_catalogue);
}

static int bytes_read(int fd, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG; /* it was cut while we read */
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int catalogue_read(const char *path, struct catalogue **ret_catalogue)
{
	/* What is no file shall not make anybody wait. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct catalogue *catalogue;
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < 0)
		return -EBADMSG;
	r = catalogue_new((size_t)status.st_size, &catalogue);
	if (r < 0)
		return r;
	r = bytes_read(fd, catalogue->bytes, catalogue->size);
	return catalogue_finish(catalogue, r, ret_catalogue);
}

int catalogue_open(const char *folder, const char *language,
		   struct catalogue **ret_catalogue)
{
	const int lengths[] = { (int)strlen(language), (int)strcspn(language, "_") };
	char path[PATH_SIZE];
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < array_size(lengths); i++) {
		int n = snprintf(path, sizeof(path), "%s/%.*s/LC_MESSAGES/hygie.mo",
				 folder, lengths[i], language);

		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		r = catalogue_read(path, ret_catalogue);
	}
	return r;
}

void catalogue_free(struct catalogue *catalogue)
{
	free(catalogue);
}

/* The string of a table's entry; NULL when it does not lie within the file. */
static const char *string_at(const struct catalogue *catalogue, uint32_t table,
			     uint32_t index)
{
	size_t entry = table + (size_t)index * ENTRY_SIZE;
	size_t length = number_at(catalogue, entry);
	size_t offset = number_at(catalogue, entry + 4);
	const uint8_t *string = catalogue->bytes + offset;

	if (offset >= catalogue->size || length >= catalogue->size - offset ||
	    string[length] != '\0' || !utf8_is_valid(string, length))
		return NULL;
	return (const char *)string;
}

const char *catalogue_find(const struct catalogue *catalogue, const char *english)
{
	if (!catalogue || english[0] == '\0') /* whose translation is the file's head */
		return english;
	for (uint32_t i = 0; i < catalogue->count; i++) {
		const char *original = string_at(catalogue, catalogue->originals, i);
		const char *translation;

		if (!original || strcmp(original, english) != 0)
			continue;
		translation = string_at(catalogue, catalogue->translations, i);
		return translation && translation[0] != '\0' ? translation : english;
	}
	return english;
}
