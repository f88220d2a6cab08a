/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp filters; see filter.h.
 *
 * Three answers. Allowed: below. ENOSYS: everything that is not named, so that a C
 * library takes its older way (clone3, faccessat2, statx). Death: what no module has any
 * honest use for, so that an attack ends instead of being tried again.
 */
#include "hygie-token/filter.h"

#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANY_BIT UINT64_MAX

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define CALL_NAME_MAX 32

/*
 * The second step, measured with strace between READY and the end: OpenSC and ykcs11 over
 * libpcsclite use futex, madvise, mlock, mmap, munlock, munmap, newfstatat, poll, read,
 * sendto, write, exit_group. The rest is said with each line.
 */
static const char *const login_calls[] = {
	/* talking with pcscd and with hygied; ppoll is aarch64's poll */
	"poll ppoll read write sendto recvfrom close",
	/* the C library's allocator; secrets */
	"brk munmap mremap madvise mlock munlock",
	/* threads that exist already, and time where the vDSO has no clock */
	"futex clock_gettime gettimeofday",
	/* a thread made while loading may first run now: without rseq glibc aborts */
	"rseq set_robust_list",
	/* libpcsclite sleeps while pcscd powers a card up */
	"nanosleep clock_nanosleep restart_syscall",
	/* libpcsclite looks whether pcscd's socket is still the same */
	"fstat newfstatat",
	/* OpenSSL's random numbers (padding, blinding), and whether it was forked */
	"getrandom getpid gettid",
	/* the end, and abort(): its message, its mask */
	"exit exit_group writev rt_sigprocmask rt_sigreturn",
};

/*
 * What a login on a token in files needs on top: SoftHSM reads its objects anew, and
 * notes in its token file (under a lock of fcntl) that a PIN was wrong or right again.
 */
static const char *const login_file_calls[] = {
	"openat lseek fcntl ftruncate getdents64 faccessat",
};

/* What loading and reading need on top of both; OpenSC brings GLib, which makes threads.
 */
static const char *const loading_calls[] = {
	/* the loader, configuration files, a token's files */
	"open stat lstat access statfs fstatfs readlink readlinkat getcwd readv pread64 pwrite64",
	"mkdir mkdirat unlink unlinkat rename renameat flock fsync umask mmap mprotect mlock2",
	/* threads; what libraries ask about their process */
	"set_tid_address sched_yield sched_getaffinity sched_getattr getcpu",
	"rt_sigaction sigaltstack getppid getuid geteuid getgid getegid getresuid getresgid",
	"getgroups getrlimit getrusage uname sysinfo time times clock_getres",
	/* descriptors, and pcscd's socket; socket() itself: see loading_conditions_add */
	"dup dup2 dup3 pipe pipe2 eventfd2 select pselect6 connect shutdown getsockopt",
	"setsockopt getsockname getpeername sendmsg recvmsg",
	/* the second step itself */
	"seccomp",
};

/* Other programs, other processes, the system: a module that asks for these is hostile.
 */
static const char *const deadly_calls[] = {
	"execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise",
	"kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_getfd",
	"pidfd_send_signal kcmp",
	"mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig",
	"fsmount fspick mount_setattr name_to_handle_at open_by_handle_at mknod mknodat",
	"bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register",
	"keyctl add_key request_key",
	"init_module finit_module delete_module kexec_load kexec_file_load reboot",
	"swapon swapoff iopl ioperm acct quotactl syslog vhangup sethostname setdomainname",
	"settimeofday clock_settime clock_adjtime adjtimex",
	"setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset",
};

#ifdef HYGIE_SANITIZED
/* What the runtime of a sanitiser does in our name, at any time. */
static const char *const sanitizer_calls[] = {
	"open openat lseek fcntl stat lstat pread64 readlink readlinkat getdents64 access",
	"mmap mprotect mincore sigaltstack rt_sigaction rt_sigtimedwait sched_yield",
	"getrlimit prlimit64 pipe dup dup2 getppid getuid geteuid uname",
};
#endif

/* Names separated by blanks; one that libseccomp does not know is our mistake. */
static int names_add(scmp_filter_ctx filter, uint32_t action, const char *names)
{
	char name[CALL_NAME_MAX];
	int used, call, r;

	while (sscanf(names, "%31s%n", name, &used) == 1) {
		call = seccomp_syscall_resolve_name(name);
		if (call == __NR_SCMP_ERROR)
			return -EINVAL;
		/* A call that this architecture lacks is skipped by libseccomp. */
		r = seccomp_rule_add(filter, action, call, 0);
		if (r < 0)
			return r;
		names += used;
	}
	return 0;
}

static int rules_add(scmp_filter_ctx filter, uint32_t action, const char *const *names,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = names_add(filter, action, names[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Allows `call` where argument number `argument`, masked, has the value. */
static int rule_add_if(scmp_filter_ctx filter, int call, unsigned argument, uint64_t mask,
		       uint64_t value)
{
	struct scmp_arg_cmp condition = { argument, SCMP_CMP_MASKED_EQ, mask, value };

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int filter_new(scmp_filter_ctx *ret_filter)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				     SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_KILL_PROCESS, deadly_calls,
			      array_size(deadly_calls));
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_ALLOW, login_calls,
			      array_size(login_calls));
#ifdef HYGIE_SANITIZED
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_ALLOW, sanitizer_calls,
			      array_size(sanitizer_calls));
#endif
	/* abort() and assert(): a signal to ourselves */
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(tgkill), 0, ANY_BIT, (uint64_t)getpid());
	if (r < 0) {
		seccomp_release(filter);
		return r;
	}
	*ret_filter = filter;
	return 0;
}

/* Unix sockets alone; threads, but no process; limits may be read; a few of prctl's. */
static int loading_conditions_add(scmp_filter_ctx filter)
{
	static const uint64_t prctl_options[] = {
		PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP,
		PR_SET_NAME,         PR_GET_NAME,         PR_SET_VMA,
	};
	int r;

	r = rule_add_if(filter, SCMP_SYS(socket), 0, ANY_BIT, AF_UNIX);
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(socketpair), 0, ANY_BIT, AF_UNIX);
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(prlimit64), 2, ANY_BIT, 0);
	for (size_t i = 0; r == 0 && i < array_size(prctl_options); i++)
		r = rule_add_if(filter, SCMP_SYS(prctl), 0, ANY_BIT, prctl_options[i]);
	return r;
}

static void cleanup_filter_function(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

#define cleanup_filter cleanup_with(cleanup_filter_function)

/* Loads what was built, unless building it failed with r. */
static int filter_enter(scmp_filter_ctx filter, int r)
{
	if (r == 0)
		r = seccomp_load(filter);
#ifdef HYGIE_SANITIZED /* valgrind knows no seccomp: there, no filter is */
	if (r == -EOPNOTSUPP)
		r = 0;
#endif
	return r;
}

int filter_for_loading(void)
{
	cleanup_filter scmp_filter_ctx filter = NULL;
	int r;

	r = filter_new(&filter);
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_ALLOW, login_file_calls,
			      array_size(login_file_calls));
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_ALLOW, loading_calls,
			      array_size(loading_calls));
	if (r == 0)
		r = loading_conditions_add(filter);
	return filter_enter(filter, r);
}

int filter_for_login(enum filter_kind kind)
{
	cleanup_filter scmp_filter_ctx filter = NULL;
	int r;

	r = filter_new(&filter);
	/* memory that can be run is no longer to be had: the allocator needs none */
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	if (r == 0)
		r = rule_add_if(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	if (r == 0 && kind == FILTER_FILE)
		r = rules_add(filter, SCMP_ACT_ALLOW, login_file_calls,
			      array_size(login_file_calls));
	return filter_enter(filter, r);
}
