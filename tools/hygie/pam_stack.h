/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Linux-PAM runs for a service and a kind (auth, account ...): the lines of its file
 * with everything included, in order, and what a run of them comes to when the modules
 * answer this or that. It runs no module.
 */
#pragma once

#include "pam_findings.h"
#include "pam_line.h"

#define PAM_FOLDERS_MAX 2

/* Where service files lie; the first that has one wins. */
struct pam_place {
	const char *folder[PAM_FOLDERS_MAX]; /* NULL: none */
};

/* /etc/pam.d, /usr/lib/pam.d */
extern const struct pam_place pam_place_system;

struct pam_stack {
	struct pam_line
		*line; /* PAM_LINE_MODULE, _SUBSTACK (what follows is deeper), _BROKEN */
	size_t count;
	bool broken;   /* a file is missing or unreadable: Linux-PAM refuses everything */
	bool is_other; /* the service says nothing of this kind: "other" answers */
};

/*
 * Reads the stack. Mistakes are told in `findings`. 0; -ENOENT when neither the service
 * nor "other" has a file; -ENOMEM.
 */
int pam_stack_read(const struct pam_place *place, const char *service, enum pam_kind kind,
		   struct pam_findings *findings, struct pam_stack *ret_stack) must_check;
void pam_stack_free(struct pam_stack *stack);
#define cleanup_pam_stack cleanup_with(pam_stack_free)

/* The file of a service, malloc'ed; NULL when there is none (or no memory). */
char *pam_place_file(const struct pam_place *place, const char *service);

/* The PAM code that a module answers with. */
typedef int (*pam_answer)(const struct pam_line *line, void *context);

/* The code that the application gets from pam_authenticate and its sisters. */
int pam_stack_run(const struct pam_stack *stack, pam_answer answer, void *context);

/* Whether a jump of `action` from line `i` goes beyond the end of its stack. */
bool pam_stack_jumps_out(const struct pam_stack *stack, size_t i, int action);
