/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching /proc; see holders.h. A process that ends meanwhile holds nothing.
 */
#include "hygie-store/holders.h"

#include "hygie-store/mounted.h"
#include "hygie-store/watches.h"
#include "libhygie/printable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct search {
	const struct subject *subject;
	uint64_t mounts[MOUNTED_MAX]; /* fscrypt: their ids */
	size_t mount_count;
	int disk;   /* fscrypt: to look at what is watched; -1: it is not there */
	int folder; /* of the process */
	struct holder *holder;
};

static bool is_of_a_mount(const struct search *search, const struct statx *status)
{
	for (size_t i = 0; i < search->mount_count; i++)
		if (search->mounts[i] == status->stx_mnt_id)
			return true;
	return false;
}

/*
 * As it is, wherever it lies, and whatever its name is now. Its owner may put another file
 * in its place at any moment, so what is looked at is what is opened.
 */
static bool has_its_key(const struct search *search, const char *link)
{
	cleanup_close int fd = openat(search->folder, link, O_PATH | O_CLOEXEC);

	return fd >= 0 && subject_has_at(search->subject, fd);
}

/* AT_STATX_DONT_SYNC and no field asked for: the file system is not asked. */
static bool is_there(const struct search *search, const char *link)
{
	const struct subject *subject = search->subject;
	struct statx status;

	if (statx(search->folder, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		  &status) < 0 ||
	    makedev(status.stx_dev_major, status.stx_dev_minor) != subject->device)
		return false;
	if (subject->backend != BACKEND_FSCRYPT || is_of_a_mount(search, &status))
		return true;
	return (status.stx_attributes & STATX_ATTR_ENCRYPTED) != 0 &&
	       has_its_key(search, link);
}

static void note_file(const struct search *search, const char *link)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(search->folder, link, target, sizeof(target));

	(void)printable_copy(search->holder->file, sizeof(search->holder->file), target,
			     size > 0 ? (size_t)size : 0);
}

static bool holds_link(const struct search *search, const char *link)
{
	if (!is_there(search, link))
		return false;
	note_file(search, link);
	return true;
}

/* The name is the store's: that of what is watched is encrypted by now. */
static bool holds_watch(const struct search *search, const char *descriptor)
{
	const struct subject *subject = search->subject;

	if (search->disk < 0 ||
	    !watches_subject(subject, search->disk, search->folder, descriptor))
		return false;
	(void)printable_copy(search->holder->file, sizeof(search->holder->file),
			     subject->mount, strlen(subject->mount));
	return true;
}

static bool holds_open_file(const struct search *search)
{
	int fd = openat(search->folder, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool found = false;

	if (!files) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
	while (!found && (entry = readdir(files))) {
		char link[NAME_MAX + 4];

		(void)snprintf(link, sizeof(link), "fd/%s", entry->d_name);
		found = entry->d_name[0] != '.' &&
			(holds_link(search, link) || holds_watch(search, entry->d_name));
	}
	(void)closedir(files);
	return found;
}

/* Whether a line of maps tells of something that is there, and with what name. */
static bool is_mapping_there(const struct search *search, char *line)
{
	unsigned long start, end;
	unsigned major_number, minor_number;
	char link[64];
	int file = 0;

	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own digits */
	if (sscanf(line, "%lx-%lx %*s %*s %x:%x %*u %n", &start, &end, &major_number,
		   &minor_number, &file) < 4 ||
	    makedev(major_number, minor_number) != search->subject->device)
		return false;
	(void)snprintf(link, sizeof(link), "map_files/%lx-%lx", start, end);
	if (search->subject->backend == BACKEND_FSCRYPT && !is_there(search, link))
		return false;
	line[strcspn(line, "\n")] = '\0';
	(void)printable_copy(search->holder->file, sizeof(search->holder->file),
			     line + file, strlen(line + file));
	return true;
}

static bool holds_mapped_file(const struct search *search)
{
	int fd = openat(search->folder, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd >= 0 ? fdopen(fd, "re") : NULL;
	cleanup_free char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (!maps) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while (!found && getline(&line, &room, maps) >= 0)
		found = is_mapping_there(search, line);
	(void)fclose(maps);
	return found;
}

static bool holds(const struct search *search)
{
	return holds_open_file(search) || holds_link(search, "cwd") ||
	       holds_link(search, "root") || holds_link(search, "exe") ||
	       holds_mapped_file(search);
}

/* The folder of /proc may be root's for a process that cannot be dumped: ask its status. */
static void describe(const struct search *search)
{
	struct holder *holder = search->holder;
	char text[1024];
	int fd = openat(search->folder, "status", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	const char *uid;
	size_t name;

	if (fd >= 0)
		(void)close(fd);
	if (size < 6)
		return;
	text[size] = '\0';
	name = strcspn(text + 6, "\n"); /* after "Name:" and its tab */
	(void)printable_copy(holder->program, sizeof(holder->program), text + 6, name);
	uid = strstr(text, "\nUid:\t");
	if (uid)
		holder->uid = (uid_t)strtoul(uid + 6, NULL, 10);
}

static bool look_at(struct search *search, const char *name, pid_t except)
{
	char *end;
	unsigned long pid = strtoul(name, &end, 10);
	char path[NAME_MAX + 8];
	bool found;

	if (*end || pid == 0 || (pid_t)pid == except || (pid_t)pid == getpid())
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%s", name);
	search->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (search->folder < 0)
		return false;
	*search->holder = (struct holder){ .pid = (pid_t)pid, .uid = (uid_t)-1 };
	found = holds(search);
	if (found)
		describe(search);
	(void)close(search->folder);
	return found;
}

/* What is held by one of them is known by that alone. */
static int find_mounts(struct search *search)
{
	struct mount_line lines[MOUNTED_MAX];
	int count = search->subject->backend == BACKEND_FSCRYPT
			    ? mounted_list(search->subject, lines)
			    : 0;

	for (int i = 0; i < count; i++)
		search->mounts[i] = lines[i].id;
	search->mount_count = count > 0 ? (size_t)count : 0;
	return count;
}

int holders_find(const struct subject *subject, pid_t except, struct holders *ret_holders)
{
	struct holder holder;
	struct search search = {
		.subject = subject, .disk = -1, .folder = -1, .holder = &holder
	};
	int r = find_mounts(&search);
	DIR *processes = r < 0 ? NULL : opendir("/proc");
	const struct dirent *entry;

	if (!processes)
		return r < 0 ? r : -errno;
	if (subject->backend == BACKEND_FSCRYPT)
		(void)!subject_open_disk(subject, &search.disk);
	ret_holders->count = 0;
	ret_holders->more = false;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
	while ((entry = readdir(processes))) {
		if (!look_at(&search, entry->d_name, except))
			continue;
		if (ret_holders->count < HOLDERS_MAX)
			ret_holders->holder[ret_holders->count++] = holder;
		else
			ret_holders->more = true;
	}
	(void)closedir(processes);
	if (search.disk >= 0)
		(void)close(search.disk);
	return 0;
}
