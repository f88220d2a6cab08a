/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module that works and lies: SoftHSM's, with some functions replaced as the
 * words in the environment entry EVIL say, with commas between. "C_Login:hang" acts in a
 * function; the other words, below, lie about what came out. It knows its token's PIN, as
 * a hostile token does. A test instrument for the daemon's part of a login: it is never
 * installed.
 *
 *	any-pin			C_Login takes any PIN
 *	record			C_Sign keeps its signature in EVIL_HOME/recorded
 *	signature-KIND		C_Sign gives zero, empty, garbage, short, huge, other,
 *				recorded
 *	certificate-KIND	the certificate is random, big (64 KiB) or the sum of its
 *				bytes off
 *	objects-10000		as many objects, of which the first are not there
 *	locked, final, low, must-change, no-pin, pin-pad	flags of the token
 *	login-says-KIND		C_Login says wrong, locked, expired, removed without
 *				looking
 *	no-token		the token is gone when it is looked for
 *	pad			where C_Login and C_SetPIN get no PIN, the person types the
 *				right one, and 246810 as a new one, at the reader
 *	calls			C_Login, C_SetPIN and C_InitPIN are noted in
 *				EVIL_HOME/calls, by the number of bytes of each PIN
 */
#include "libhygie/attributes.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define REAL_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define REAL_PIN "123456"
#define BIG_SIZE (64 * 1024)
#define FAKE_OBJECT 0xE0000000ul

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST *real, evil;
static bool certificates_wanted;
static CK_ULONG given;

/* Whether EVIL has that word. */
static bool says(const char *word)
{
	const char *at = getenv("EVIL");
	size_t size = strlen(word);

	for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, size) == 0 && (at[size] == ',' || at[size] == '\0'))
			return true;
	return false;
}

static void act_hang(void)
{
	for (;;)
		(void)poll(NULL, 0, -1);
}

static void act_spin(void)
{
	for (volatile unsigned i = 0;; i++)
		continue;
}

static void act_crash(void)
{
	volatile int *volatile nowhere = NULL;

	*nowhere = 1;
}

static void act_exit(void)
{
	exit(0);
}

static void act_leave(void)
{
	_exit(0);
}

static void act_abort(void)
{
	abort();
}

static void act_print(void)
{
	(void)printf("{\"outcome\":\"ok\"}\n\x1b[2J PIN %s\n", "of nobody");
	(void)fflush(stdout);
}

/* A child that would outlive a parent who is not looked after. */
static void act_fork(void)
{
	if (fork() == 0)
		act_hang();
}

static void act_memory(void)
{
	char *block;

	while ((block = malloc(1024 * 1024)) != NULL)
		memset(block, 1, 1024 * 1024);
}

/* Speaks to hygied itself, on the socket that it inherited: a forged REPORT_DONE. */
static void act_forge(void)
{
	static const uint8_t done[] = { 1, 0, 0x04, 0x04, 0, 0, 0, 8,
					0, 1, 0,    4,    0, 0, 0, 1 };

	(void)!write(3, done, sizeof(done));
}

static void act_babble(void)
{
	for (unsigned i = 0; i < 100; i++)
		(void)!write(3, "nonsense", 8);
}

static const struct {
	const char *name;
	void (*run)(void);
} actions[] = {
	{ "hang", act_hang },   { "spin", act_spin },     { "crash", act_crash },
	{ "exit", act_exit },   { "_exit", act_leave },   { "abort", act_abort },
	{ "print", act_print }, { "fork", act_fork },     { "memory", act_memory },
	{ "forge", act_forge }, { "babble", act_babble },
};

static void act(const char *function)
{
	char word[64];

	for (size_t i = 0; i < array_size(actions); i++) {
		(void)snprintf(word, sizeof(word), "%s:%s", function, actions[i].name);
		if (says(word))
			actions[i].run();
	}
}

static CK_RV evil_initialize(void *arguments)
{
	act("C_Initialize");
	return real->C_Initialize(arguments);
}

static CK_RV evil_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	CK_RV rv = real->C_GetSlotList(present, list, count);

	if (says("no-token"))
		*count = 0;
	return rv;
}

static CK_RV evil_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	static const struct {
		const char *word;
		CK_FLAGS flags;
	} flags[] = {
		{ "locked", CKF_USER_PIN_LOCKED },
		{ "final", CKF_USER_PIN_FINAL_TRY },
		{ "low", CKF_USER_PIN_COUNT_LOW },
		{ "must-change", CKF_USER_PIN_TO_BE_CHANGED },
		{ "pin-pad", CKF_PROTECTED_AUTHENTICATION_PATH },
	};
	CK_RV rv = real->C_GetTokenInfo(slot, info);

	for (size_t i = 0; i < array_size(flags); i++)
		if (says(flags[i].word))
			info->flags |= flags[i].flags;
	if (says("no-pin"))
		info->flags &= ~CKF_USER_PIN_INITIALIZED;
	return rv;
}

static void call_note(const char *name, CK_USER_TYPE user, const unsigned char *pin,
		      CK_ULONG size, const unsigned char *new_pin, CK_ULONG new_size)
{
	char path[256], line[128];
	int fd;

	if (!says("calls"))
		return;
	(void)snprintf(path, sizeof(path), "%s/calls", getenv("EVIL_HOME"));
	(void)snprintf(line, sizeof(line), "%s %lu %s%lu %s%lu\n", name, user,
		       pin ? "" : "NULL/", size, new_pin ? "" : "NULL/", new_size);
	fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)lseek(fd, 0, SEEK_END);
	(void)!write(fd, line, strlen(line));
	(void)close(fd);
}

static CK_RV evil_set_pin(CK_SESSION_HANDLE session, unsigned char *old,
			  CK_ULONG old_size, unsigned char *new_pin, CK_ULONG new_size)
{
	char typed[] = REAL_PIN, typed_new[] = "246810";

	act("C_SetPIN");
	call_note("C_SetPIN", 0, old, old_size, new_pin, new_size);
	if (says("pad") && !old && !new_pin)
		return real->C_SetPIN(session, (unsigned char *)typed, strlen(typed),
				      (unsigned char *)typed_new, strlen(typed_new));
	return real->C_SetPIN(session, old, old_size, new_pin, new_size);
}

static CK_RV evil_init_pin(CK_SESSION_HANDLE session, unsigned char *pin, CK_ULONG size)
{
	call_note("C_InitPIN", 0, NULL, 0, pin, size);
	return real->C_InitPIN(session, pin, size);
}

static CK_RV evil_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin,
			CK_ULONG size)
{
	static const struct {
		const char *word;
		CK_RV rv;
	} answers[] = {
		{ "login-says-wrong", CKR_PIN_INCORRECT },
		{ "login-says-locked", CKR_PIN_LOCKED },
		{ "login-says-expired", CKR_PIN_EXPIRED },
		{ "login-says-removed", CKR_DEVICE_REMOVED },
		{ "login-says-nonsense", 0x7fffffff },
	};

	act("C_Login");
	call_note("C_Login", user, pin, size, NULL, 0);
	for (size_t i = 0; i < array_size(answers); i++)
		if (says(answers[i].word))
			return answers[i].rv;
	if (says("any-pin") || (says("pad") && !pin)) {
		char real_pin[] = REAL_PIN;

		return real->C_Login(session, user, (unsigned char *)real_pin,
				     strlen(real_pin));
	}
	return real->C_Login(session, user, pin, size);
}

static CK_RV evil_find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
			    CK_ULONG count)
{
	CK_OBJECT_CLASS class = CKO_DATA;

	given = 0;
	for (CK_ULONG i = 0; i < count; i++)
		if (wanted[i].type == CKA_CLASS)
			memcpy(&class, wanted[i].pValue, sizeof(class));
	certificates_wanted = class == CKO_CERTIFICATE;
	return real->C_FindObjectsInit(session, wanted, count);
}

static CK_RV evil_find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max,
		       CK_ULONG *count)
{
	if (!certificates_wanted || !says("objects-10000"))
		return real->C_FindObjects(session, objects, max, count);
	for (*count = 0; *count < max && given < 10000; given++)
		objects[(*count)++] = FAKE_OBJECT + given;
	return CKR_OK;
}

/* Whatever is asked: 64 KiB and as many as it has room for. */
static CK_RV value_fake(CK_ATTRIBUTE *attribute, CK_ULONG size)
{
	CK_ULONG room = attribute->ulValueLen;

	attribute->ulValueLen = size;
	if (!attribute->pValue)
		return CKR_OK;
	memset(attribute->pValue, 0x5A, room < size ? room : size);
	return room < size ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

static CK_RV evil_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
			    CK_ATTRIBUTE *attribute, CK_ULONG count)
{
	bool value = count == 1 && attribute->type == CKA_VALUE;
	CK_RV rv;

	if (object >= FAKE_OBJECT)
		return value_fake(attribute, value ? 600 : 1);
	if (value && says("certificate-big"))
		return value_fake(attribute, BIG_SIZE);
	rv = real->C_GetAttributeValue(session, object, attribute, count);
	if (rv != CKR_OK || !value || !attribute->pValue)
		return rv;
	if (says("certificate-random"))
		memset(attribute->pValue, 0x5A, attribute->ulValueLen);
	if (says("certificate-off"))
		((uint8_t *)attribute->pValue)[attribute->ulValueLen - 1] ^= 1;
	return CKR_OK;
}

static void recorded_open(int flags, uint8_t *bytes, CK_ULONG size)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/recorded", getenv("EVIL_HOME"));
	fd = openat(AT_FDCWD, path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (flags & O_CREAT)
		(void)!write(fd, bytes, size);
	else
		(void)!read(fd, bytes, size);
	(void)close(fd);
}

static CK_RV evil_sign(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG data_size,
		       unsigned char *signature, CK_ULONG *size)
{
	CK_RV rv;

	act("C_Sign");
	if (says("signature-other"))
		data[data_size - 1] ^= 1;
	rv = real->C_Sign(session, data, data_size, signature, size);
	if (rv != CKR_OK)
		return rv;
	if (says("record"))
		recorded_open(O_WRONLY | O_CREAT | O_TRUNC, signature, *size);
	if (says("signature-recorded"))
		recorded_open(O_RDONLY, signature, *size);
	if (says("signature-zero"))
		memset(signature, 0, *size);
	if (says("signature-garbage"))
		memset(signature, 0x5A, *size);
	if (says("signature-empty"))
		*size = 0;
	if (says("signature-short"))
		*size = 3;
	if (says("signature-huge"))
		*size = 1ul << 40;
	return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_C_GetFunctionList get;
	void *handle, *symbol;

	act("C_GetFunctionList");
	handle = dlopen(REAL_MODULE, RTLD_NOW | RTLD_LOCAL);
	symbol = handle ? dlsym(handle, "C_GetFunctionList") : NULL;
	if (!symbol)
		return CKR_GENERAL_ERROR;
	memcpy(&get, &symbol, sizeof(get));
	if (get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	evil = *real;
	evil.C_Initialize = evil_initialize;
	evil.C_GetSlotList = evil_slot_list;
	evil.C_GetTokenInfo = evil_token_info;
	evil.C_Login = evil_login;
	evil.C_SetPIN = evil_set_pin;
	evil.C_InitPIN = evil_init_pin;
	evil.C_FindObjectsInit = evil_find_init;
	evil.C_FindObjects = evil_find;
	evil.C_GetAttributeValue = evil_attribute;
	evil.C_Sign = evil_sign;
	*list = &evil;
	return CKR_OK;
}
