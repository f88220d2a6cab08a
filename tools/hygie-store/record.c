/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a mount; see record.h.
 */
#include "hygie-store/record.h"

#include "hygie-store/keep.h"
#include "hygie-store/mounted.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

/*
 * NUL-separated: the mount point; of an fscrypt also the folder, its path in its file system,
 * the device's numbers, the folder's, the key's identifier.
 */
#define RECORD_SIZE (2 * HYGIE_PATH_MAX + MOUNT_PATH_SIZE + 128)

int record_open(const char *name, int *ret_fd)
{
	char path[sizeof(KEEP_FOLDER) + KEEP_NAME_SIZE + 16];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), KEEP_FOLDER "/%s.mount", name);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EALREADY : -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static size_t write_text(const struct subject *subject, char text[RECORD_SIZE])
{
	char key[FSCRYPT_KEY_ID_TEXT];
	int size;

	if (subject->backend != BACKEND_FSCRYPT)
		return (size_t)snprintf(text, RECORD_SIZE, "%s", subject->mount);
	fscrypt_key_write(&subject->key, key);
	size = snprintf(text, RECORD_SIZE, "%s%c%s%c%s%c%u:%u %llu %s", subject->mount, 0,
			subject->folder, 0, subject->root, 0, major(subject->device),
			minor(subject->device), (unsigned long long)subject->top, key);
	return (size_t)size;
}

int record_write(int fd, const struct subject *subject)
{
	char text[RECORD_SIZE];
	size_t size = subject ? write_text(subject, text) : 0;

	/* With its NUL, so that what follows of an older one counts for nothing. */
	size += size > 0;
	if (size > 0 && pwrite(fd, text, size, 0) != (ssize_t)size)
		return -EIO;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static bool take_text(char *ret_text, size_t room, const char *text)
{
	size_t size = strlen(text);

	if (size >= room)
		return false;
	memcpy(ret_text, text, size + 1);
	return true;
}

/* What follows the mount point: our own, but perhaps cut short by a kill. */
static int read_folder(const char *text, const char *end, struct subject *ret_subject)
{
	const char *root = text + strlen(text) + 1;
	const char *numbers = root < end ? root + strlen(root) + 1 : end;
	unsigned major_number, minor_number;
	unsigned long long top;
	char key[FSCRYPT_KEY_ID_TEXT];

	if (numbers >= end ||
	    /* NOLINTNEXTLINE(cert-err34-c): our own digits */
	    sscanf(numbers, "%u:%u %llu %32s", &major_number, &minor_number, &top, key) !=
		    4 ||
	    fscrypt_key_parse(key, &ret_subject->key) < 0 ||
	    !take_text(ret_subject->folder, sizeof(ret_subject->folder), text) ||
	    !take_text(ret_subject->root, sizeof(ret_subject->root), root))
		return -EBADMSG;
	ret_subject->device = makedev(major_number, minor_number);
	ret_subject->top = (ino_t)top;
	ret_subject->backend = BACKEND_FSCRYPT;
	return 0;
}

/* One cut short was written before anything was done. */
int record_read(int fd, const char *name, struct subject *ret_subject)
{
	char text[RECORD_SIZE + 1];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	const char *folder;

	if (size <= 0)
		return size < 0 ? -errno : 0;
	text[size] = '\0';
	*ret_subject = (struct subject){ .backend = BACKEND_GOCRYPTFS };
	if (!take_text(ret_subject->mount, sizeof(ret_subject->mount), text))
		return 0;
	(void)snprintf(ret_subject->source, sizeof(ret_subject->source), "hygie-%s",
		       name);
	folder = text + strlen(text) + 1;
	if (folder < text + size && read_folder(folder, text + size, ret_subject) < 0)
		return 0;
	return 1;
}

/* The disk may be gone meanwhile, and its keys with it. */
static int remove_key(const struct subject *subject)
{
	cleanup_close int disk = -1;
	int r = subject_open_disk(subject, &disk);

	if (r == 0)
		r = fscrypt_key_remove(disk, &subject->key);
	if (r == 0)
		log_warning("%s: its key is gone, but files of it are in use, and stay "
			    "readable to the programs that have them",
			    subject->mount);
	if (r == 0)
		return -EBUSY;
	if (r == -ENODEV) {
		log_warning("%s: its disk is not mounted, the key is taken for gone",
			    subject->folder);
		return 0;
	}
	return r < 0 ? r : 0;
}

int record_clear(int fd, const char *name)
{
	struct subject subject = { 0 };
	struct mount_line lines[MOUNTED_MAX];
	int r = record_read(fd, name, &subject);

	if (r <= 0)
		return r < 0 ? r : record_write(fd, NULL);
	r = mounted_list(&subject, lines);
	if (r > 0) {
		log_warning("%s: the mount that was left is taken away", subject.mount);
		r = mounted_detach(&subject);
	}
	if (r < 0)
		log_warning("%s: it is mounted still: %s", subject.mount, error_text(-r));
	if (subject.backend == BACKEND_FSCRYPT)
		r = remove_key(&subject);
	return r < 0 ? r : record_write(fd, NULL);
}

/* The first `size` bytes of it. */
static bool is_store_name(const char *name, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-.";

	return size > 0 && size <= KEEP_NAME_MAX && name[0] != '-' && name[0] != '.' &&
	       strspn(name, allowed) >= size;
}

bool keep_name_is_side(const char *name)
{
	static const size_t end = sizeof(".old") - 1;
	size_t size = strlen(name);
	const char *last = size > end ? name + size - end : "";

	return name[0] == '.' &&
	       (strcmp(last, ".old") == 0 || strcmp(last, ".new") == 0) &&
	       is_store_name(name + 1, size - end - 1);
}

bool keep_name_is_valid(const char *name)
{
	return is_store_name(name, strlen(name)) || keep_name_is_side(name);
}

int keep_clear(const char *name)
{
	cleanup_close int record = -1;
	int r = record_open(name, &record);

	return r < 0 ? r : record_clear(record, name);
}
