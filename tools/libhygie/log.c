/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines; declared in log.h. The journal and syslog are spoken to over a datagram
 * socket of our own that never blocks: libsystemd's sd_journal_sendv and libc's syslog()
 * wait when the other side is stuck, and a stuck journal must not hang a login.
 */
#include "libhygie/log.h"

#include "libhygie/printable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define SYSLOG_FACILITY (10u << 3) /* authpriv: RFC 5424, 6.2.1 */
#define TEXT_SIZE 1024
#define VALUE_SIZE 512
#define RECORD_SIZE 16384

static struct {
	const char *name;
	enum log_target target; /* never AUTO */
	enum log_level level;
	const char *path; /* of the socket */
	int fd;
	atomic_uint lost; /* lines since the last that went through */
} log_state = {
	.name = "hygie", .target = LOG_TARGET_STDERR, .level = LOG_LEVEL_WARNING, .fd = -1
};

/* What is to be said, printable but for the fields' values. */
struct line {
	enum log_level level;
	const char *text;
	const struct log_field *fields;
	size_t count;
	size_t hidden; /* the first fields, which `text` says already */
};

/* A line in the making; what does not fit is left out. */
struct record {
	char bytes[RECORD_SIZE];
	size_t used;
};

static void record_add(struct record *record, const char *bytes, size_t size)
{
	if (size > sizeof(record->bytes) - record->used)
		size = sizeof(record->bytes) - record->used;
	memcpy(record->bytes + record->used, bytes, size);
	record->used += size;
}

static void record_add_string(struct record *record, const char *text)
{
	record_add(record, text, strlen(text));
}

static int socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

void log_close(void)
{
	if (log_state.fd >= 0)
		(void)close(log_state.fd);
	log_state.fd = -1;
	log_state.path = NULL;
	log_state.target = LOG_TARGET_STDERR;
}

void log_open_at(const char *name, enum log_target target, enum log_level level,
		 const char *journal_path, const char *syslog_path)
{
	const struct {
		enum log_target target;
		const char *path;
	} order[] = { { LOG_TARGET_JOURNAL, journal_path },
		      { LOG_TARGET_SYSLOG, syslog_path } };

	log_close();
	log_state.name = name;
	log_state.level = level;
	for (size_t i = 0; i < array_size(order); i++) {
		if (target != LOG_TARGET_AUTO && target != order[i].target)
			continue;
		log_state.fd = socket_connect(order[i].path);
		if (log_state.fd < 0 && target != order[i].target)
			continue;
		/* Named outright, it is tried anew at each line until it is there. */
		log_state.target = order[i].target;
		log_state.path = order[i].path;
		return;
	}
}

void log_open(const char *name, enum log_target target, enum log_level level)
{
	log_open_at(name, target, level, JOURNAL_SOCKET, SYSLOG_SOCKET);
}

/* Sends without waiting; a log daemon that was restarted is connected to anew. */
static bool datagram_send(const struct record *record)
{
	int fd;
	bool sent;

	if (log_state.fd >= 0) {
		if (send(log_state.fd, record->bytes, record->used,
			 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
			return false;
	}
	fd = socket_connect(log_state.path);
	if (fd < 0)
		return false;
	sent = send(fd, record->bytes, record->used, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	if (log_state.fd < 0) {
		log_state.fd = fd;
	} else {
		/* Under the old number: a thread beside us never meets a stranger's file.
		 */
		(void)dup3(fd, log_state.fd, O_CLOEXEC);
		(void)close(fd);
	}
	return sent;
}

/* A pipe that says POLLOUT takes PIPE_BUF bytes at once (POSIX, write). */
static bool stderr_send(const struct record *record)
{
	struct pollfd poll_fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t size = record->used < PIPE_BUF ? record->used : PIPE_BUF;

	if (poll(&poll_fd, 1, 0) != 1 || poll_fd.revents != POLLOUT) /* no SIGPIPE */
		return false;
	return write(STDERR_FILENO, record->bytes, size) == (ssize_t)size;
}

/* What is clean stays as it is: it may hold escapes of an earlier printable_copy. */
static void text_clean(const char *text, char *ret_text, size_t size)
{
	size_t length = strlen(text);

	if (length < size && printable_is_clean(text, length))
		memcpy(ret_text, text, length + 1);
	else
		(void)printable_copy(ret_text, size, text, length);
}

/* " user=alice reader="Gemalto PC Twin 00"": the fields as a person reads them. */
static void record_add_readable(struct record *record, const struct log_field *field)
{
	static const char prefix[] = "HYGIE_";
	const char *name = field->name;
	char value[VALUE_SIZE];
	bool quoted;

	text_clean(field->value, value, sizeof(value));
	quoted = value[0] == '\0' || strpbrk(value, " \"=") != NULL;
	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		name += sizeof(prefix) - 1;
	record_add_string(record, " ");
	for (; *name != '\0'; name++) {
		char lower = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);

		record_add(record, &lower, 1);
	}
	record_add_string(record, quoted ? "=\"" : "=");
	for (const char *at = value; *at != '\0'; at++)
		record_add_string(record, *at == '"' ? "'" : (const char[]){ *at, '\0' });
	record_add_string(record, quoted ? "\"" : "");
}

static void record_add_text(struct record *record, const struct line *line)
{
	record_add_string(record, line->text);
	for (size_t i = line->hidden; i < line->count; i++)
		if (line->fields[i].value != NULL)
			record_add_readable(record, &line->fields[i]);
}

/* The journal's native protocol: NAME=value lines; no value of ours has a line end. */
static void record_make_journal(struct record *record, const struct line *line)
{
	char head[128];

	(void)snprintf(
		head, sizeof(head),
		"PRIORITY=%d\nSYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=%.60s\nMESSAGE=",
		(int)line->level, SYSLOG_FACILITY >> 3, log_state.name);
	record_add_string(record, head);
	record_add_text(record, line);
	record_add_string(record, "\n");
	for (size_t i = 0; i < line->count; i++) {
		char value[VALUE_SIZE];

		if (line->fields[i].value == NULL)
			continue;
		text_clean(line->fields[i].value, value, sizeof(value));
		record_add_string(record, line->fields[i].name);
		record_add_string(record, "=");
		record_add_string(record, value);
		record_add_string(record, "\n");
	}
}

/* As RFC 3164 and every syslog daemon of Linux: <priority>time name[pid]: text */
static void record_make_syslog(struct record *record, const struct line *line)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char head[128];
	time_t now = time(NULL);
	struct tm tm = { 0 };

	(void)localtime_r(&now, &tm);
	(void)snprintf(head, sizeof(head), "<%u>%.3s %2d %02d:%02d:%02d %.60s[%d]: ",
		       SYSLOG_FACILITY | (unsigned)line->level,
		       months + 3 * (size_t)(tm.tm_mon % 12), tm.tm_mday, tm.tm_hour,
		       tm.tm_min, tm.tm_sec, log_state.name, (int)getpid());
	record_add_string(record, head);
	record_add_text(record, line);
}

static void record_make_stderr(struct record *record, const struct line *line)
{
	static const char *const words[] = { [LOG_LEVEL_ERROR] = "error: ",
					     [LOG_LEVEL_WARNING] = "warning: ",
					     [LOG_LEVEL_NOTICE] = "audit: ",
					     [LOG_LEVEL_INFO] = "",
					     [LOG_LEVEL_DEBUG] = "debug: " };

	record_add_string(record, log_state.name);
	record_add_string(record, ": ");
	record_add_string(record, words[line->level]);
	record_add_text(record, line);
	if (record->used >= PIPE_BUF)
		record->used = PIPE_BUF - 1;
	record_add_string(record, "\n");
}

static bool record_write(const struct line *line)
{
	struct record record;

	record.used = 0;
	switch (log_state.target) {
	case LOG_TARGET_JOURNAL:
		record_make_journal(&record, line);
		return datagram_send(&record);
	case LOG_TARGET_SYSLOG:
		record_make_syslog(&record, line);
		return datagram_send(&record);
	default:
		record_make_stderr(&record, line);
		return stderr_send(&record);
	}
}

/* Writes a line, with the count of those that were lost before it. */
static void line_write(const struct line *line)
{
	struct log_field all[LOG_FIELDS_MAX + 1];
	struct line full = *line;
	char lost_text[16];
	unsigned lost = atomic_exchange(&log_state.lost, 0);

	if (full.count > LOG_FIELDS_MAX)
		full.count = LOG_FIELDS_MAX;
	if (full.count > 0)
		memcpy(all, line->fields, full.count * sizeof(all[0]));
	full.fields = all;
	if (lost > 0) {
		(void)snprintf(lost_text, sizeof(lost_text), "%u", lost);
		all[full.count++] = (struct log_field){ "HYGIE_LOST_LINES", lost_text };
	}
	if (!record_write(&full))
		(void)atomic_fetch_add(&log_state.lost, lost + 1);
}

void log_message(enum log_level level, const struct log_field *fields, size_t count,
		 const char *format, ...)
{
	int kept = errno;
	char raw[TEXT_SIZE], text[TEXT_SIZE];
	const struct line line = { level, text, fields, count, 0 };
	va_list arguments;

	if (level > log_state.level && level != LOG_LEVEL_NOTICE)
		return;
	va_start(arguments, format);
	if (vsnprintf(raw, sizeof(raw), format, arguments) < 0)
		raw[0] = '\0';
	va_end(arguments);
	text_clean(raw, text, sizeof(text));
	line_write(&line);
	errno = kept;
}

void log_audit(const char *event, enum hygie_outcome outcome,
	       const struct log_field *fields, size_t count)
{
	int kept = errno;
	char text[TEXT_SIZE];
	struct log_field all[LOG_FIELDS_MAX] = {
		{ "HYGIE_AUDIT", "1" },
		{ "HYGIE_EVENT", event },
		{ "HYGIE_OUTCOME", outcome_name(outcome) },
	};
	const size_t own = 3;
	const struct line line = { LOG_LEVEL_NOTICE, text, all,
				   count < LOG_FIELDS_MAX - own ? own + count
								: LOG_FIELDS_MAX,
				   own };

	if (count > 0)
		memcpy(all + own, fields, (line.count - own) * sizeof(all[0]));
	(void)snprintf(text, sizeof(text), "%s: %s", event, outcome_name(outcome));
	line_write(&line);
	errno = kept;
}
