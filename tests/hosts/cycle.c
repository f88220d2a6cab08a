/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that lives long and logs people in over and over, as a display manager or a
 * locker does: COUNT times the module is loaded, asked, and unloaded with its handle; each
 * time it is also loaded and unloaded by itself. The people come in turn. What has grown in
 * the second half is printed: the first fills the C library's caches.
 *
 *	cycle COUNT MODULE SERVICE USER ANSWER [USER ANSWER]...
 */
#include "hosts/host.h"
#include "own_pages.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define CODES 64

struct footprint {
	long descriptors, mappings, heap, own;
};

static long count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	long count = 0;

	if (!folder)
		host_fail("/proc/self/fd");
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count;
}

static long count_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	long count = 0;
	int c;

	if (!file)
		host_fail("/proc/self/maps");
	while ((c = fgetc(file)) != EOF)
		count += c == '\n';
	(void)fclose(file);
	return count;
}

static struct footprint footprint_now(void)
{
	struct footprint now = { .descriptors = count_descriptors(),
				 .mappings = count_mappings(),
				 .own = own_pages() };

	now.heap = (long)mallinfo2().uordblks;
	return now;
}

/* Nothing of it may stay: else a newer module would never be taken after an upgrade. */
static void check_gone(const char *module)
{
	if (dlopen(module, RTLD_NOW | RTLD_NOLOAD)) {
		errno = EEXIST;
		host_fail("unloading");
	}
}

static void load_alone(const char *module)
{
	void *loaded = dlopen(module, RTLD_NOW | RTLD_LOCAL);

	if (!loaded || !dlsym(loaded, "pam_sm_authenticate") || dlclose(loaded) != 0)
		host_fail("loading");
	check_gone(module);
}

static int ask(const char *module, const char *service, char *const person[])
{
	struct host host = { .user = person[0], .answer = person[1], .silent = 1 };
	int code;

	host_start(&host, service);
	code = host_call(&host, "authenticate");
	host_end(&host);
	check_gone(module);
	return code;
}

int main(int argc, char *argv[])
{
	const int people = (argc - 4) / 2;
	unsigned count, codes[CODES] = { 0 };
	struct footprint before = { 0 }, after;

	if (argc < 6 || argc % 2 != 0)
		return 2;
	count = (unsigned)strtoul(argv[1], NULL, 10);
	for (unsigned i = 0; i < count; i++) {
		if (i == count / 2)
			before = footprint_now();
		load_alone(argv[2]);
		codes[ask(argv[2], argv[3], argv + 4 + 2 * ((int)i % people)) % CODES]++;
	}
	after = footprint_now();
	for (int code = 0; code < CODES; code++)
		if (codes[code] > 0)
			(void)printf("code %d %u\n", code, codes[code]);
	(void)printf("grown %ld %ld %ld %ld\n", after.descriptors - before.descriptors,
		     after.mappings - before.mappings, after.heap - before.heap,
		     after.own - before.own);
	return 0;
}
