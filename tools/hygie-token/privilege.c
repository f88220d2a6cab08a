/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropping root; see privilege.h. capset goes by system call: libcap would be a library
 * for two calls.
 */
#include "hygie-token/privilege.h"

#include "hygie-token/process.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int bounding_set_empty(void)
{
	for (unsigned long capability = 0; capability < 64; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && capability > CAP_LAST_CAP)
			return 0; /* beyond what this kernel knows */
		if (errno != EINVAL)
			return -errno;
	}
	return 0;
}

static int capabilities_empty(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int privilege_drop(uid_t uid, gid_t gid)
{
	int r;

	r = bounding_set_empty();
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	r = capabilities_empty();
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setuid(0) == 0)
		return -EPERM;
	return process_shield();
}
