/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with the PAM set-up: a list of sentences with their places, each said
 * once however many services share the line.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stddef.h>

enum pam_severity { PAM_WARNING, PAM_ERROR };

struct pam_finding {
	enum pam_severity severity;
	char *file;    /* or "" */
	unsigned line; /* 0: the whole file */
	char *text;
};

/* Begins zeroed. */
struct pam_findings {
	struct pam_finding *finding;
	size_t count;
	bool incomplete; /* memory was short: there may be more */
};

/* Adds one unless it is there already. */
void pam_findings_add(struct pam_findings *findings, enum pam_severity severity,
		      const char *file, unsigned line, const char *format, ...)
	printf_like(5, 6);

/* Whether there is one of that severity. */
bool pam_findings_have(const struct pam_findings *findings, enum pam_severity severity);

void pam_findings_free(struct pam_findings *findings);
#define cleanup_pam_findings cleanup_with(pam_findings_free)
