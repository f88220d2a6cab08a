/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a site's CA folders; declared in trust.h. It refuses whatever somebody other than
 * the owner could have put there, and says which file and what to do.
 */
#include "hygied/trust_anchors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Where the reading stands: for the checks, and for the sentence when one fails. */
struct load {
	uid_t owner;
	const char *path; /* of what is being looked at */
	char *reason;
	size_t reason_size;
};

__attribute__((format(printf, 3, 4))) static int
load_fail(const struct load *load, int error, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(load->reason, load->reason_size, "%s: ", load->path);

	if (used < 0 || (size_t)used >= load->reason_size)
		return error;
	va_start(arguments, format);
	(void)vsnprintf(load->reason + used, load->reason_size - (size_t)used, format,
			arguments);
	va_end(arguments);
	return error;
}

static void dir_close_function(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static void bio_free_function(BIO **bio)
{
	BIO_free(*bio);
}

static int load_check_owner(const struct load *load, const struct stat *st)
{
	if (st->st_uid != load->owner)
		return load_fail(
			load, -EPERM,
			"belongs to uid %u instead of %u; check what it is, then chown it",
			(unsigned)st->st_uid, (unsigned)load->owner);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return load_fail(
			load, -EPERM,
			"is writable for its group or for everybody; chmod go-w it");
	return 0;
}

static int load_open(const struct load *load, int at_fd, const char *name, int flags,
		     int *ret_fd, struct stat *ret_st)
{
	/* O_NONBLOCK: a FIFO put there must not hold up the start. */
	cleanup_close int fd = openat(
		at_fd, name, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0) {
		r = -errno;
		if (r == -ELOOP || (r == -ENOTDIR && (flags & O_DIRECTORY) != 0))
			return load_fail(
				load, r,
				"is a symbolic link or no folder; put the real one there");
		return load_fail(load, r, "cannot be opened: %m");
	}
	if (fstat(fd, &st) < 0)
		return load_fail(load, -errno, "cannot be examined: %m");
	r = load_check_owner(load, &st);
	if (r < 0)
		return r;
	*ret_st = st;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/*
 * Whoever may write above could put another folder in this one's place. Where the sticky
 * bit is set he could not: there only a thing's owner renames it.
 */
static int load_check_above(const struct load *load, int fd)
{
	cleanup_close int at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct stat st, above;

	if (at < 0 || fstat(at, &st) < 0)
		return load_fail(load, -errno, "cannot be examined: %m");
	for (unsigned up = 1;; up++) {
		int next = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (next < 0 || fstat(next, &above) < 0) {
			int error = -errno;

			if (next >= 0)
				(void)close(next);
			return load_fail(load, error,
					 "the folder above cannot be examined: %m");
		}
		(void)close(at);
		at = next;
		if (above.st_dev == st.st_dev && above.st_ino == st.st_ino)
			return 0;
		if ((above.st_uid != load->owner && above.st_uid != 0) ||
		    ((above.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
		     (above.st_mode & S_ISVTX) == 0))
			return load_fail(
				load, -EPERM,
				"lies in a folder (%u up) that others may write or own; "
				"chown it, and chmod go-w it",
				up);
		st = above;
	}
}

/* Takes over nothing: the store and the stack hold references of their own. */
static int anchors_add(struct trust_anchors *anchors, const struct load *load,
		       const uint8_t *der, size_t size)
{
	cleanup_certificate struct certificate *c = NULL;
	X509 *x509;
	int r;

	r = certificate_parse(der, size, &c);
	if (r == -EBADMSG)
		return load_fail(load, r,
				 "holds something that is not one whole certificate");
	if (r < 0)
		return load_fail(load, r, "cannot be read: out of memory");
	x509 = certificate_x509(c);
	if (X509_check_ca(x509) != 1)
		return load_fail(load, -EBADMSG,
				 "holds a certificate that is not a CA's (%s)",
				 certificate_subject(c));

	if (X509_self_signed(x509, 1) == 1) {
		if (X509_STORE_add_cert(anchors->store, x509) != 1)
			return load_fail(load, -ENOMEM, "cannot be kept: out of memory");
		anchors->anchor_count++;
		return 0;
	}
	if (X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0)
		return load_fail(
			load, -EBADMSG,
			"holds a CA that names itself as its issuer, with a signature "
			"that is not its own (%s); fetch it again",
			certificate_subject(c));
	if (X509_add_cert(anchors->intermediates, x509, X509_ADD_FLAG_UP_REF) != 1)
		return load_fail(load, -ENOMEM, "cannot be kept: out of memory");
	return 0;
}

/* Each PEM block must be a plain certificate: a key or a CRL here is somebody's mistake.
 */
static int anchors_add_pem(struct trust_anchors *anchors, const struct load *load,
			   const uint8_t *bytes, size_t size)
{
	cleanup_with(bio_free_function) BIO *bio = BIO_new_mem_buf(bytes, (int)size);
	size_t count = 0;
	int r = 0;

	if (bio == NULL)
		return load_fail(load, -ENOMEM, "cannot be read: out of memory");
	while (r == 0) {
		char *name = NULL, *header = NULL;
		uint8_t *der = NULL;
		long der_size;

		if (PEM_read_bio(bio, &name, &header, &der, &der_size) != 1)
			break;
		if (strcmp(name, PEM_STRING_X509) != 0)
			r = load_fail(
				load, -EBADMSG,
				"holds something else than certificates; remove it");
		else
			r = anchors_add(anchors, load, der, (size_t)der_size);
		count++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	if (r < 0)
		return r;
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || count == 0)
		return load_fail(load, -EBADMSG,
				 "is neither PEM nor DER; fetch it again");
	return 0;
}

static int load_read(const struct load *load, int fd, uint8_t **ret_bytes,
		     size_t *ret_size)
{
	cleanup_free uint8_t *bytes = malloc(TRUST_FILE_SIZE_MAX + 1);
	size_t size = 0;

	if (bytes == NULL)
		return load_fail(load, -ENOMEM, "cannot be read: out of memory");
	while (size <= TRUST_FILE_SIZE_MAX) {
		ssize_t n = read(fd, bytes + size, TRUST_FILE_SIZE_MAX + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return load_fail(load, -errno, "cannot be read: %m");
		if (n == 0)
			break;
		size += (size_t)n;
	}
	if (size > TRUST_FILE_SIZE_MAX)
		return load_fail(load, -EFBIG, "is larger than 1 MiB; split it");
	*ret_bytes = bytes;
	*ret_size = size;
	bytes = NULL;
	return 0;
}

static int load_file(struct trust_anchors *anchors, const struct load *load, int dir_fd,
		     const char *name)
{
	cleanup_free uint8_t *bytes = NULL;
	cleanup_close int fd = -1;
	struct stat st;
	size_t size = 0;
	int r;

	r = load_open(load, dir_fd, name, 0, &fd, &st);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return load_fail(load, -EBADMSG, "is not a file; remove it");
	r = load_read(load, fd, &bytes, &size);
	if (r < 0)
		return r;
	if (size > 0 && bytes[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
		return anchors_add(anchors, load, bytes, size);
	return anchors_add_pem(anchors, load, bytes, size);
}

static bool has_ca_suffix(const char *name)
{
	static const char *const suffixes[] = { ".pem", ".crt", ".cer", ".der" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && dot != name && i < array_size(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

/* The folder behind fd as a stream of its own; the caller keeps fd. */
static int folder_open(const struct load *load, int fd, DIR **ret_dir)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (dir == NULL) {
		int error = -errno;

		if (copy >= 0)
			(void)close(copy);
		return load_fail(load, error, "cannot be listed: %m");
	}
	*ret_dir = dir;
	return 0;
}

/* The next name that does not begin with a dot: 1, 0 at the end, or an error. */
static int folder_next(const struct load *load, DIR *dir, const char **ret_name)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0
				       ? 0
				       : load_fail(load, -errno, "cannot be listed: %m");
	} while (entry->d_name[0] == '.');
	*ret_name = entry->d_name;
	return 1;
}

/* Steps down to what lies under name; the caller frees *path. */
static int load_enter(struct load *load, const char *name, char **path)
{
	if (asprintf(path, "%s/%s", load->path, name) < 0) {
		*path = NULL;
		return load_fail(load, -ENOMEM, "cannot be read: out of memory");
	}
	load->path = *path;
	return 0;
}

static int load_scheme(struct trust_anchors *anchors, const struct load *load, int fd)
{
	cleanup_with(dir_close_function) DIR *dir = NULL;
	const char *name;
	int r = folder_open(load, fd, &dir);

	while (r >= 0 && (r = folder_next(load, dir, &name)) > 0) {
		cleanup_free char *path = NULL;
		struct load inner = *load;

		if (!has_ca_suffix(name))
			continue;
		r = load_enter(&inner, name, &path);
		if (r == 0)
			r = load_file(anchors, &inner, fd, name);
	}
	return r;
}

static struct trust_anchors *trust_anchors_of(struct trust *trust,
					      const struct identity_scheme *scheme)
{
	for (size_t i = 0; i < trust->count; i++)
		if (trust->by_scheme[i].scheme == scheme)
			return &trust->by_scheme[i];
	return NULL;
}

static int load_entry(struct trust *trust, const struct load *load, int dir_fd,
		      const char *name)
{
	const struct identity_scheme *scheme = identity_scheme_by_name(name);
	cleanup_close int fd = -1;
	struct stat st;
	int r;

	if (has_ca_suffix(name))
		return load_fail(
			load, -EBADMSG,
			"is not in a scheme's folder; move it into the one of its scheme");
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return load_fail(load, -errno, "cannot be examined: %m");
	if (S_ISREG(st.st_mode))
		return 0; /* a site's notes */
	if (scheme == NULL)
		return load_fail(
			load, -EBADMSG,
			"is not named after a scheme of this version; rename or remove it");
	r = load_open(load, dir_fd, name, O_DIRECTORY, &fd, &st);
	if (r < 0)
		return r;
	return load_scheme(trust_anchors_of(trust, scheme), load, fd);
}

static int load_all(struct trust *trust, const struct load *load, const char *ca_dir)
{
	cleanup_with(dir_close_function) DIR *dir = NULL;
	cleanup_close int fd = -1;
	const char *name;
	struct stat st;
	int r;

	r = load_open(load, AT_FDCWD, ca_dir, O_DIRECTORY, &fd, &st);
	if (r < 0)
		return r;
	r = load_check_above(load, fd);
	if (r < 0)
		return r;
	r = folder_open(load, fd, &dir);
	while (r >= 0 && (r = folder_next(load, dir, &name)) > 0) {
		cleanup_free char *path = NULL;
		struct load inner = *load;

		r = load_enter(&inner, name, &path);
		if (r == 0)
			r = load_entry(trust, &inner, fd, name);
	}
	return r;
}

static int trust_new(struct trust **ret_trust)
{
	cleanup_trust struct trust *trust = NULL;
	size_t count = 0;

	while (identity_scheme_at(count) != NULL)
		count++;
	trust = calloc(1, sizeof(*trust) + count * sizeof(trust->by_scheme[0]));
	if (trust == NULL)
		return -ENOMEM;
	trust->count = count;
	for (size_t i = 0; i < count; i++) {
		struct trust_anchors *anchors = &trust->by_scheme[i];

		anchors->scheme = identity_scheme_at(i);
		anchors->store = X509_STORE_new();
		anchors->intermediates = sk_X509_new_null();
		if (anchors->store == NULL || anchors->intermediates == NULL)
			return -ENOMEM;
	}
	*ret_trust = trust;
	trust = NULL;
	return 0;
}

int trust_load_owned(const char *ca_dir, uid_t owner, struct trust **ret_trust,
		     char *reason, size_t reason_size)
{
	const struct load load = { owner, ca_dir, reason, reason_size };
	cleanup_trust struct trust *trust = NULL;
	int r;

	r = trust_new(&trust);
	if (r < 0)
		return load_fail(&load, r, "cannot be read: out of memory");
	r = load_all(trust, &load, ca_dir);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_trust = trust;
	trust = NULL;
	return 0;
}

void trust_free(struct trust *trust)
{
	if (trust == NULL)
		return;
	for (size_t i = 0; i < trust->count; i++) {
		X509_STORE_free(trust->by_scheme[i].store);
		sk_X509_pop_free(trust->by_scheme[i].intermediates, X509_free);
	}
	free(trust);
}
