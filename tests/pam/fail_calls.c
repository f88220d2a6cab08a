/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a PAM application: between fail_arm() and fail_disarm() the FAIL_AT-th
 * call that pam_hygie.so or libpam makes to the allocator or the kernel fails; 0 fails
 * none. Or that call, counting only those that a signal may interrupt, is interrupted.
 * What pam_hygie.so took and did not give back is counted, and memory that it frees is
 * searched for FAIL_SECRET. It is for single-threaded programs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWNED_MAX 256

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void __libc_free(void *memory);

void fail_arm(unsigned at, bool interrupt, const char *secret);
const char *fail_disarm(unsigned *ret_calls, unsigned *ret_owned,
			bool *ret_leaked_secret);

static struct {
	bool armed;
	bool interrupt; /* only what a signal can interrupt fails, with EINTR */
	unsigned at, calls;
	const char *failed; /* the function that did */
	bool secret_freed;
	const char *secret;
	const void *owned[OWNED_MAX]; /* memory and mappings of pam_hygie.so */
	int descriptors;              /* of its sockets and files */
} state;

void fail_arm(unsigned at, bool interrupt, const char *secret)
{
	state.at = at;
	state.interrupt = interrupt;
	state.calls = 0;
	state.secret = secret;
	state.armed = true;
}

const char *fail_disarm(unsigned *ret_calls, unsigned *ret_owned, bool *ret_leaked_secret)
{
	state.armed = false;
	*ret_calls = state.calls;
	*ret_owned = (unsigned)state.descriptors;
	for (size_t i = 0; i < OWNED_MAX; i++)
		if (state.owned[i])
			(*ret_owned)++;
	*ret_leaked_secret = state.secret_freed;
	return state.failed;
}

static bool comes_from(const void *caller, const char *library)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname &&
	       strstr(info.dli_fname, library);
}

static bool is_interruptible(const char *name)
{
	return strcmp(name, "poll") == 0 || strcmp(name, "send") == 0 ||
	       strcmp(name, "read") == 0 || strcmp(name, "recv") == 0;
}

/* Whether this call is the one to fail. */
static bool call_fails(const void *caller, const char *name)
{
	if (!state.armed || (state.interrupt && !is_interruptible(name)))
		return false;
	if (!comes_from(caller, "pam_hygie.so") && !comes_from(caller, "libpam.so"))
		return false;
	if (++state.calls != state.at)
		return false;
	state.failed = name;
	return true;
}

static void own(const void *caller, const void *memory)
{
	if (!state.armed || !memory || !comes_from(caller, "pam_hygie.so"))
		return;
	for (size_t i = 0; i < OWNED_MAX; i++)
		if (!state.owned[i]) {
			state.owned[i] = memory;
			return;
		}
}

static void disown(const void *memory)
{
	for (size_t i = 0; i < OWNED_MAX; i++)
		if (state.owned[i] == memory)
			state.owned[i] = NULL;
}

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

void *malloc(size_t size)
{
	void *memory;

	if (call_fails(CALLER, __func__)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = __libc_malloc(size);
	own(CALLER, memory);
	return memory;
}

void *calloc(size_t count, size_t size)
{
	void *memory;

	if (call_fails(CALLER, __func__)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = __libc_calloc(count, size);
	own(CALLER, memory);
	return memory;
}

void free(void *memory)
{
	if (state.armed && memory && state.secret && comes_from(CALLER, "pam_hygie.so") &&
	    memmem(memory, malloc_usable_size(memory), state.secret,
		   strlen(state.secret)))
		state.secret_freed = true;
	if (memory)
		disown(memory);
	__libc_free(memory);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *memory;

	if (call_fails(CALLER, __func__)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	memory = (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
	if (memory != MAP_FAILED)
		own(CALLER, memory);
	return memory;
}

int munmap(void *memory, size_t size)
{
	disown(memory);
	return (int)syscall(SYS_munmap, memory, size);
}

#define FAIL_WITH(error)                                                                 \
	do {                                                                             \
		if (call_fails(CALLER, __func__)) {                                      \
			errno = state.interrupt ? EINTR : (error);                       \
			return -1;                                                       \
		}                                                                        \
	} while (0)

int mlock(const void *memory, size_t size)
{
	FAIL_WITH(ENOMEM);
	return (int)syscall(SYS_mlock, memory, size);
}

int madvise(void *memory, size_t size, int advice)
{
	FAIL_WITH(EINVAL);
	return (int)syscall(SYS_madvise, memory, size, advice);
}

int socket(int domain, int type, int protocol)
{
	int fd;

	FAIL_WITH(EMFILE);
	fd = (int)syscall(SYS_socket, domain, type, protocol);
	if (fd >= 0 && state.armed && comes_from(CALLER, "pam_hygie.so"))
		state.descriptors++;
	return fd;
}

/* None of ours makes a file. */
int open(const char *path, int flags, ...)
{
	int fd;

	FAIL_WITH(EMFILE);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	if (fd >= 0 && state.armed && comes_from(CALLER, "pam_hygie.so"))
		state.descriptors++;
	return fd;
}

int fstat(int fd, struct stat *status)
{
	FAIL_WITH(ENOMEM);
	return fstatat(fd, "", status, AT_EMPTY_PATH);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	FAIL_WITH(EIO);
	return syscall(SYS_read, fd, bytes, size);
}

int close(int fd)
{
	if (state.armed && comes_from(CALLER, "pam_hygie.so"))
		state.descriptors--;
	return (int)syscall(SYS_close, fd);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	FAIL_WITH(ECONNREFUSED);
	return (int)syscall(SYS_connect, fd, address, size);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	FAIL_WITH(ENOMEM);
	return (int)syscall(SYS_poll, fds, count, timeout);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	FAIL_WITH(ENOBUFS);
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	FAIL_WITH(ECONNRESET);
	return syscall(SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
}
