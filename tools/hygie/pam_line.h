/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a PAM service file, as pam.conf(5) defines it and Linux-PAM 1.5 reads it:
 * what kind it is, what follows from each code of its module, which module, which
 * arguments.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>

enum pam_kind { PAM_KIND_AUTH, PAM_KIND_ACCOUNT, PAM_KIND_PASSWORD, PAM_KIND_SESSION };
#define PAM_KINDS 4

/* What follows from a code. A positive action is a jump over so many modules. */
enum pam_action {
	PAM_DO_IGNORE = 0,
	PAM_DO_OK = -1,
	PAM_DO_DONE = -2,
	PAM_DO_BAD = -3,
	PAM_DO_DIE = -4,
	PAM_DO_RESET = -5,
	PAM_DO_UNSET = -6, /* not said: counts as a broken jump */
};

#define PAM_CODES 32 /* of PAM_SUCCESS .. PAM_INCOMPLETE */

enum pam_line_what {
	PAM_LINE_MODULE,
	PAM_LINE_INCLUDE, /* "include": its lines of this kind, as if they stood here */
	PAM_LINE_INCLUDE_ALL, /* "@include": the same for every kind (Debian) */
	PAM_LINE_SUBSTACK,
	PAM_LINE_BROKEN, /* refuses whatever the module says */
};

/* Owns its strings. */
struct pam_line {
	enum pam_line_what what;
	enum pam_kind kind; /* of no meaning for PAM_LINE_INCLUDE_ALL */
	bool quiet;         /* "-auth": a missing module is not logged */
	int action[PAM_CODES];
	char *control;     /* as it is written */
	char *module;      /* or the included file */
	char *arguments;   /* one blank between two; "" for none */
	const char *wrong; /* for PAM_LINE_BROKEN: a sentence's end; static */
	char *file;
	unsigned line;  /* counts from 1 */
	unsigned level; /* of substacks, 0 outside */
};

/*
 * Parses one line, continuation lines joined, without its comment. 1 and *ret_line, whose
 * file, line and level are empty; 0 for a blank line; -ENOMEM.
 */
int pam_line_parse(const char *text, struct pam_line *ret_line) must_check;

/* A copy that owns its strings. 0 or -ENOMEM. */
int pam_line_copy(const struct pam_line *line, struct pam_line *ret_line) must_check;

/* Frees what the line owns and empties it. */
void pam_line_clear(struct pam_line *line);

/* "auth", ... */
const char *pam_kind_name(enum pam_kind kind);

/* The module without folders and ".so": "pam_unix". */
void pam_line_module_name(const struct pam_line *line, char *ret_name, size_t size);

/* Whether the line calls that module ("pam_unix"). */
bool pam_line_calls(const struct pam_line *line, const char *module);

/* Whether one of the line's arguments is that word. */
bool pam_line_has_argument(const struct pam_line *line, const char *argument);
/* The argument by which the module never asks, but takes what is there; NULL: none. */
const char *pam_line_first_pass(const struct pam_line *line);
