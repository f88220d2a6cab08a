/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key's identifier as text and back; and what a file system without encryption says. The
 * calls themselves are tried on a disk, by tests/store/test_fscrypt.py.
 */
#include "libhygie/fscrypt_key.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct fscrypt_key_id some = { { 0x00, 0x01, 0x7f, 0x80, 0xff, 0x10, 0x0a,
					      0xa0, 0xde, 0xad, 0xbe, 0xef, 9, 8, 7,
					      6 } };
static const char some_text[] = "00017f80ff100aa0deadbeef09080706";

static void identifier_is_written_and_read(void **unused)
{
	char text[FSCRYPT_KEY_ID_TEXT];
	struct fscrypt_key_id id = { { 0 } };

	(void)unused;
	fscrypt_key_write(&some, text);
	assert_string_equal(text, some_text);
	assert_false(fscrypt_key_is_same(&id, &some));
	assert_int_equal(fscrypt_key_parse(text, &id), 0);
	assert_true(fscrypt_key_is_same(&id, &some));
}

static void what_is_no_identifier_is_refused_and_nothing_written(void **unused)
{
	static const char *const texts[] = {
		"",
		"00017f80ff100aa0deadbeef0908070",
		"00017f80ff100aa0deadbeef090807061",
		"00017F80ff100aa0deadbeef09080706",
		"0x017f80ff100aa0deadbeef09080706",
		"00017f80ff100aa0deadbeef0908070 ",
		" 0017f80ff100aa0deadbeef09080706",
		"-1017f80ff100aa0deadbeef09080706",
	};

	(void)unused;
	for (size_t i = 0; i < array_size(texts); i++) {
		struct fscrypt_key_id id = some;

		assert_int_equal(fscrypt_key_parse(texts[i], &id), -EINVAL);
		assert_true(fscrypt_key_is_same(&id, &some));
	}
}

static void file_system_without_encryption_says_so(void **unused)
{
	cleanup_close int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fscrypt_key_id id = some;

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(fscrypt_key_of(fd, &id), -ENOTTY);
	assert_int_equal(fscrypt_key_assign(fd, &some), -ENOTTY);
	assert_int_equal(fscrypt_key_remove(fd, &some), -ENOTTY);
	assert_true(fscrypt_key_is_same(&id, &some));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifier_is_written_and_read),
		cmocka_unit_test(what_is_no_identifier_is_refused_and_nothing_written),
		cmocka_unit_test(file_system_without_encryption_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
