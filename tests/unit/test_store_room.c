/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What files will take, or take already: by their blocks, and each once. What statvfs(2)
 * says is supposed here: no file system of the machine says all of it.
 */
#include "hygie/store_room.h"

#include "scratch.h"

#include <sys/statvfs.h>

static unsigned long fragment; /* what the file system says; 0: what it is */

/* In the place of libc's own. */
int statvfs(const char *path, struct statvfs *ret_system)
{
	(void)path;
	*ret_system = (struct statvfs){ .f_bsize = fragment, .f_frsize = fragment };
	return 0;
}

static void block_is_what_a_file_takes_and_not_what_a_network_sends(void **state)
{
	static const struct {
		unsigned long fragment;
		uint64_t block;
	} rows[] = {
		{ 512, 512 },      { 4096, 4096 }, { 65536, 65536 },
		{ 1 << 20, 4096 }, { 0, 4096 },
	};
	uint64_t block;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		fragment = rows[i].fragment;
		assert_int_equal(store_room_block("/", &block), 0);
		assert_int_equal(block, rows[i].block);
	}
}

static void size_is_rounded_up_and_never_overflows(void **state)
{
	struct store_room room = { 0, 0 };

	(void)state;
	store_room_add(&room, 0, 4096);
	store_room_add(&room, 1, 4096);
	store_room_add(&room, 4096, 4096);
	assert_int_equal(room.bytes, 8192);
	assert_int_equal(room.files, 3);
	store_room_add(&room, UINT64_MAX, 4096);
	assert_true(room.bytes == UINT64_MAX);
	store_room_add(&room, 1, 4096);
	assert_true(room.bytes == UINT64_MAX);
}

static void file_with_several_names_takes_its_room_once(void **state)
{
	const char *folder = ((struct scratch *)*state)->path;
	struct store_room one, several;
	char target[PATH_MAX];
	int fd = open(scratch_path(state, "file"), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0 && posix_fallocate(fd, 0, 1 << 20) == 0 && close(fd) == 0);
	assert_int_equal(store_room_measure(folder, &one), 0);
	assert_true(one.bytes >= 1 << 20 && one.files == 2);
	(void)snprintf(target, sizeof(target), "%s", scratch_path(state, "file"));
	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "name-%u", i);
		assert_int_equal(link(target, scratch_path(state, name)), 0);
	}
	assert_int_equal(store_room_measure(folder, &several), 0);
	assert_int_equal(several.files, one.files);
	assert_true(several.bytes < 2 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_is_what_a_file_takes_and_not_what_a_network_sends),
		cmocka_unit_test(size_is_rounded_up_and_never_overflows),
		cmocka_unit_test_setup_teardown(
			file_with_several_names_takes_its_room_once, scratch_setup,
			scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
