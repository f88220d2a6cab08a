/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a profile's PKCS#11 module among the system's files; declared in profile.h. The
 * file is opened once to be judged and closed again: the helper loads it.
 */
#include "hygied/profile.h"
#include "libhygie/error_text.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Debian's folder of the architecture (the multiarch tuple). */
#if defined(__x86_64__)
#define ARCHITECTURE "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64-linux-gnu"
#elif defined(__i386__)
#define ARCHITECTURE "i386-linux-gnu"
#elif defined(__arm__)
#define ARCHITECTURE "arm-linux-gnueabihf"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE "riscv64-linux-gnu"
#elif defined(__powerpc64__)
#define ARCHITECTURE "powerpc64le-linux-gnu"
#elif defined(__s390x__)
#define ARCHITECTURE "s390x-linux-gnu"
#else
#define ARCHITECTURE "pkcs11" /* no such tuple: the folders below remain */
#endif

static const char architecture_modules[] = "/usr/lib/" ARCHITECTURE "/pkcs11";
static const char architecture_libraries[] = "/usr/lib/" ARCHITECTURE;

static const char *const folders[] = {
	architecture_modules, architecture_libraries, "/usr/lib64/pkcs11",
	"/usr/lib64",         "/usr/lib/pkcs11",      "/usr/lib",
	"/usr/lib/softhsm",
};

/* Judges a file for root, then for the caller: tests do not run as root everywhere. */
static int file_judge(const char *path, struct file_error *ret_error)
{
	int fd = -1;
	int r = trusted_file_open(path, 0, TRUSTED_ANY_LINKS, &fd, ret_error);

	if (r == -EPERM && geteuid() != 0)
		r = trusted_file_open(path, geteuid(), TRUSTED_ANY_LINKS, &fd, ret_error);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* A link is as good as the folder it lies in: who can write there can turn it. */
static int link_folder_judge(const char *path, struct file_error *ret_error)
{
	cleanup_free char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
	cleanup_free char *real = NULL;
	cleanup_close int fd = -1;

	if (folder == NULL)
		return -ENOMEM;
	real = realpath(folder[0] != '\0' ? folder : "/", NULL);
	if (real == NULL)
		return -errno;
	if (strcmp(real, "/") == 0)
		return 0;
	return trusted_folder_open(real, geteuid(), &fd, ret_error);
}

static int real_path_judge(const char *path, const char *real,
			   struct file_error *ret_error)
{
	int r = link_folder_judge(path, ret_error);

	return r < 0 ? r : file_judge(real, ret_error);
}

static int module_judge(const char *path, char *ret_path, size_t size, char *reason,
			size_t reason_size)
{
	struct file_error error = { "" };
	cleanup_free char *real = realpath(path, NULL);
	int r;

	if (real == NULL)
		r = -errno;
	else if (strlen(real) >= size)
		r = -ENAMETOOLONG;
	else
		r = real_path_judge(path, real, &error);
	if (r < 0) {
		(void)snprintf(reason, reason_size, "%.240s",
			       error.text[0] != '\0' ? error.text : error_text(-r));
		return r;
	}
	(void)snprintf(ret_path, size, "%s", real);
	return 0;
}

int profile_module_find(const struct profile *profile, char *ret_path, size_t size,
			char *reason, size_t reason_size)
{
	const char *module = profile->module;

	for (size_t i = 0; i < array_size(folders); i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s/%s", folders[i], module);

		if (module[0] == '/')
			(void)snprintf(path, sizeof(path), "%s", module);
		else if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		if (access(path, F_OK) == 0)
			return module_judge(path, ret_path, size, reason, reason_size);
		if (module[0] == '/')
			break;
	}
	(void)snprintf(reason, reason_size,
		       "%s: is not installed; install the package that has it, or name "
		       "another module in [card %s] of %s",
		       module, profile->name, profile->file);
	return -ENOENT;
}
