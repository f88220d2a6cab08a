/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtimes of AddressSanitizer and UndefinedBehaviorSanitizer read instead of an
 * environment, which hygie-token has none of. Linked only into the builds of `make asan`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/prctl.h>

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);

#define REPORTS "log_path=" HYGIE_SANITIZED "/report:log_exe_name=1:exitcode=99:"

/*
 * allocator_may_return_null: a refused allocation is a case of ours, not a finding.
 * verify_asan_link_order: tests put libraries of their own before all others.
 */
const char *__asan_default_options(void)
{
	return REPORTS
		"detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:"
		"check_initialization_order=1:allocator_may_return_null=1:"
		"verify_asan_link_order=0";
}

const char *__ubsan_default_options(void)
{
	return REPORTS "print_stacktrace=1";
}

/* Looking for leaks takes a thread and ptrace: not to be had behind a seccomp filter. */
int __lsan_is_turned_off(void)
{
	return prctl(PR_GET_SECCOMP) != 0;
}

/*
 * gcc's two runtimes hold a copy each of what writes reports. libubsan's own call to set
 * the path of its copy lands in libasan's, which is asked first; so we call the right
 * one.
 */
__attribute__((constructor)) static void undefined_reports_go_there_too(void)
{
	void *runtime = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void (*set_path)(const char *);

	if (!runtime)
		return;
	*(void **)&set_path = dlsym(runtime, "__sanitizer_set_report_path");
	if (set_path)
		set_path(HYGIE_SANITIZED "/report");
	(void)dlclose(runtime);
}
