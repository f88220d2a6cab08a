/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module with one token, which behaves as its environment entry HOSTILE says:
 * "STAGE:ACTION", where STAGE is the PKCS#11 function that acts (C_Initialize, C_Login,
 * C_Sign, C_Decrypt, C_SetPIN), or a lie about its data (see `says`). What it tried, and with what success, it
 * writes to standard error: "tried ACTION: ok" or the error's name. Without an entry it
 * is an ordinary token that takes any PIN. A test instrument: it is never installed.
 */
#include "libhygie/attributes.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define CERTIFICATE_SIZE 700
#define BIG_CERTIFICATE_SIZE (64 * 1024)
#define SLOT_NAME "Virtual PCD 00 00"

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static unsigned found; /* objects handed out since C_FindObjectsInit */
static CK_OBJECT_CLASS wanted_class;

static const char *hostile(void)
{
	const char *entry = getenv("HOSTILE");

	return entry ? entry : "";
}

static bool says(const char *word)
{
	return strcmp(hostile(), word) == 0;
}

/* One write and nothing else: dprintf asks for the descriptor's flags, which is filtered.
 */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[128];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (size > 0 && write(2, line, (size_t)size) != size)
		abort();
}

static void tell(const char *action, bool worked)
{
	say("tried %s: %s\n", action, worked ? "ok" : strerrorname_np(errno));
}

static void *thread_run(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static void act_hang(void)
{
	for (;;)
		(void)pause();
}

static void act_spin(void)
{
	for (volatile unsigned i = 0;; i++)
		continue;
}

static void act_crash(void)
{
	volatile int *page =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*page = 1;
}

static void act_exec(void)
{
	tell("exec", execl("/usr/bin/id", "id", (char *)NULL) == 0);
}

static void act_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	tell("fork", pid > 0);
}

static void act_print(void)
{
	tell("print",
	     printf("C_Sign says: \"all is well\"\n") > 0 && fflush(stdout) == 0);
}

static void act_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tell("tcp", fd >= 0 && connect(fd, (void *)&address, sizeof(address)) == 0);
}

static void file_try(const char *action, const char *path, int flags)
{
	tell(action, open(path, flags | O_CLOEXEC, 0644) >= 0);
}

static void act_write(void)
{
	file_try("write /tmp", "/tmp/hostile", O_WRONLY | O_CREAT);
	file_try("write /etc", "/etc/hostile", O_WRONLY | O_CREAT);
	file_try("write /usr", "/usr/hostile", O_WRONLY | O_CREAT);
	file_try("write /", "/hostile", O_WRONLY | O_CREAT);
}

static void act_read(void)
{
	file_try("read /etc/shadow", "/etc/shadow", O_RDONLY);
	file_try("read /etc/passwd", "/etc/passwd", O_RDONLY);
	file_try("read /home", "/home", O_RDONLY | O_DIRECTORY);
	file_try("read /root", "/root", O_RDONLY | O_DIRECTORY);
	file_try("read /proc", "/proc", O_RDONLY | O_DIRECTORY);
	file_try("read /sys", "/sys", O_RDONLY | O_DIRECTORY);
	file_try("read /run/hygie", "/run/hygie", O_RDONLY | O_DIRECTORY);
	file_try("read /var", "/var", O_RDONLY | O_DIRECTORY);
}

static void act_memory(void)
{
	size_t eaten = 0;
	char *block;

	while ((block = malloc(1024 * 1024)) != NULL) {
		memset(block, 1, 1024 * 1024);
		eaten++;
	}
	say("tried memory: %zu MiB\n", eaten);
}

static void act_threads(void)
{
	pthread_t thread;
	unsigned made = 0;

	while (made < 100000 && pthread_create(&thread, NULL, thread_run, NULL) == 0)
		made++;
	say("tried threads: %u\n", made);
}

static void act_ptrace(void)
{
	tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static void act_kill(void)
{
	tell("kill", kill(-1, SIGKILL) == 0);
}

static void act_root(void)
{
	tell("root", setuid(0) == 0);
}

static void act_mount(void)
{
	tell("mount", unshare(CLONE_NEWUSER) == 0);
}

static void act_code(void)
{
	tell("code", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void act_memory_of_others(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	tell("others", process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1);
}

static void act_unix(void)
{
	tell("unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static void act_exit(void)
{
	_exit(0);
}

static const struct {
	const char *name;
	void (*run)(void);
} actions[] = {
	{ "hang", act_hang },
	{ "spin", act_spin },
	{ "crash", act_crash },
	{ "exec", act_exec },
	{ "fork", act_fork },
	{ "print", act_print },
	{ "tcp", act_tcp },
	{ "write", act_write },
	{ "read", act_read },
	{ "memory", act_memory },
	{ "threads", act_threads },
	{ "ptrace", act_ptrace },
	{ "kill", act_kill },
	{ "root", act_root },
	{ "mount", act_mount },
	{ "code", act_code },
	{ "others", act_memory_of_others },
	{ "unix", act_unix },
	{ "exit", act_exit },
	{ "abort", abort },
};

/* Performs the action if it was ordered for this function. */
static void act(const char *function)
{
	size_t size = strlen(function);

	if (strncmp(hostile(), function, size) != 0 || hostile()[size] != ':')
		return;
	for (size_t i = 0; i < array_size(actions); i++)
		if (strcmp(hostile() + size + 1, actions[i].name) == 0)
			actions[i].run();
}

static CK_RV hostile_initialize(void *arguments)
{
	(void)arguments;
	act("C_Initialize");
	return says("initialize-fails") ? CKR_GENERAL_ERROR : CKR_OK;
}

static CK_RV hostile_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	(void)present;
	if (says("slots-lie")) {
		*count = 1ul << 40;
		return CKR_OK;
	}
	if (list)
		list[0] = 7;
	*count = says("no-slot") ? 0 : 1;
	return CKR_OK;
}

static void text_fill(unsigned char *field, size_t size, const char *text)
{
	memset(field, ' ', size);
	memcpy(field, text, strlen(text) < size ? strlen(text) : size);
}

static CK_RV hostile_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	(void)slot;
	text_fill(info->slotDescription, sizeof(info->slotDescription), SLOT_NAME);
	info->flags = CKF_TOKEN_PRESENT;
	return CKR_OK;
}

static CK_RV hostile_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	(void)slot;
	text_fill(info->label, sizeof(info->label), "Hostile");
	text_fill(info->serialNumber, sizeof(info->serialNumber),
		  says("escape") ? "\x1b[2J\nroot#" : "1");
	text_fill(info->model, sizeof(info->model), "model");
	text_fill(info->manufacturerID, sizeof(info->manufacturerID), "maker");
	info->flags = CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
	if (says("pin-pad") || says("pad-again") || says("slow-typing"))
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (says("count-low"))
		info->flags |= CKF_USER_PIN_COUNT_LOW;
	info->ulMinPinLen = says("pin-lengths-lie") ? 100 : 4;
	info->ulMaxPinLen = says("pin-lengths-lie") ? 2 : 8;
	return CKR_OK;
}

static CK_RV hostile_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list,
				    CK_ULONG *count)
{
	(void)slot;
	if (list)
		list[0] = CKM_RSA_PKCS;
	*count = says("mechanisms-lie") ? ~0ul : 1;
	return CKR_OK;
}

static CK_RV hostile_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application,
				  CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	(void)slot;
	(void)flags;
	(void)application;
	(void)notify;
	*session = 1;
	return CKR_OK;
}

/* Half a second of work. */
static void work(void)
{
	struct timespec begin, now;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000 +
		       (now.tv_nsec - begin.tv_nsec) / 1000000 <
	       500);
}

static CK_RV hostile_login(CK_SESSION_HANDLE session, CK_USER_TYPE user,
			   unsigned char *pin, CK_ULONG size)
{
	(void)session;
	(void)pin;
	say("C_Login %lu %s %lu bytes\n", user, pin ? "PIN" : "NULL", size);
	act("C_Login");
	if (says("slow-typing"))
		work();
	if (says("wrong-again") && user == CKU_CONTEXT_SPECIFIC)
		return CKR_PIN_INCORRECT;
	if (says("wrong") || says("count-low"))
		return CKR_PIN_INCORRECT;
	if (says("locked"))
		return CKR_PIN_LOCKED;
	if (says("expired"))
		return CKR_PIN_EXPIRED;
	if (says("removed"))
		return CKR_DEVICE_REMOVED;
	return says("already") ? CKR_USER_ALREADY_LOGGED_IN : CKR_OK;
}

static CK_RV hostile_set_pin(CK_SESSION_HANDLE session, unsigned char *old,
			     CK_ULONG old_size, unsigned char *new_pin, CK_ULONG new_size)
{
	(void)session;
	say("C_SetPIN %s %lu %s %lu bytes\n", old ? "PIN" : "NULL", old_size,
	    new_pin ? "PIN" : "NULL", new_size);
	act("C_SetPIN");
	return says("set-refused") ? CKR_PIN_INVALID : CKR_OK;
}

static CK_RV hostile_init_pin(CK_SESSION_HANDLE session, unsigned char *pin,
			      CK_ULONG size)
{
	(void)session;
	say("C_InitPIN %s %lu bytes\n", pin ? "PIN" : "NULL", size);
	return says("set-refused") ? CKR_PIN_INVALID : CKR_OK;
}

static CK_RV hostile_logout(CK_SESSION_HANDLE session)
{
	(void)session;
	act("C_Logout");
	return CKR_OK;
}

static CK_RV hostile_find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
			       CK_ULONG count)
{
	(void)session;
	found = 0;
	wanted_class = CKO_DATA;
	for (CK_ULONG i = 0; i < count; i++)
		if (wanted[i].type == CKA_CLASS)
			memcpy(&wanted_class, wanted[i].pValue, sizeof(wanted_class));
	return CKR_OK;
}

static CK_RV hostile_find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects,
			  CK_ULONG max, CK_ULONG *count)
{
	unsigned last = says("many-objects") ? 10000 : 1;

	(void)session;
	if (says("find-lies")) {
		*count = max + 1;
		return CKR_OK;
	}
	if (says("no-key") && wanted_class == CKO_PRIVATE_KEY)
		last = 0;
	for (*count = 0; *count < max && found < last; found++)
		objects[(*count)++] = found + 1;
	return CKR_OK;
}

static CK_RV hostile_find_final(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV value_give(CK_ATTRIBUTE *attribute, const void *value, CK_ULONG size)
{
	if (says("lengths-lie")) {
		attribute->ulValueLen = 1ul << 40;
		return CKR_OK;
	}
	if (attribute->pValue && attribute->ulValueLen < size) {
		attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (attribute->pValue)
		memcpy(attribute->pValue, value, size);
	attribute->ulValueLen = size;
	return CKR_OK;
}

static CK_RV hostile_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
			       CK_ATTRIBUTE *attribute, CK_ULONG count)
{
	static const unsigned char certificate[BIG_CERTIFICATE_SIZE] = { 0x30, 0x82 };
	CK_KEY_TYPE type = says("key-type") ? 0x7777 : CKK_RSA;
	CK_BBOOL always =
		says("always-authenticate") || says("pad-again") || says("wrong-again");

	(void)session;
	(void)object;
	(void)count;
	switch (attribute->type) {
	case CKA_ID:
		return value_give(attribute, "\x01", says("no-id") ? 0 : 1);
	case CKA_LABEL:
		return value_give(attribute, "\x1b]0;owned\x07", 10);
	case CKA_VALUE:
		return value_give(attribute, certificate,
				  says("big-certificate") ? BIG_CERTIFICATE_SIZE
							  : CERTIFICATE_SIZE);
	case CKA_KEY_TYPE:
		return value_give(attribute, &type, sizeof(type));
	case CKA_ALWAYS_AUTHENTICATE:
		return value_give(attribute, &always, sizeof(always));
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

static CK_RV hostile_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
			       CK_OBJECT_HANDLE key)
{
	(void)session;
	(void)mechanism;
	(void)key;
	return CKR_OK;
}

static CK_RV hostile_sign(CK_SESSION_HANDLE session, unsigned char *data,
			  CK_ULONG data_size, unsigned char *signature, CK_ULONG *size)
{
	(void)session;
	(void)data;
	(void)data_size;
	act("C_Sign");
	if (says("signature-huge")) {
		*size = 1ul << 40;
		return CKR_OK;
	}
	if (says("signature-too-long")) {
		*size = 4096;
		return CKR_BUFFER_TOO_SMALL;
	}
	*size = says("signature-empty") ? 0 : says("signature-short") ? 3 : 256;
	memset(signature, 0, *size);
	return CKR_OK;
}

static CK_RV hostile_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				  CK_OBJECT_HANDLE key)
{
	return hostile_sign_init(session, mechanism, key);
}

static CK_RV hostile_decrypt(CK_SESSION_HANDLE session, unsigned char *data,
			     CK_ULONG data_size, unsigned char *plain, CK_ULONG *size)
{
	(void)session;
	(void)data;
	(void)data_size;
	act("C_Decrypt");
	if (says("slow"))
		work();
	*size = 32;
	memset(plain, 7, *size);
	return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
	.version = { 2, 40 },
	.C_Initialize = hostile_initialize,
	.C_GetSlotList = hostile_slot_list,
	.C_GetSlotInfo = hostile_slot_info,
	.C_GetTokenInfo = hostile_token_info,
	.C_GetMechanismList = hostile_mechanism_list,
	.C_OpenSession = hostile_open_session,
	.C_Login = hostile_login,
	.C_SetPIN = hostile_set_pin,
	.C_InitPIN = hostile_init_pin,
	.C_Logout = hostile_logout,
	.C_FindObjectsInit = hostile_find_init,
	.C_FindObjects = hostile_find,
	.C_FindObjectsFinal = hostile_find_final,
	.C_GetAttributeValue = hostile_attribute,
	.C_SignInit = hostile_sign_init,
	.C_Sign = hostile_sign,
	.C_DecryptInit = hostile_decrypt_init,
	.C_Decrypt = hostile_decrypt,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	act("C_GetFunctionList");
	if (says("version"))
		functions.version.major = 3;
	*list = says("no-functions") ? NULL : &functions;
	return CKR_OK;
}
