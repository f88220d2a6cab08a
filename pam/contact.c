/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of /etc/hygie/contact; see contact.h.
 */
#include "contact.h"

#include "libhygie/attributes.h"
#include "libhygie/printable.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool contact_helps(enum hygie_outcome outcome)
{
	switch (outcome) {
	case HYGIE_UNAVAILABLE:
	case HYGIE_BROKEN_SETUP:
	case HYGIE_FAULT:
	case HYGIE_PIN_BLOCKED:
	case HYGIE_CARD_REVOKED:
	case HYGIE_CARD_UNTRUSTED:
		return true;
	default:
		return false;
	}
}

void contact_read(const char *path, unsigned owner, char *ret_text, size_t size)
{
	cleanup_close int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char line[CONTACT_MAX + 1] = "";
	struct stat st;
	ssize_t n;

	ret_text[0] = '\0';
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != owner ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return;
	n = read(fd, line, CONTACT_MAX);
	if (n > 0)
		(void)printable_copy(ret_text, size, line, strcspn(line, "\n"));
}
