/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the root; see root.h.
 *
 * Every source is first cloned as a detached tree (open_tree), so that the new root can
 * be mounted over a folder that is a source itself; then attached below it (move_mount).
 */
#include "hygie-token/root.h"

#include "hygie-token/opensc_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ATTACHMENTS_MAX 32
#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define READ_DATA (READ_ONLY | MOUNT_ATTR_NOEXEC)
#define READ_WRITE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define DEVICE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
/* Where the new root hangs until it is the root: any folder that every system has. */
#define SCAFFOLD "/usr"

/* One tree of the host that shall appear at the same path of the new root. */
struct attachment {
	char path[PATH_MAX]; /* absolute */
	bool is_folder;
	int tree;
};

struct root {
	struct attachment attachments[ATTACHMENTS_MAX];
	size_t count;
	int fd; /* the new root's folder */
};

static void root_free(struct root *root)
{
	if (!root)
		return;
	for (size_t i = 0; i < root->count; i++)
		(void)close(root->attachments[i].tree);
	if (root->fd >= 0)
		(void)close(root->fd);
	free(root);
}

static void cleanup_root_function(struct root **root)
{
	root_free(*root);
}

#define cleanup_root cleanup_with(cleanup_root_function)

/* Clones what is at `path`; attributes hold for all mounts below it. */
static int root_take(struct root *root, const char *path, uint64_t attributes)
{
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
	struct attachment *attachment;
	struct stat status;
	int tree, r;

	if (root->count >= ATTACHMENTS_MAX || strlen(path) >= PATH_MAX)
		return -E2BIG;
	tree = open_tree(AT_FDCWD, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return -errno;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) <
		    0 ||
	    fstat(tree, &status) < 0) {
		r = -errno;
		(void)close(tree);
		return r;
	}
	attachment = &root->attachments[root->count++];
	(void)snprintf(attachment->path, sizeof(attachment->path), "%s", path);
	attachment->is_folder = S_ISDIR(status.st_mode);
	attachment->tree = tree;
	return 0;
}

static int root_take_optional(struct root *root, const char *path, uint64_t attributes)
{
	int r = root_take(root, path, attributes);

	return r == -ENOENT ? 0 : r;
}

/* The folder of the module, unless it is below /usr; and of what it is a link to. */
static int root_take_module(struct root *root, const char *module)
{
	char folder[PATH_MAX];
	char *slash;

	if (strncmp(module, "/usr/", 5) == 0 || strncmp(module, "/lib", 4) == 0)
		return 0;
	(void)snprintf(folder, sizeof(folder), "%s", module);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return -EINVAL;
	*slash = '\0';
	return root_take(root, folder, READ_ONLY);
}

/* A configuration file that a profile's environment names is shown, read-only. */
static int root_take_named_file(struct root *root, const char *entry)
{
	const char *value = strchr(entry, '=');
	struct stat status;

	if (!value || value[1] != '/' || stat(value + 1, &status) < 0 ||
	    !S_ISREG(status.st_mode))
		return 0;
	return root_take(root, value + 1, READ_DATA);
}

static int root_take_from_order(struct root *root, const struct start_order *order)
{
	int r = root_take_module(root, order->module);

	if (r < 0)
		return r;
	if (order->reader[0] != '\0') {
		r = root_take(root, "/run/pcscd", READ_DATA);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < order->environment_count; i++) {
		r = root_take_named_file(root, order->environment[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < order->path_rw_count; i++) {
		r = root_take(root, order->paths_rw[i], READ_WRITE);
		if (r < 0)
			return r;
	}
	return 0;
}

/* /lib and the like are links into /usr on today's systems, folders on older ones. */
static const char *const usr_links[] = { "/lib",    "/lib32", "/lib64",
					 "/libx32", "/bin",   "/sbin" };

static bool is_link(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

static int root_take_all(struct root *root, const struct start_order *order)
{
	static const struct {
		const char *path;
		uint64_t attributes;
		bool required;
	} fixed[] = {
		{ "/usr", READ_ONLY, true },
		{ "/etc/ld.so.cache", READ_DATA, false },
		{ "/etc/opensc", READ_DATA, false },
		{ "/dev/null", DEVICE, true },
		{ "/dev/urandom", DEVICE, true },
#ifdef HYGIE_SANITIZED /* for the runtime: what is mapped, and where reports go */
		{ "/proc", READ_DATA, true },
		{ HYGIE_SANITIZED, READ_WRITE, true },
#endif
	};
	int r;

	for (size_t i = 0; i < array_size(fixed); i++) {
		r = root_take_optional(root, fixed[i].path, fixed[i].attributes);
		if (r == 0 && fixed[i].required && access(fixed[i].path, F_OK) < 0)
			r = -ENOENT;
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < array_size(usr_links); i++) {
		r = is_link(usr_links[i])
			    ? 0
			    : root_take_optional(root, usr_links[i], READ_ONLY);
		if (r < 0)
			return r;
	}
	return root_take_from_order(root, order);
}

/* Copies the host's /lib -> usr/lib and the like; needs the old root still in place. */
static int usr_links_copy(int fd)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < array_size(usr_links); i++) {
		ssize_t size = readlink(usr_links[i], target, sizeof(target) - 1);

		if (size < 0)
			continue;
		target[size] = '\0';
		if (symlinkat(target, fd, usr_links[i] + 1) < 0)
			return -errno;
	}
	return 0;
}

/* Makes the folders above `path` in the new root. */
static int parents_make(int fd, const char *path)
{
	char part[PATH_MAX];

	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(at - path - 1),
			       path + 1);
		if (mkdirat(fd, part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int file_make(int fd, const char *path, const char *text)
{
	cleanup_close int file =
		openat(fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t size = strlen(text);

	if (file < 0)
		return -errno;
	if (size > 0 && write(file, text, size) != (ssize_t)size)
		return -EIO;
	return 0;
}

/*
 * Attaches one tree. Its mount point may exist already: inside another tree (a module's
 * folder below a writable one, a file below a folder that is shown), where it only needs
 * to be there.
 */
static int attachment_place(const struct root *root, const struct attachment *attachment)
{
	const char *relative = attachment->path + 1;
	struct stat status;
	int r;

	if (fstatat(root->fd, relative, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		r = parents_make(root->fd, attachment->path);
		if (r < 0)
			return r;
		if (attachment->is_folder)
			r = mkdirat(root->fd, relative, 0755) < 0 ? -errno : 0;
		else
			r = file_make(root->fd, relative, "");
		if (r < 0)
			return r;
	}
	if (move_mount(attachment->tree, "", root->fd, relative,
		       MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* An empty tmpfs, mounted over the scaffold; ret_fd is its folder. */
static int tmpfs_mount(int *ret_fd)
{
	int fd;

	if (mount("hygie-token", SCAFFOLD, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=1m,nr_inodes=256") < 0)
		return -errno;
	fd = open(SCAFFOLD, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int root_fill(struct root *root, const struct start_order *order)
{
	char conf[OPENSC_CONF_MAX];
	int r;

	r = usr_links_copy(root->fd);
	for (size_t i = 0; r == 0 && i < root->count; i++)
		r = attachment_place(root, &root->attachments[i]);
	if (r < 0 || order->driver[0] == '\0')
		return r;
	r = opensc_conf_format(order, conf, sizeof(conf));
	if (r < 0)
		return r;
	r = parents_make(root->fd, OPENSC_CONF_PATH);
	return r < 0 ? r : file_make(root->fd, &OPENSC_CONF_PATH[1], conf);
}

/* Changes into the new root, lets the old one go, and makes the new one read-only. */
static int root_change(int fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (fchdir(fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	/* The old root now lies on top of the new one. */
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/*
 * hygied makes all namespaces at once, and then we are pid 1; a mount namespace of our
 * own is taken in any case, so that a mistake can never turn somebody else's root over.
 */
static int namespaces_enter(void)
{
	int flags = CLONE_NEWNS;

	if (getpid() != 1)
		flags |= CLONE_NEWIPC | CLONE_NEWNET;
	if (unshare(flags) < 0)
		return -errno;
	return mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static int environment_set(const struct start_order *order)
{
	for (size_t i = 0; i < order->environment_count; i++) {
		const char *entry = order->environment[i];
		const char *equals = strchr(entry, '=');
		char name[ENVIRONMENT_ENTRY_MAX];

		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
		if (setenv(name, equals + 1, 0) < 0)
			return -errno;
	}
	if (order->driver[0] != '\0' && setenv("OPENSC_CONF", OPENSC_CONF_PATH, 1) < 0)
		return -errno;
	/* GLib, below OpenSC, would look for it in vain and complain at each card. */
	return setenv("HOME", "/", 0) < 0 ? -errno : 0;
}

static int root_build(struct root *root, const struct start_order *order,
		      const char **ret_what)
{
	int r;

	*ret_what = "new namespaces";
	r = namespaces_enter();
	if (r < 0)
		return r;
	*ret_what = "what the module may see";
	r = root_take_all(root, order);
	if (r < 0)
		return r;
	*ret_what = "new root";
	r = tmpfs_mount(&root->fd);
	if (r == 0)
		r = root_fill(root, order);
	if (r < 0)
		return r;
	*ret_what = "changing into the new root";
	return root_change(root->fd);
}

int root_enter(const struct start_order *order, const char **ret_what)
{
	cleanup_root struct root *root = calloc(1, sizeof(*root));
	int r;

	*ret_what = "memory";
	if (!root)
		return -ENOMEM;
	root->fd = -1;
	(void)umask(022);
	r = root_build(root, order, ret_what);
#ifdef HYGIE_SANITIZED /* valgrind knows no open_tree: there, the host's root stays */
	if (r == -ENOSYS)
		r = 0;
#endif
	(void)umask(077);
	if (r < 0)
		return r;
	*ret_what = "environment";
	return environment_set(order);
}
