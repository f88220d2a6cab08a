/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines with fields: to the journal if it is there, else to syslog, else to standard
 * error. A call never fails its caller and never waits: a line that the journal or the
 * pipe has no room for is counted, and the count is told with the next one that goes
 * through. Nothing here knows secrets; none may be given to it. It may be called by any
 * thread; log_open and log_close not beside others.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/outcome.h"

#include <stddef.h>

/* syslog's numbers. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5, /* audit: always written */
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_target {
	LOG_TARGET_AUTO = 0, /* journal, else syslog, else stderr */
	LOG_TARGET_JOURNAL,
	LOG_TARGET_SYSLOG,
	LOG_TARGET_STDERR,
};

/*
 * A field of the journal: its name of capitals, digits and underscores, as the journal
 * wants it ("HYGIE_USER"), and its value: any bytes that end in NUL; they are made
 * printable (printable.h). A NULL value leaves the field out.
 */
struct log_field {
	const char *name;
	const char *value;
};

#define LOG_FIELDS_MAX 16 /* more are left out */

/*
 * Begins: `name` (kept, not copied) is the program's. Lines above `level` are left out.
 * Without log_open, warnings and errors go to standard error. May be called again.
 */
void log_open(const char *name, enum log_target target, enum log_level level);

/* As log_open, with other sockets than the system's (tests); the paths are kept. */
void log_open_at(const char *name, enum log_target target, enum log_level level,
		 const char *journal_path, const char *syslog_path);

/* Closes what log_open opened. */
void log_close(void);

/* One line; `format`'s result is made printable and cut at 1 KiB. errno is kept. */
void log_message(enum log_level level, const struct log_field *fields, size_t count,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * What an auditor asks for: who did what with which card and what it came to. A line at
 * notice, at any level, with HYGIE_AUDIT=1, HYGIE_EVENT=event, HYGIE_OUTCOME=its name,
 * and the fields; its text lists them.
 */
void log_audit(const char *event, enum hygie_outcome outcome,
	       const struct log_field *fields, size_t count);

#define log_error(...) log_message(LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
