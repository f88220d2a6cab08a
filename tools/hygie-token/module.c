/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the module; see module.h.
 */
#include "hygie-token/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static enum hygie_outcome functions_get(const char *path, CK_C_GetFunctionList get,
					CK_FUNCTION_LIST **ret_functions,
					struct failure *failure)
{
	CK_FUNCTION_LIST *functions = NULL;
	CK_RV rv;

	rv = get(&functions);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_GetFunctionList", rv);
	if (!functions || functions->version.major != 2)
		return failure_set(failure, HYGIE_BROKEN_SETUP,
				   "%s is no PKCS#11 2.x module", path);
	*ret_functions = functions;
	return HYGIE_OK;
}

/* A file that somebody but root may write is nobody's module. */
static enum hygie_outcome file_check(const char *path, struct failure *failure)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return failure_set(failure, HYGIE_BROKEN_SETUP, "%s: %s", path,
				   strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & 022) != 0)
		return failure_set(failure, HYGIE_BROKEN_SETUP,
				   "%s is no file that root alone may write", path);
	return HYGIE_OK;
}

static enum hygie_outcome functions_find(const char *path,
					 CK_FUNCTION_LIST **ret_functions,
					 struct failure *failure)
{
	CK_C_GetFunctionList get;
	void *handle, *symbol;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return failure_set(failure, HYGIE_BROKEN_SETUP, "%s", dlerror());
	symbol = dlsym(handle, "C_GetFunctionList");
	if (!symbol)
		return failure_set(failure, HYGIE_BROKEN_SETUP,
				   "%s has no C_GetFunctionList", path);
	memcpy(&get, &symbol, sizeof(get));
	return functions_get(path, get, ret_functions, failure);
}

enum hygie_outcome module_load(const char *path, CK_FUNCTION_LIST **ret_functions,
			       struct failure *failure)
{
	CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };
	CK_FUNCTION_LIST *functions = NULL;
	enum hygie_outcome outcome;
	CK_RV rv;

	outcome = file_check(path, failure);
	if (outcome == HYGIE_OK)
		outcome = functions_find(path, &functions, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	rv = functions->C_Initialize(&arguments);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_Initialize", rv);
	*ret_functions = functions;
	return HYGIE_OK;
}
