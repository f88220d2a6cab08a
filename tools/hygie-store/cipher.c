/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running it; see cipher.h.
 */
#include "hygie-store/cipher.h"

#include "libhygie/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define GOCRYPTFS "/usr/bin/gocryptfs"
#define SECRET_FD 3
#define PASSFILE "/dev/fd/3"
#define LINE_SIZE 256
#define ARGUMENTS_MAX 20
/* It guards 256 random bits: nobody guesses them, so the cost of a guess may be small. */
#define SCRYPT_COST "-scryptn=10"

static const char fscrypt_program[] = HYGIE_LIBEXECDIR "/hygie-fscrypt";

struct cipher {
	enum backend backend;
	const struct cipher_callbacks *callbacks;
	void *context;
	pid_t pid; /* 0 once it was reaped */
	int output;
	sd_event_source *on_end, *on_output, *on_signal;
	char line[LINE_SIZE]; /* the last, as far as it came */
	size_t used;
	char said[LINE_SIZE];
};

static void take_output(struct cipher *cipher, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n') {
			if (cipher->used < sizeof(cipher->line) - 1)
				cipher->line[cipher->used++] = bytes[i];
			continue;
		}
		cipher->line[cipher->used] = '\0';
		cipher->used = 0;
		if (cipher->line[0] == '\0')
			continue;
		memcpy(cipher->said, cipher->line, sizeof(cipher->said));
		log_info("%s: %s", cipher_program(cipher->backend), cipher->line);
	}
}

static void read_output(struct cipher *cipher)
{
	char bytes[1024];
	ssize_t size;

	while ((size = read(cipher->output, bytes, sizeof(bytes))) > 0)
		take_output(cipher, bytes, (size_t)size);
	if (size == 0)
		cipher->on_output = sd_event_source_disable_unref(cipher->on_output);
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	read_output(userdata);
	return 0;
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct cipher *cipher = userdata;
	int status = info->si_code == CLD_EXITED ? info->si_status : -1;

	(void)source;
	cipher->pid = 0;
	if (cipher->on_output)
		read_output(cipher);
	cipher->on_end = sd_event_source_disable_unref(cipher->on_end);
	cipher->callbacks->ended(cipher->context, status);
	return 0;
}

/* Sent when the mount is there and it answers. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *userdata)
{
	struct cipher *cipher = userdata;

	(void)source;
	if ((pid_t)info->ssi_pid == cipher->pid)
		cipher->callbacks->mounted(cipher->context);
	return 0;
}

/* How a process is started. */
struct start {
	enum backend backend;
	const char *const *arguments;
	const struct secret *secret; /* NULL: it needs none */
	int record;                  /* -1: it does not get it */
};

/*
 * gocryptfs is gone with its key by a SIGKILL; hygie-fscrypt has to take it out, and does so
 * by SIGTERM.
 */
static int ending_signal(enum backend backend)
{
	return backend == BACKEND_FSCRYPT ? SIGTERM : SIGKILL;
}

/* Those it is to have, from descriptors above them, so that none is written over. */
static bool take_descriptors(int secret, int output, int record)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	secret = fcntl(secret, F_DUPFD_CLOEXEC, 10);
	output = fcntl(output, F_DUPFD_CLOEXEC, 10);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	if (record >= 0) {
		record = fcntl(record, F_DUPFD_CLOEXEC, 10);
		if (record < 0 || dup2(record, CIPHER_RECORD_FD) < 0)
			return false;
	}
	return secret >= 0 && output >= 0 && null >= 0 && dup2(null, 0) >= 0 &&
	       dup2(output, 1) >= 0 && dup2(output, 2) >= 0 &&
	       dup2(secret, SECRET_FD) >= 0;
}

/* In the child: nothing of ours but the pipe, the output, and our end. */
static _Noreturn void become(const struct start *start, int secret, int output,
			     pid_t parent)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		    quiet[] = "GOTRACEBACK=none";
	char *const environment[] = { path, quiet, NULL };
	char *copy[ARGUMENTS_MAX] = { NULL };
	sigset_t blocked;

	for (size_t i = 0; i < ARGUMENTS_MAX - 1 && start->arguments[i]; i++)
		copy[i] = strdup(start->arguments[i]);
	(void)sigemptyset(&blocked);
	/* hygie-fscrypt reads them when it can: they may come before that. */
	if (start->backend == BACKEND_FSCRYPT) {
		(void)sigaddset(&blocked, SIGTERM);
		(void)sigaddset(&blocked, SIGHUP);
	}
	(void)signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, ending_signal(start->backend)) < 0 ||
	    getppid() != parent || pthread_sigmask(SIG_SETMASK, &blocked, NULL) != 0 ||
	    !take_descriptors(secret, output, start->record))
		_exit(CIPHER_NOT_STARTED);
	(void)execve(copy[0], copy, environment);
	_exit(CIPHER_NOT_STARTED);
}

/* The pipe takes it whole: it is shorter than a page. */
static int fill_pipe(int fd, const struct secret *secret)
{
	size_t size = secret_size(secret);

	if (write(fd, secret_bytes_const(secret), size) != (ssize_t)size ||
	    write(fd, "\n", 1) != 1)
		return -EIO;
	return 0;
}

static int watch(struct cipher *cipher, sd_event *loop)
{
	int r;

	r = sd_event_add_child(loop, &cipher->on_end, cipher->pid, WEXITED, on_end,
			       cipher);
	/* Of one that somebody traces the end is told before it can be waited for: once is
	 * not enough, and sd-event tells the kernel so only when it begins anew. */
	if (r >= 0)
		r = sd_event_source_set_enabled(cipher->on_end, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_enabled(cipher->on_end, SD_EVENT_ON);
	if (r >= 0)
		r = sd_event_add_io(loop, &cipher->on_output, cipher->output, EPOLLIN,
				    on_output, cipher);
	if (r >= 0)
		r = sd_event_add_signal(loop, &cipher->on_signal, SIGUSR1, on_signal,
					cipher);
	/* What it said comes before its end. */
	if (r >= 0)
		r = sd_event_source_set_priority(cipher->on_end,
						 SD_EVENT_PRIORITY_NORMAL + 1);
	return r;
}

static int start(sd_event *loop, const struct start *how,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher)
{
	int secrets[2] = { -1, -1 }, output[2] = { -1, -1 }, r;
	pid_t parent = getpid();
	struct cipher *cipher = calloc(1, sizeof(*cipher));

	if (!cipher)
		return -ENOMEM;
	cipher->backend = how->backend;
	cipher->callbacks = callbacks;
	cipher->context = context;
	cipher->output = -1;
	r = pipe2(secrets, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 ? -errno : 0;
	if (r == 0 && how->secret)
		r = fill_pipe(secrets[1], how->secret);
	if (r == 0) {
		cipher->output = output[0];
		r = fcntl(output[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	}
	if (r == 0) {
		cipher->pid = fork();
		if (cipher->pid == 0)
			become(how, secrets[0], output[1], parent);
		if (cipher->pid < 0) {
			r = -errno;
			cipher->pid = 0;
		}
	}
	for (size_t i = 0; i < 2; i++)
		if (secrets[i] >= 0)
			(void)close(secrets[i]);
	if (output[1] >= 0)
		(void)close(output[1]);
	if (r == 0)
		r = watch(cipher, loop);
	if (r < 0) {
		cipher_free(cipher);
		return r;
	}
	*ret_cipher = cipher;
	return 0;
}

int cipher_init(sd_event *loop, const struct subject *subject,
		const struct secret *secret, const struct cipher_callbacks *callbacks,
		void *context, struct cipher **ret_cipher)
{
	const char *const gocryptfs[] = { GOCRYPTFS,   "-init",         "-q",
					  SCRYPT_COST, "-passfile",     PASSFILE,
					  "--",        subject->folder, NULL };
	const char *const fscrypt[] = { fscrypt_program, "init", subject->folder, NULL };
	const struct start how = {
		.backend = subject->backend,
		.arguments = subject->backend == BACKEND_FSCRYPT ? fscrypt : gocryptfs,
		.secret = secret,
		.record = -1,
	};

	return start(loop, &how, callbacks, context, ret_cipher);
}

static int mount_fscrypt(sd_event *loop, const struct subject *subject, const char *order,
			 int record, const struct secret *secret,
			 const struct cipher_callbacks *callbacks, void *context,
			 struct cipher **ret_cipher)
{
	const char *const arguments[] = { fscrypt_program, order, subject->folder,
					  subject->mount, NULL };
	const struct start how = {
		.backend = BACKEND_FSCRYPT,
		.arguments = arguments,
		.secret = secret,
		.record = record,
	};

	return start(loop, &how, callbacks, context, ret_cipher);
}

int cipher_mount(sd_event *loop, const struct subject *subject, bool read_only,
		 int record, const struct secret *secret,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher)
{
	char notify[24];
	const char *const arguments[] = { GOCRYPTFS,
					  "-fg",
					  "-q",
					  "-nosyslog",
					  "-allow_other",
					  "-nosuid",
					  "-nodev",
					  "-fsname",
					  subject->source,
					  "-notifypid",
					  notify,
					  "-passfile",
					  PASSFILE,
					  read_only ? "-ro" : "-rw",
					  "--",
					  subject->folder,
					  subject->mount,
					  NULL };
	const struct start how = {
		.backend = BACKEND_GOCRYPTFS,
		.arguments = arguments,
		.secret = secret,
		.record = -1,
	};

	if (subject->backend == BACKEND_FSCRYPT)
		return mount_fscrypt(loop, subject, read_only ? "show" : "open", record,
				     secret, callbacks, context, ret_cipher);
	(void)snprintf(notify, sizeof(notify), "%ld", (long)getpid());
	return start(loop, &how, callbacks, context, ret_cipher);
}

int cipher_close(sd_event *loop, const struct subject *subject, int record,
		 const struct cipher_callbacks *callbacks, void *context,
		 struct cipher **ret_cipher)
{
	return mount_fscrypt(loop, subject, "close", record, NULL, callbacks, context,
			     ret_cipher);
}

void cipher_free(struct cipher *cipher)
{
	if (!cipher)
		return;
	(void)sd_event_source_disable_unref(cipher->on_end);
	(void)sd_event_source_disable_unref(cipher->on_output);
	(void)sd_event_source_disable_unref(cipher->on_signal);
	if (cipher->pid > 0) {
		(void)kill(cipher->pid, ending_signal(cipher->backend));
		(void)waitpid(cipher->pid, NULL, 0);
	}
	if (cipher->output >= 0)
		(void)close(cipher->output);
	free(cipher);
}

pid_t cipher_pid(const struct cipher *cipher)
{
	return cipher->pid;
}

void cipher_kill(struct cipher *cipher)
{
	if (cipher->pid > 0)
		(void)kill(cipher->pid, ending_signal(cipher->backend));
}

void cipher_look(const struct cipher *cipher)
{
	if (cipher && cipher->pid > 0 && cipher->backend == BACKEND_FSCRYPT)
		(void)kill(cipher->pid, SIGHUP);
}

const char *cipher_program(enum backend backend)
{
	return backend == BACKEND_FSCRYPT ? "hygie-fscrypt" : "gocryptfs";
}

const char *cipher_said(const struct cipher *cipher)
{
	return cipher->said;
}
