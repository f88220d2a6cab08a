/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for a folder's encryption policy; see fscrypt_look.h.
 */
#include "hygied/fscrypt_look.h"

#include "libhygie/fscrypt_key.h"
#include "libhygie/protocol.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int policy_look(int fd)
{
	struct fscrypt_key_id key;
	int r = fscrypt_key_of(fd, &key);

	switch (-r) {
	case 0:
		return 1;
	case ENODATA:
		return 0;
	case ENOTTY:
		return -EOPNOTSUPP;
	default:
		return r;
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
