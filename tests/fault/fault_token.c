/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrappers of what hygie-token alone calls: its sandbox, the module's loader, digests.
 */
#include "fault/fault.h"

#include <dlfcn.h>
#include <grp.h>
#include <openssl/evp.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

FAULT(void *, dlopen, (const char *path, int flags), (path, flags), NULL, ENOENT)
FAULT(int, unshare, (int flags), (flags), -1, EPERM)
FAULT(int, mount,
      (const char *source, const char *target, const char *type, unsigned long flags,
       const void *data),
      (source, target, type, flags, data), -1, EPERM)
FAULT(int, umount2, (const char *target, int flags), (target, flags), -1, EPERM)
FAULT(int, open_tree, (int fd, const char *path, unsigned flags), (fd, path, flags), -1,
      EPERM)
FAULT(int, move_mount,
      (int from, const char *from_path, int to, const char *to_path, unsigned flags),
      (from, from_path, to, to_path, flags), -1, EPERM)
FAULT(int, mount_setattr,
      (int fd, const char *path, unsigned flags, struct mount_attr *attr, size_t size),
      (fd, path, flags, attr, size), -1, EPERM)
FAULT(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), -1, ENOSPC)
FAULT(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path),
      -1, ENOSPC)
FAULT(int, fchdir, (int fd), (fd), -1, EACCES)
FAULT(int, chdir, (const char *path), (path), -1, EACCES)
FAULT(int, setgroups, (size_t count, const gid_t *groups), (count, groups), -1, EPERM)
FAULT(int, setresuid, (uid_t real, uid_t effective, uid_t saved),
      (real, effective, saved), -1, EPERM)
FAULT(int, setresgid, (gid_t real, gid_t effective, gid_t saved),
      (real, effective, saved), -1, EPERM)
FAULT(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags),
      -1, EINVAL)
FAULT(int, clearenv, (void), (), -1, ENOMEM)
FAULT(int, setenv, (const char *name, const char *value, int replace),
      (name, value, replace), -1, ENOMEM)
FAULT(scmp_filter_ctx, seccomp_init, (uint32_t action), (action), NULL, ENOMEM)
FAULT(int, seccomp_load, (const scmp_filter_ctx filter), (filter), -ENOMEM, ENOMEM)
FAULT(int, seccomp_attr_set,
      (scmp_filter_ctx filter, enum scmp_filter_attr name, uint32_t value),
      (filter, name, value), -EINVAL, EINVAL)
FAULT(int, EVP_Digest,
      (const void *bytes, size_t size, unsigned char *digest, unsigned *digest_size,
       const EVP_MD *kind, ENGINE *engine),
      (bytes, size, digest, digest_size, kind, engine), 0, ENOMEM)

int __real_prctl(int option, unsigned long second, unsigned long third,
		 unsigned long fourth, unsigned long fifth);
int __wrap_prctl(int option, unsigned long second, unsigned long third,
		 unsigned long fourth, unsigned long fifth);
/* Declared with an ellipsis; all callers give five. */
int __wrap_prctl(int option, unsigned long second, unsigned long third,
		 unsigned long fourth, unsigned long fifth)
{
	if (fault_due("prctl")) {
		errno = EPERM;
		return -1;
	}
	return __real_prctl(option, second, third, fourth, fifth);
}

long __real_syscall(long number, long first, long second, long third);
long __wrap_syscall(long number, long first, long second, long third);
long __wrap_syscall(long number, long first, long second, long third)
{
	if (fault_due("syscall")) {
		errno = EPERM;
		return -1;
	}
	return __real_syscall(number, first, second, third);
}
