/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token-driver: plays hygied for one hygie-token. It starts the helper as the daemon
 * does, sends the orders that its arguments describe, and prints what comes back in plain
 * lines. It checks nothing: the tests that read its lines do.
 *
 *	token-driver HELPER [--field TAG:string | --u32 TAG:number | --within TAG:ms | --hex TAG:bytes]...
 *		[--login | --pin-order] [the same, after TAG_PIN]...
 *		[--timeout MILLISECONDS]
 *		[--no-pid-namespace]
 *
 * TAG is the number of a field (protocol.h). After "ready PID" it reads one line: the
 * PIN, or "-" for an order without one; at the end of input it hangs up instead. Lines:
 *
 *	started PID | token TAG TEXT | certificate ID LABEL DER | ready PID
 *	signature SCHEME HEX | secret HEX | done OUTCOME
 *	failed OUTCOME FLAGS TEXT | exited STATUS | killed SIGNAL | timeout | refused TYPE
 */
#include "libhygie/deadline.h"
#include "libhygie/outcome.h"
#include "libhygie/protocol.h"
#include "libhygie/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PATIENCE_DEFAULT 20000 /* milliseconds */

struct driver {
	const char *helper;
	struct wire_message *start;
	char **login;   /* arguments after --login, NULL-terminated; NULL: none */
	uint16_t order; /* what they are of */
	unsigned patience;
	uint64_t flags; /* of clone3 */
	pid_t pid;
	int socket;
	int process; /* pidfd */
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "token-driver: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void hex_print(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		(void)printf("%02x", bytes[i]);
	if (size == 0)
		(void)printf("-");
}

static size_t hex_read(const char *text, uint8_t *bytes, size_t size)
{
	size_t used = 0;
	unsigned byte;

	for (; used < size && sscanf(text, "%2x", &byte) == 1 && text[1] != '\0';
	     text += 2)
		bytes[used++] = (uint8_t)byte;
	return used;
}

/* One --field, --u32, --within or --hex with its argument; false for any other option. */
static bool field_add(struct wire_message *message, const char *option,
		      const char *argument)
{
	uint8_t bytes[16384];
	char *value;
	uint16_t tag = (uint16_t)strtoul(argument ? argument : "", &value, 0);

	if (!argument || *value++ != ':')
		return false;
	if (strcmp(option, "--field") == 0)
		wire_add_string(message, tag, value);
	else if (strcmp(option, "--u32") == 0)
		wire_add_u32(message, tag, (uint32_t)strtoul(value, NULL, 0));
	else if (strcmp(option, "--within") == 0) /* milliseconds from now, as a moment */
		wire_add_u64(message, tag,
			     deadline_after((unsigned)strtoul(value, NULL, 0)));
	else if (strcmp(option, "--hex") == 0)
		wire_add_bytes(message, tag, bytes,
			       hex_read(value, bytes, sizeof(bytes)));
	else
		return false;
	return true;
}

static void arguments_read(struct driver *driver, char **arguments)
{
	driver->helper = *arguments++;
	for (; driver->helper && *arguments; arguments++) {
		bool pin = strcmp(arguments[0], "--pin-order") == 0;

		if (pin || strcmp(arguments[0], "--login") == 0) {
			driver->order = pin ? WIRE_ORDER_PIN : WIRE_ORDER_LOGIN;
			driver->login = arguments + 1;
			return;
		}
		if (strcmp(arguments[0], "--no-pid-namespace") == 0)
			driver->flags &= ~(uint64_t)(CLONE_NEWPID | CLONE_NEWIPC |
						     CLONE_NEWNET | CLONE_NEWNS);
		else if (strcmp(arguments[0], "--timeout") == 0 && arguments[1])
			driver->patience = (unsigned)strtoul(*++arguments, NULL, 0);
		else if (field_add(driver->start, arguments[0], arguments[1]))
			arguments++;
		else
			die(arguments[0]);
	}
}

static _Noreturn void helper_run(const char *path, int socket)
{
	char name[] = "hygie-token";
	char *const arguments[] = { name, NULL };
	char *const environment[] = { NULL };
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0)
		_exit(126);
	if (socket == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(socket, 3) < 0)
		_exit(126);
	(void)execve(path, arguments, environment);
	_exit(127);
}

static void helper_start(struct driver *driver)
{
	struct clone_args arguments = { .flags = driver->flags, .exit_signal = SIGCHLD };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	arguments.pidfd = (uint64_t)(uintptr_t)&driver->process;
	driver->pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (driver->pid < 0)
		die("clone3");
	if (driver->pid == 0)
		helper_run(driver->helper, pair[1]);
	(void)close(pair[1]);
	driver->socket = pair[0];
	(void)printf("started %d\n", driver->pid);
}

static void text_print(const struct wire_message *message, uint16_t tag)
{
	char text[2048];

	(void)printf("%s",
		     wire_get_string(message, tag, text, sizeof(text)) < 0 ? "-" : text);
}

static void token_print(const struct wire_message *message)
{
	struct wire_field field;
	size_t cursor = 0;

	while (wire_next_field(message, &cursor, &field)) {
		char text[2048];
		uint32_t number;

		(void)printf("token 0x%x ", field.tag);
		if (field.tag == TAG_TOKEN_FLAGS || field.tag == TAG_PIN_MIN ||
		    field.tag == TAG_PIN_MAX)
			(void)printf("%u\n",
				     wire_field_u32(&field, &number) < 0 ? 0 : number);
		else
			(void)printf("%s\n",
				     wire_field_string(&field, text, sizeof(text)) < 0
					     ? "?"
					     : text);
	}
}

static void certificate_print(const struct wire_message *message)
{
	const uint8_t *bytes = NULL;
	size_t size = 0;

	(void)printf("certificate ");
	if (wire_get_bytes(message, TAG_OBJECT_ID, &bytes, &size) == 0)
		hex_print(bytes, size);
	(void)printf(" ");
	text_print(message, TAG_LABEL);
	(void)printf(" ");
	if (wire_get_bytes(message, TAG_CERTIFICATE, &bytes, &size) == 0)
		hex_print(bytes, size);
	(void)printf("\n");
}

static const char *outcome_word(const struct wire_message *message)
{
	uint32_t number = 0;

	(void)(wire_get_u32(message, TAG_OUTCOME, &number) < 0);
	return outcome_name(outcome_from_wire(number));
}

static void done_print(const struct wire_message *message)
{
	struct wire_field field;
	size_t cursor = 0;

	while (wire_next_field(message, &cursor, &field)) {
		uint32_t number;

		if (field.tag == TAG_SIGNATURE_SCHEME &&
		    wire_field_u32(&field, &number) == 0)
			(void)printf("signature %u ", number);
		if (field.tag == TAG_SECRET)
			(void)printf("secret ");
		if (field.tag != TAG_DATA && field.tag != TAG_SECRET)
			continue;
		hex_print(field.bytes, field.size);
		(void)printf("\n");
	}
	(void)printf("done %s\n", outcome_word(message));
}

static void failed_print(const struct wire_message *message)
{
	uint32_t flags = 0;

	(void)printf("failed %s ", outcome_word(message));
	if (wire_get_u32(message, TAG_TOKEN_FLAGS, &flags) == 0)
		(void)printf("0x%x ", flags);
	else
		(void)printf("- ");
	text_print(message, TAG_TEXT);
	(void)printf("\n");
}

/* The PIN from a line of input; false at its end. */
static bool pin_add(struct wire_message *message)
{
	char line[256];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "-") != 0)
		wire_add_string(message, TAG_PIN, line);
	return true;
}

static void login_send(struct driver *driver)
{
	cleanup_message struct wire_message *order = NULL;
	char **arguments = driver->login;

	(void)printf("ready %d\n", driver->pid);
	(void)fflush(stdout);
	if (wire_message_new(driver->order, &order) < 0)
		die("no memory");
	if (!arguments || !pin_add(order)) {
		(void)shutdown(driver->socket, SHUT_RDWR);
		return;
	}
	for (; arguments[0]; arguments += 2)
		if (!field_add(order, arguments[0], arguments[1]))
			die(arguments[0]);
	if (wire_send(driver->socket, order) < 0)
		(void)printf("gone\n");
}

static void report_take(struct driver *driver, const struct wire_message *message)
{
	switch (wire_message_type(message)) {
	case WIRE_REPORT_TOKEN:
		token_print(message);
		break;
	case WIRE_REPORT_CERTIFICATE:
		certificate_print(message);
		break;
	case WIRE_REPORT_READY:
		login_send(driver);
		break;
	case WIRE_REPORT_DONE:
		done_print(message);
		break;
	case WIRE_REPORT_FAILED:
		failed_print(message);
		break;
	default:
		(void)printf("refused 0x%x\n", wire_message_type(message));
	}
}

/* All reports until the helper hangs up; false when it does not in time. */
static bool reports_take(struct driver *driver)
{
	uint64_t deadline = deadline_after(driver->patience);

	for (;;) {
		cleanup_message struct wire_message *message = NULL;
		struct pollfd report = { .fd = driver->socket, .events = POLLIN };
		int r;

		(void)fflush(stdout);
		if (poll(&report, 1, deadline_left(deadline)) <= 0)
			return false;
		r = wire_receive(driver->socket, &message);
		if (r == -ECONNRESET)
			return true;
		if (r < 0)
			(void)printf("refused %s\n", strerror(-r));
		else
			report_take(driver, message);
	}
}

static void end_print(const struct driver *driver)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)driver->process, &info, WEXITED) < 0)
		die("waitid");
	(void)printf("%s %d\n", info.si_code == CLD_EXITED ? "exited" : "killed",
		     info.si_status);
}

int main(int argc, char **argv)
{
	struct driver driver = { .patience = PATIENCE_DEFAULT };
	struct pollfd end = { .events = POLLIN };
	int grace = 5000; /* milliseconds to end by itself, having hung up */

	driver.flags =
		CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET;
	if (argc < 2 || wire_message_new(WIRE_ORDER_START, &driver.start) < 0)
		die("usage: token-driver HELPER ...");
	arguments_read(&driver, argv + 1);
	(void)setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	(void)fflush(stdout);
	helper_start(&driver);
	if (wire_send(driver.socket, driver.start) < 0)
		(void)printf("gone\n");
	if (!reports_take(&driver)) {
		(void)printf("timeout\n");
		grace = 0;
	}
	/* What does not end by itself now is killed, and shows so. */
	end.fd = driver.process;
	if (poll(&end, 1, grace) == 0)
		(void)syscall(SYS_pidfd_send_signal, driver.process, SIGKILL, NULL, 0);
	end_print(&driver);
	(void)fflush(stdout);
	wire_message_free(driver.start);
	return 0;
}
