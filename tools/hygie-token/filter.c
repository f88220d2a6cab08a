/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp filters; see filter.h.
 *
 * Three answers. Allowed: below. ENOSYS: everything that is not named, so that a C library
 * takes its older way (clone3, faccessat2, statx). Death: what no module has any honest
 * use for, so that an attack ends instead of being tried again.
 */
#include "hygie-token/filter.h"

#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

define_cleanup(cleanup_filter_function, void, seccomp_release)
#define cleanup_filter cleanup_with(cleanup_filter_function)

/*
 * The second step, measured with strace between READY and the end: OpenSC and ykcs11 over
 * libpcsclite use futex, madvise, mlock, mmap, munlock, munmap, newfstatat, poll, read,
 * sendto, write, exit_group. The rest is said with each line.
 */
static const int login_calls[] = {
	/* talking with pcscd and with hygied; ppoll is aarch64's poll */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(close),
	/* the C library's allocator (brk, mremap with larger secrets), secrets themselves */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(mlock), SCMP_SYS(munlock),
	/* threads that exist already, and time where the vDSO has no clock */
	SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	/* libpcsclite sleeps while pcscd powers a card up */
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
	/* libpcsclite looks whether pcscd's socket is still the same */
	SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	/* OpenSSL's random numbers (padding, blinding), and whether it was forked */
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
	/* the end, and abort(): its message, its mask */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(writev), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
};

/*
 * What a login on a token in files needs on top: SoftHSM reads its objects anew, and notes
 * in its token file (under a lock of fcntl) that a PIN was wrong or right again.
 */
static const int login_file_calls[] = {
	SCMP_SYS(openat),   SCMP_SYS(lseek),	  SCMP_SYS(fcntl), SCMP_SYS(ftruncate),
	SCMP_SYS(getdents64), SCMP_SYS(faccessat),
};

/* What loading and reading need on top of both: the loader, threads, files, descriptors. */
static const int loading_calls[] = {
	SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(access), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sched_yield),
	SCMP_SYS(mprotect), SCMP_SYS(mmap), SCMP_SYS(readv), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getattr), SCMP_SYS(getcpu), SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getgroups), SCMP_SYS(clock_getres), SCMP_SYS(time), SCMP_SYS(times),
	SCMP_SYS(getrusage), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(umask),
	SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2), SCMP_SYS(connect), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getrlimit), SCMP_SYS(mlock2), SCMP_SYS(fstatfs), SCMP_SYS(statfs),
	/* the second step itself */
	SCMP_SYS(seccomp),
};

/* Other programs, other processes, the system: a module that asks for these is hostile. */
static const int deadly_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(kcmp), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(keyctl),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(acct), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(mknod),
	SCMP_SYS(mknodat), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid),
	SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid), SCMP_SYS(setgroups), SCMP_SYS(capset), SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname), SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(quotactl),
};

static int rules_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(filter, action, calls[i], 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static int filter_new(scmp_filter_ctx *ret_filter)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_KILL_PROCESS, deadly_calls,
			      array_size(deadly_calls));
	if (r == 0)
		r = rules_add(filter, SCMP_ACT_ALLOW, login_calls, array_size(login_calls));
	/* abort() and assert(): a signal to ourselves */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
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
		PR_SET_NAME,	     PR_GET_NAME,	  PR_SET_VMA,
	};
	int r;

	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				     SCMP_A2(SCMP_CMP_EQ, 0));
	for (size_t i = 0; r == 0 && i < array_size(prctl_options); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, prctl_options[i]));
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
		r = rules_add(filter, SCMP_ACT_ALLOW, loading_calls, array_size(loading_calls));
	if (r == 0)
		r = loading_conditions_add(filter);
	return r < 0 ? r : seccomp_load(filter);
}

int filter_for_login(enum filter_kind kind)
{
	cleanup_filter scmp_filter_ctx filter = NULL;
	int r;

	r = filter_new(&filter);
	/* memory that can be run is no longer to be had: the allocator needs none */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0 && kind == FILTER_FILE)
		r = rules_add(filter, SCMP_ACT_ALLOW, login_file_calls,
			      array_size(login_file_calls));
	return r < 0 ? r : seccomp_load(filter);
}
