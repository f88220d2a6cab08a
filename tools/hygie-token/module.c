/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the module; see module.h.
 */
#include "hygie-token/module.h"

#include "libhygie/error_text.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

/* A file that somebody but root may write is nobody's module. */
static enum hygie_outcome file_check(const char *path, struct failure *failure)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return failure_set(failure, HYGIE_BROKEN_SETUP, "%s: %s", path,
				   error_text(errno));
	if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & 022) != 0)
		return failure_set(failure, HYGIE_BROKEN_SETUP,
				   "%s is no file that root alone may write", path);
	return HYGIE_OK;
}

/* NULL when `failure` says why. */
static CK_FUNCTION_LIST *functions_find(const char *path, struct failure *failure)
{
	CK_FUNCTION_LIST *functions = NULL;
	CK_C_GetFunctionList get;
	void *handle;
	CK_RV rv;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		(void)failure_set(failure, HYGIE_BROKEN_SETUP, "%s", dlerror());
		return NULL;
	}
	get = (CK_C_GetFunctionList)dlsym(handle, "C_GetFunctionList");
	if (!get) {
		(void)failure_set(failure, HYGIE_BROKEN_SETUP,
				  "%s has no C_GetFunctionList", path);
		return NULL;
	}
	rv = get(&functions);
	if (rv != CKR_OK) {
		(void)failure_pkcs11(failure, "C_GetFunctionList", rv);
		return NULL;
	}
	if (!functions || functions->version.major != 2) {
		(void)failure_set(failure, HYGIE_BROKEN_SETUP,
				  "%s is no PKCS#11 2.x module", path);
		return NULL;
	}
	return functions;
}

enum hygie_outcome module_load(const char *path, CK_FUNCTION_LIST **ret_functions,
			       struct failure *failure)
{
	CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };
	CK_FUNCTION_LIST *functions;
	enum hygie_outcome outcome;
	CK_RV rv;

	outcome = file_check(path, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	functions = functions_find(path, failure);
	if (!functions)
		return failure->outcome;
	rv = functions->C_Initialize(&arguments);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_Initialize", rv);
	*ret_functions = functions;
	return HYGIE_OK;
}
