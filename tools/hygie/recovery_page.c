/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page with a store's recovery key; see recovery_page.h. The QR codes are made by
 * qrencode where it is installed, which gets what they hold by a pipe.
 */
#include "recovery_page.h"

#include "display.h"
#include "language.h"
#include "libhygie/durable.h"
#include "libhygie/protocol.h"
#include "libhygie/secret.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QRENCODE "/usr/bin/qrencode"
#define RULE                                                                             \
	"--------------------------------------------------------------------------------"
#define COLUMNS 64 /* of the locked key's text */
#define KEY_MAX 1024

static void line(FILE *to, const char *text)
{
	display_put(to, COLOUR_NONE, text);
	(void)fputc('\n', to);
}

/* Past the stream's buffer, which nobody wipes. */
static void secret_print(FILE *to, const struct secret *secret)
{
	if (fflush(to) == 0)
		(void)!write_all(fileno(to), secret_bytes_const(secret),
				 secret_size(secret));
}

/* Has qrencode write to the same place; nothing comes where it is not installed. */
static void qr_print(FILE *to, const void *bytes, size_t size)
{
	char *const arguments[] = { (char[]){ "qrencode" }, (char[]){ "-t" },
				    (char[]){ "UTF8" },     (char[]){ "-m" },
				    (char[]){ "2" },        NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	pid_t pid;

	if (access(QRENCODE, X_OK) != 0 || fflush(to) != 0 || pipe2(ends, O_CLOEXEC) < 0)
		return;
	if (posix_spawn_file_actions_init(&actions) != 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return;
	}
	(void)posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, fileno(to), STDOUT_FILENO);
	/* It fits into the pipe, so nobody waits for anybody. */
	if (write(ends[1], bytes, size) == (ssize_t)size &&
	    posix_spawn(&pid, QRENCODE, &actions, NULL, arguments, environment) == 0) {
		(void)close(ends[1]);
		ends[1] = -1;
		(void)waitpid(pid, &status, 0);
	}
	(void)close(ends[0]);
	if (ends[1] >= 0)
		(void)close(ends[1]);
	(void)posix_spawn_file_actions_destroy(&actions);
}

/* Base64, in lines. Returns the size. */
static size_t base64(const uint8_t *bytes, size_t size, char *ret_text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t used = 0;

	for (size_t i = 0; i < size; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (i + 1 < size)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < size)
			group |= bytes[i + 2];
		ret_text[used++] = digits[group >> 18];
		ret_text[used++] = digits[group >> 12 & 63];
		ret_text[used++] = i + 1 < size ? digits[group >> 6 & 63] : '=';
		ret_text[used++] = i + 2 < size ? digits[group & 63] : '=';
	}
	return used;
}

static void key_print(FILE *to, const uint8_t *der, size_t size)
{
	char text[KEY_MAX / 3 * 4 + 8];
	size_t used = base64(der, size, text);

	for (size_t i = 0; i < used; i += COLUMNS)
		(void)fprintf(to, "    %.*s\n",
			      (int)(used - i < COLUMNS ? used - i : COLUMNS), text + i);
	(void)fputc('\n', to);
	qr_print(to, text, used);
}

void recovery_page_print(FILE *to, const struct wire_message *item)
{
	cleanup_secret struct secret *passphrase = NULL;
	char store[128], date[32] = "";
	time_t now = time(NULL);
	const uint8_t *der;
	struct tm day;
	size_t size;

	if (wire_get_string(item, TAG_STORE, store, sizeof(store)) < 0 ||
	    wire_get_secret(item, TAG_SECRET, &passphrase) < 0 ||
	    wire_get_bytes(item, TAG_LOCKED_KEY, &der, &size) < 0 || size > KEY_MAX)
		return;
	if (localtime_r(&now, &day))
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &day);
	line(to, RULE);
	display_put(to, COLOUR_NONE, tr("Recovery key of the record store"));
	(void)fprintf(to, " %s    %s\n\n", store, date);
	line(to, tr("Whoever has this passphrase and the store's files reads all its "
		    "records."));
	line(to,
	     tr("Print this page, put it into a safe, leave no copy on this machine."));
	line(to, tr("It is not shown again."));
	(void)fputc('\n', to);
	line(to, tr("Passphrase:"));
	(void)fputs("\n    ", to);
	secret_print(to, passphrase);
	(void)fputs("\n\n", to);
	qr_print(to, secret_bytes_const(passphrase), secret_size(passphrase));
	line(to,
	     tr("The locked key (base64), in case the file recovery.der is lost too:"));
	(void)fputc('\n', to);
	key_print(to, der, size);
	line(to,
	     tr("When no card is left: enrol a new one, add its user to the store, run:"));
	(void)fprintf(to, "    hygie store recover %s\n", store);
	display_put(to, COLOUR_NONE, tr("Without Hygie:"));
	(void)fputs(" docs/store.md\n", to);
	if (access(QRENCODE, X_OK) != 0)
		line(to, tr("(With the package qrencode, QR codes stand here, too.)"));
	line(to, RULE);
	(void)fflush(to);
}
