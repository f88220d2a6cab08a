/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what is wrong; see pam_findings.h.
 */
#include "pam_findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool finding_is_known(const struct pam_findings *findings, const char *file,
			     unsigned line, const char *text)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->finding[i].line == line &&
		    strcmp(findings->finding[i].file, file) == 0 &&
		    strcmp(findings->finding[i].text, text) == 0)
			return true;
	return false;
}

void pam_findings_add(struct pam_findings *findings, enum pam_severity severity,
		      const char *file, unsigned line, const char *format, ...)
{
	struct pam_finding finding = { .severity = severity, .line = line };
	struct pam_finding *more;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&finding.text, format, arguments) < 0)
		finding.text = NULL;
	va_end(arguments);
	finding.file = strdup(file ? file : "");
	if (finding.text && finding.file &&
	    !finding_is_known(findings, finding.file, line, finding.text)) {
		more = reallocarray(findings->finding, findings->count + 1,
				    sizeof(*more));
		if (more) {
			findings->finding = more;
			findings->finding[findings->count++] = finding;
			return;
		}
		findings->incomplete = true;
	}
	findings->incomplete = findings->incomplete || !finding.text || !finding.file;
	free(finding.text);
	free(finding.file);
}

bool pam_findings_have(const struct pam_findings *findings, enum pam_severity severity)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->finding[i].severity == severity)
			return true;
	return false;
}

void pam_findings_free(struct pam_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->finding[i].file);
		free(findings->finding[i].text);
	}
	free(findings->finding);
	*findings = (struct pam_findings){ 0 };
}
