/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie-fscrypt: makes and shows a folder that the file system itself encrypts (fscrypt), as
 * gocryptfs does with one of its own. A child of hygie-store, which waits for its end: the
 * kernel's calls may block for as long as a disk takes to be flushed. While it runs the key
 * is there; it ends when the key is gone.
 */
#include "hygie-fscrypt/master_key.h"
#include "hygie-fscrypt/show.h"
#include "hygie-fscrypt/stay.h"
#include "hygie-store/cipher.h"
#include "hygie-store/record.h"
#include "libhygie/error_text.h"
#include "libhygie/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif

#define SECRET_FD 3

static const char usage_text[] =
	"Usage: hygie-fscrypt init FOLDER\n"
	"       hygie-fscrypt open FOLDER MOUNT\n"
	"       hygie-fscrypt show FOLDER MOUNT\n"
	"       hygie-fscrypt close FOLDER MOUNT\n"
	"\n"
	"Makes, shows (read-only) and closes an encrypted folder. Started by hygie-store.\n"
	"\n"
	"  --help      this text\n"
	"  --version   the version\n"
	"\n"
	"See hygie-store(8).\n";

static pid_t keeper;

static int say(int status, const char *path, const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", path, what);
	return status;
}

static int fail(int r, const char *path)
{
	return say(1, path, error_text(-r));
}

/* That it is shown; later, that it is in use, though it is shown no more. */
static void tell_keeper(void)
{
	if (getppid() == keeper)
		(void)kill(keeper, SIGUSR1);
}

static int read_key(struct master_key **ret_key, struct fscrypt_key_id *ret_id)
{
	int r = master_key_read(SECRET_FD, ret_key);

	return r < 0 ? r : master_key_identify(*ret_key, ret_id);
}

/* ---- init ---- */

static int tell_unfit(int r, const char *folder)
{
	switch (-r) {
	case ENOTTY:
	case EOPNOTSUPP:
		return say(CIPHER_EXIT_NO_ENCRYPTION, folder,
			   "its file system does not encrypt");
	case EXDEV:
		return say(CIPHER_EXIT_CIPHER, folder,
			   "is mounted itself; take a folder in it");
	case EEXIST:
	case ENOTEMPTY:
		return say(CIPHER_EXIT_CIPHER, folder,
			   "is encrypted already, or not empty");
	case EPERM:
		return say(CIPHER_EXIT_CIPHER, folder,
			   "cannot be encrypted: the top of a disk cannot");
	default:
		return fail(r, folder);
	}
}

/* The key need not be there for that, so it is not brought there. */
static int make(struct subject *subject)
{
	cleanup_master_key struct master_key *key = NULL;
	cleanup_close int fd =
		open(subject->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = read_key(&key, &subject->key);

	if (r < 0)
		return fail(r, "the secret");
	if (fd < 0)
		return fail(-errno, subject->folder);
	r = subject_find(subject, fd);
	if (r == 0)
		r = fscrypt_key_assign(fd, &subject->key);
	if (r < 0)
		return tell_unfit(r, subject->folder);
	return fsync(fd) < 0 ? fail(-errno, subject->folder) : 0;
}

/* ---- open, show, close ---- */

static int status_of(int r, const struct subject *subject)
{
	if (r < 0)
		return fail(r, subject->folder);
	return r == STAY_GONE ? 0 : CIPHER_EXIT_HELD;
}

/* Whether the secret is this folder's: the kernel gets no other. */
static int take_key(const struct subject *subject, int disk)
{
	cleanup_master_key struct master_key *key = NULL;
	struct fscrypt_key_id id;
	int r = read_key(&key, &id);

	if (r < 0)
		return fail(r, "the secret");
	if (!fscrypt_key_is_same(&id, &subject->key))
		return say(CIPHER_EXIT_PASSWORD, subject->folder,
			   "is encrypted with another key");
	r = master_key_add(key, disk, &subject->key);
	return r < 0 ? fail(r, subject->folder) : 0;
}

static int open_folder(const struct subject *subject, bool read_only, int disk,
		       int signals)
{
	int r = take_key(subject, disk);

	(void)close(SECRET_FD);
	if (r != 0)
		return r;
	r = show_folder(subject, read_only);
	if (r < 0) {
		(void)fail(r, subject->mount);
		r = fscrypt_key_remove(disk, &subject->key);
		return r < 0 ? fail(r, subject->folder) : 1;
	}
	if (!stay_is_over())
		tell_keeper();
	return status_of(stay_shown(subject, disk, signals, tell_keeper), subject);
}

static int serve(const char *order, struct subject *subject, int signals)
{
	cleanup_close int disk = -1;
	char reason[HYGIE_TEXT_MAX];
	int r = subject_look(subject, reason, sizeof(reason));

	if (r < 0) {
		(void)fprintf(stderr, "%s\n", reason);
		return CIPHER_EXIT_CIPHER;
	}
	r = subject_open_disk(subject, &disk);
	if (r < 0)
		return fail(r, subject->folder);
	return open_folder(subject, strcmp(order, "show") == 0, disk, signals);
}

/* As it was when it was opened: its folder may have another path by now. */
static int close_folder(struct subject *subject, int signals)
{
	cleanup_close int disk = -1;
	int r = record_read(CIPHER_RECORD_FD, "", subject);

	if (r <= 0 || subject->backend != BACKEND_FSCRYPT)
		return fail(r < 0 ? r : -ENOENT, subject->folder);
	r = subject_open_disk(subject, &disk);
	if (r < 0)
		return fail(r, subject->folder);
	return status_of(stay_closing(subject, disk, signals, tell_keeper), subject);
}

static int run(const char *order, struct subject *subject)
{
	cleanup_close int signals = -1;
	int r = stay_prepare(&signals);

	keeper = getppid();
	if (r == 0)
		r = secret_protect_process();
	if (r < 0)
		return fail(r, "hygie-fscrypt");
	/* What OpenSSL copies, too. The key itself is locked in any case. */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	if (stay_is_over())
		return 1;
	if (strcmp(order, "init") == 0)
		return make(subject);
	if (strcmp(order, "close") == 0)
		return close_folder(subject, signals);
	return serve(order, subject, signals);
}

/* Whether it fits. */
static bool take_path(char ret_path[HYGIE_PATH_MAX], const char *path)
{
	size_t size = strlen(path) + 1;

	if (size > HYGIE_PATH_MAX)
		return false;
	memcpy(ret_path, path, size);
	return true;
}

static bool is_order(const char *word, int arguments)
{
	return (strcmp(word, "init") == 0 && arguments == 3) ||
	       ((strcmp(word, "open") == 0 || strcmp(word, "show") == 0 ||
		 strcmp(word, "close") == 0) &&
		arguments == 4);
}

int main(int argc, char *argv[])
{
	struct subject subject = { .backend = BACKEND_FSCRYPT };

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage_text, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)puts("hygie-fscrypt " HYGIE_VERSION);
		return 0;
	}
	if (argc < 3 || !is_order(argv[1], argc) || !take_path(subject.folder, argv[2]) ||
	    (argc == 4 && !take_path(subject.mount, argv[3]))) {
		(void)fputs("hygie-fscrypt: see hygie-fscrypt --help\n", stderr);
		return 2;
	}
	return run(argv[1], &subject);
}
