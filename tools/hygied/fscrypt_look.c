/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for a folder's encryption policy; see fscrypt_look.h.
 */
#include "hygied/fscrypt_look.h"

#include "libhygie/protocol.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <string.h>
#include <sys/ioctl.h>

static int policy_look(int fd)
{
	struct fscrypt_get_policy_ex_arg argument = { .policy_size =
							      sizeof(argument.policy) };

	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &argument) == 0)
		return 1;
	switch (errno) {
	case ENODATA:
		return 0;
	case ENOTTY:
		return -EOPNOTSUPP;
	default:
		return -errno;
	}
}

int fscrypt_look(const char *folder)
{
	char path[HYGIE_PATH_MAX];
	size_t length = strlen(folder);

	if (length == 0 || length >= sizeof(path) || folder[0] != '/')
		return -EINVAL;
	memcpy(path, folder, length + 1);
	for (;;) {
		cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash = strrchr(path, '/');

		if (fd >= 0)
			return policy_look(fd);
		if (errno != ENOENT || path[1] == '\0')
			return -errno;
		slash[slash == path] = '\0'; /* "/" stays */
	}
}
