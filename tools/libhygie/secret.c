/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locked, undumpable, wiped memory; see secret.h. The descriptor lives on the ordinary
 * heap, the bytes in a mapping of their own, so that no neighbour shares their pages.
 */
#include "libhygie/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SECRET_CAPACITY_MAX ((size_t)1024 * 1024)
#define SMALL_MEMLOCK_LIMIT ((rlim_t)1024 * 1024)

struct secret {
	uint8_t *bytes;
	size_t mapped; /* whole pages */
	size_t capacity;
	size_t size;
};

void wipe(void *bytes, size_t size)
{
	if (size > 0)
		explicit_bzero(bytes, size);
}

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

/*
 * Whether the process was given so small a limit that failing to lock is the site's
 * choice.
 */
static bool locking_is_denied(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	       limit.rlim_cur < SMALL_MEMLOCK_LIMIT;
}

static int pages_protect(void *pages, size_t size)
{
	if (mlock(pages, size) < 0 && !locking_is_denied())
		return -EPERM;
	if (madvise(pages, size, MADV_DONTDUMP) < 0)
		return -errno;
	if (madvise(pages, size, MADV_WIPEONFORK) < 0)
		return -errno;
	return 0;
}

int secret_new(size_t capacity, struct secret **ret_secret)
{
	struct secret *secret;
	int r;

	if (capacity > SECRET_CAPACITY_MAX)
		return -EINVAL;
	secret = calloc(1, sizeof(*secret));
	if (!secret)
		return -ENOMEM;
	secret->capacity = capacity;
	secret->mapped = whole_pages(capacity > 0 ? capacity : 1);
	secret->bytes = mmap(NULL, secret->mapped, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret->bytes == MAP_FAILED) {
		free(secret);
		return -ENOMEM;
	}
	r = pages_protect(secret->bytes, secret->mapped);
	if (r < 0) {
		secret_free(secret);
		return r;
	}
	*ret_secret = secret;
	return 0;
}

int secret_new_from(const void *bytes, size_t size, struct secret **ret_secret)
{
	struct secret *secret;
	int r;

	r = secret_new(size, &secret);
	if (r < 0)
		return r;
	if (size > 0)
		memcpy(secret->bytes, bytes, size);
	secret->size = size;
	*ret_secret = secret;
	return 0;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	wipe(secret->bytes, secret->mapped);
	(void)munmap(secret->bytes, secret->mapped);
	free(secret);
}

uint8_t *secret_bytes(struct secret *secret)
{
	return secret->bytes;
}

const uint8_t *secret_bytes_const(const struct secret *secret)
{
	return secret->bytes;
}

size_t secret_size(const struct secret *secret)
{
	return secret->size;
}

size_t secret_capacity(const struct secret *secret)
{
	return secret->capacity;
}

void secret_set_size(struct secret *secret, size_t size)
{
	if (size < secret->size)
		wipe(secret->bytes + size, secret->size - size);
	secret->size = size <= secret->capacity ? size : secret->capacity;
}

int secret_append(struct secret *secret, const void *bytes, size_t size)
{
	if (size > secret->capacity - secret->size)
		return -ENOSPC;
	if (size > 0)
		memcpy(secret->bytes + secret->size, bytes, size);
	secret->size += size;
	return 0;
}

int secret_protect_process(void)
{
	struct rlimit none = { 0, 0 };
	cleanup_secret struct secret *probe = NULL;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return secret_new(1, &probe);
}
