/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogues: what they say, and what spoilt ones do not; and which names are languages.
 */
#include "libhygie/catalogue.h"

#include "scratch.h"

#include <errno.h>

/* A catalogue of "" (its head), "card" and "untranslated", built by hand. */
struct image {
	uint8_t bytes[256];
	size_t size;
	bool big_endian;
};

static void put(struct image *image, size_t at, uint32_t number)
{
	for (size_t i = 0; i < 4; i++)
		image->bytes[at + i] =
			(uint8_t)(number >> (image->big_endian ? 24 - 8 * i : 8 * i));
}

static void image_make(struct image *image, bool big_endian)
{
	static const char *const strings[] = { "",
					       "card",
					       "untranslated", /* originals */
					       "Language: fr\n",
					       "carte",
					       "" };
	size_t at = 20 + 6 * 8;

	*image = (struct image){ .big_endian = big_endian };
	put(image, 0, 0x950412DE);
	put(image, 8, 3);
	put(image, 12, 20);
	put(image, 16, 20 + 3 * 8);
	for (size_t i = 0; i < 6; i++) {
		size_t length = strlen(strings[i]);

		put(image, 20 + i * 8, (uint32_t)length);
		put(image, 24 + i * 8, (uint32_t)at);
		memcpy(image->bytes + at, strings[i], length + 1);
		at += length + 1;
	}
	image->size = at;
}

static void both_byte_orders_are_read(void **state)
{
	(void)state;
	for (int big_endian = 0; big_endian < 2; big_endian++) {
		struct catalogue *catalogue;
		struct image image;

		image_make(&image, big_endian != 0);
		assert_int_equal(catalogue_parse(image.bytes, image.size, &catalogue), 0);
		assert_string_equal(catalogue_find(catalogue, "card"), "carte");
		catalogue_free(catalogue);
	}
}

static void what_is_not_translated_stays_the_same_pointer(void **state)
{
	static const char *const texts[] = { "", "untranslated", "unknown", "car",
					     "cards" };
	struct catalogue *catalogue;
	struct image image;

	(void)state;
	image_make(&image, false);
	assert_int_equal(catalogue_parse(image.bytes, image.size, &catalogue), 0);
	for (size_t i = 0; i < array_size(texts); i++)
		assert_ptr_equal(catalogue_find(catalogue, texts[i]), texts[i]);
	catalogue_free(catalogue);
	assert_ptr_equal(catalogue_find(NULL, texts[1]), texts[1]);
}

/*
 * Whatever bytes a file holds, nothing beyond them is read (valgrind and the sanitizers
 * watch), and what is found is text.
 */
static void look(const uint8_t *bytes, size_t size)
{
	struct catalogue *catalogue;

	if (catalogue_parse(bytes, size, &catalogue) < 0)
		return;
	assert_true(strlen(catalogue_find(catalogue, "card")) < size);
	assert_true(strlen(catalogue_find(catalogue, "none")) < size);
	catalogue_free(catalogue);
}

static void each_cut_and_each_spoilt_byte_is_survived(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF };
	struct image image;

	(void)state;
	image_make(&image, false);
	for (size_t size = 0; size < image.size; size++)
		look(image.bytes, size);
	for (size_t at = 0; at < image.size; at++)
		for (size_t i = 0; i < array_size(values); i++) {
			struct image spoilt = image;

			spoilt.bytes[at] = values[i];
			look(spoilt.bytes, spoilt.size);
		}
}

static void spoil(size_t at, uint32_t number, int expected, const char *found)
{
	struct catalogue *catalogue = NULL;
	struct image image;

	image_make(&image, false);
	put(&image, at, number);
	assert_int_equal(catalogue_parse(image.bytes, image.size, &catalogue), expected);
	if (expected == 0)
		assert_string_equal(catalogue_find(catalogue, "card"), found);
	catalogue_free(catalogue);
}

static void tables_and_strings_beyond_the_end_are_refused(void **state)
{
	(void)state;
	spoil(0, 0x950412DF, -EBADMSG, NULL);
	spoil(4, 0x00010000, -EBADMSG, NULL); /* another major revision */
	spoil(4, 1, 0, "carte");              /* a minor one */
	spoil(8, UINT32_MAX, -EBADMSG, NULL);
	spoil(8, 0x20000000, -EBADMSG, NULL); /* eight times that is 0 in 32 bits */
	spoil(12, UINT32_MAX, -EBADMSG, NULL);
	spoil(16, 250, -EBADMSG, NULL);
	spoil(20 + 4 * 8, UINT32_MAX, 0, "card"); /* the length of "carte" */
	spoil(24 + 4 * 8, UINT32_MAX, 0, "card"); /* its offset */
	spoil(20 + 4 * 8, 4, 0, "card");          /* "cart", which does not end there */
}

static void what_is_no_utf8_stays_english(void **state)
{
	struct catalogue *catalogue;
	struct image image;

	(void)state;
	image_make(&image, false);
	*(uint8_t *)memmem(image.bytes, image.size, "carte", 5) = 0xE9;
	assert_int_equal(catalogue_parse(image.bytes, image.size, &catalogue), 0);
	assert_string_equal(catalogue_find(catalogue, "card"), "card");
	catalogue_free(catalogue);
}

static void language_is_taken_from_a_locale(void **state)
{
	static const char *const rows[][2] = {
		{ "fr_FR.UTF-8", "fr_FR" }, { "fr", "fr" },
		{ "de_DE@euro", "de_DE" },  { "fr_CA.utf8", "fr_CA" },
		{ "gsw_CH", "gsw_CH" },     { "de.ISO-8859-1", "de" },
		{ "en_US.UTF-8", "en_US" },
	};
	char language[LANGUAGE_SIZE];

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		assert_true(language_of_locale(rows[i][0], language));
		assert_string_equal(language, rows[i][1]);
	}
}

static void other_names_are_no_language(void **state)
{
	static const char *const names[] = {
		"",           "C",        "POSIX",  "C.UTF-8", "C.utf8",   "f",
		"fr_",        "fr_F",     "fr_fr",  "fr_FRA",  "fr/..",    "../fr",
		"/tmp/fr_FR", "fr_FR/..", "french", "FR",      "LC_ALL=C", "\xC3\xA9t_FR",
	};
	char language[LANGUAGE_SIZE];

	(void)state;
	for (size_t i = 0; i < array_size(names); i++)
		assert_false(language_of_locale(names[i], language));
}

static void write_catalogue(void **state, const char *path, char first_letter)
{
	struct image image;

	image_make(&image, false);
	*(char *)memmem(image.bytes, image.size, "carte", 5) = first_letter;
	(void)scratch_write(state, path, image.bytes, image.size);
}

static const char *find_in(void **state, const char *language)
{
	static char found[16];
	struct catalogue *catalogue = NULL;
	int r = catalogue_open(scratch_path(state, "."), language, &catalogue);

	assert_true(r == 0 || r == -ENOENT);
	(void)snprintf(found, sizeof(found), "%s", catalogue_find(catalogue, "card"));
	catalogue_free(catalogue);
	return found;
}

static void catalogue_of_the_country_comes_before_that_of_the_language(void **state)
{
	assert_string_equal(find_in(state, "fr_CH"), "card");
	(void)scratch_folder(state, "fr");
	(void)scratch_folder(state, "fr/LC_MESSAGES");
	write_catalogue(state, "fr/LC_MESSAGES/hygie.mo", 'c');
	assert_string_equal(find_in(state, "fr_CH"), "carte");
	(void)scratch_folder(state, "fr_CH");
	(void)scratch_folder(state, "fr_CH/LC_MESSAGES");
	write_catalogue(state, "fr_CH/LC_MESSAGES/hygie.mo", 'C');
	assert_string_equal(find_in(state, "fr_CH"), "Carte");
	assert_string_equal(find_in(state, "fr"), "carte");
	assert_string_equal(find_in(state, "de"), "card");
}

static void what_is_no_file_is_refused_and_not_waited_for(void **state)
{
	struct catalogue *catalogue;

	(void)scratch_folder(state, "fr");
	(void)scratch_folder(state, "fr/LC_MESSAGES");
	assert_int_equal(mkfifo(scratch_path(state, "fr/LC_MESSAGES/hygie.mo"), 0644), 0);
	assert_int_equal(catalogue_open(scratch_path(state, "."), "fr", &catalogue),
			 -EBADMSG);
}

static void what_is_too_large_is_refused(void **state)
{
	uint8_t *bytes = calloc(1, CATALOGUE_SIZE_MAX + 1);
	struct catalogue *catalogue;

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(catalogue_parse(bytes, CATALOGUE_SIZE_MAX + 1, &catalogue),
			 -EFBIG);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_byte_orders_are_read),
		cmocka_unit_test(what_is_not_translated_stays_the_same_pointer),
		cmocka_unit_test(each_cut_and_each_spoilt_byte_is_survived),
		cmocka_unit_test(tables_and_strings_beyond_the_end_are_refused),
		cmocka_unit_test(what_is_no_utf8_stays_english),
		cmocka_unit_test(language_is_taken_from_a_locale),
		cmocka_unit_test(other_names_are_no_language),
		scratch_test(catalogue_of_the_country_comes_before_that_of_the_language),
		scratch_test(what_is_no_file_is_refused_and_not_waited_for),
		cmocka_unit_test(what_is_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
