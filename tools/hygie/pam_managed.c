/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what pam-auth-update keeps; see pam_managed.h. It takes a line of a block for its
 * own when control and module are as it saved them, jumps and arguments aside; so do we.
 */
#include "pam_managed.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 1024
#define LINES_MAX 128

const struct pam_managed pam_managed_system = { "/etc/pam.d", "/var/lib/pam" };

const char *const pam_managed_files[PAM_MANAGED_FILES] = {
	"auth", "account", "password", "session", "session-noninteractive",
};

static const char *const profile_names[PROFILE_COUNT] = {
	"hygie",
	"hygie-required",
	"hygie-session",
	"hygie-pin-change",
};

/* The comments between which its blocks lie. */
static const char *const markers[] = {
	"# here are the per-package modules (the \"Primary\" block)",
	"# here's the fallback if no module succeeds",
	"# and here are more per-package modules (the \"Additional\" block)",
	"# end of pam-auth-update config",
};

const char *pam_profile_name(unsigned i)
{
	return profile_names[i];
}

static FILE *file_open(const char *folder, const char *before, const char *name)
{
	char path[LINE_SIZE];

	(void)snprintf(path, sizeof(path), "%s/%s%s", folder, before, name);
	return fopen(path, "re");
}

static void profiles_note(FILE *saved, unsigned *bits)
{
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), saved)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "Module: ", 8) != 0)
			continue;
		for (unsigned i = 0; i < PROFILE_COUNT; i++)
			if (strcmp(line + 8, profile_names[i]) == 0)
				*bits |= 1u << i;
	}
}

unsigned pam_profiles_enabled(const struct pam_managed *managed)
{
	unsigned bits = 0;

	for (size_t i = 0; i < PAM_MANAGED_FILES; i++) {
		FILE *saved = file_open(managed->state, "", pam_managed_files[i]);

		if (!saved)
			continue;
		profiles_note(saved, &bits);
		(void)fclose(saved);
	}
	return bits;
}

/* Cuts a line to control and module, the jump taken out of the control. */
static void line_reduce(char *line)
{
	char *bracket = line[0] == '[' ? strchr(line, ']') : NULL;
	char *at = line, *end;

	if (bracket) {
		*bracket = '\0';
		at = strpbrk(line, "0123456789");
		end = at ? at + strspn(at, "0123456789") : strstr(line, "end");
		if (!at && end) {
			at = end;
			end += 3;
		}
		*bracket = ']';
		if (at) {
			memmove(at, end, strlen(end) + 1);
			bracket -= end - at;
		}
		at = bracket + 1;
	} else {
		at += strcspn(at, " \t\n");
	}
	at += strspn(at, " \t");
	at[strcspn(at, " \t\n")] = '\0';
}

struct saved_lines {
	char line[LINES_MAX][LINE_SIZE];
	size_t count, next;
};

static bool saved_read(const struct pam_managed *managed, const char *name,
		       struct saved_lines *lines)
{
	FILE *saved = file_open(managed->state, "", name);
	char line[LINE_SIZE];

	if (!saved)
		return false;
	while (lines->count < LINES_MAX && fgets(line, sizeof(line), saved)) {
		if (strncmp(line, "Module: ", 8) == 0)
			continue;
		line_reduce(line);
		memcpy(lines->line[lines->count++], line, sizeof(line));
	}
	(void)fclose(saved);
	return true;
}

/* Whether the line is one of those that are left; they come in order. */
static bool saved_take(struct saved_lines *lines, const char *line)
{
	while (lines->next < lines->count)
		if (strcmp(lines->line[lines->next++], line) == 0)
			return true;
	return false;
}

/* The line without "auth" and blanks before its control. */
static void kind_strip(char *line, const char *name)
{
	size_t length = strcspn(name, "-");

	if (strncmp(line, name, length) == 0 && isblank((unsigned char)line[length])) {
		length += strspn(line + length, " \t");
		memmove(line, line + length, strlen(line + length) + 1);
	}
}

/* The number of the first line that is not its own; 0: none; -1: a marker is missing. */
static int block_check(FILE *current, const char *name, struct saved_lines *lines)
{
	char line[LINE_SIZE];
	size_t passed = 0;
	int number = 0;

	while (passed < array_size(markers) && fgets(line, sizeof(line), current)) {
		number++;
		if (strncmp(line, markers[passed], strlen(markers[passed])) == 0) {
			passed++;
			continue;
		}
		if (passed % 2 == 0)
			continue;
		kind_strip(line, name);
		line_reduce(line);
		if (!saved_take(lines, line))
			return number;
	}
	return passed < array_size(markers) ? -1 : 0;
}

static void file_check(const struct pam_managed *managed, const char *name,
		       struct pam_findings *findings)
{
	cleanup_free struct saved_lines *lines = calloc(1, sizeof(*lines));
	FILE *current = file_open(managed->folder, "common-", name);
	char path[LINE_SIZE];
	int line = 0;

	(void)snprintf(path, sizeof(path), "%s/common-%s", managed->folder, name);
	if (!current || !lines || !saved_read(managed, name, lines))
		pam_findings_add(
			findings, PAM_ERROR, path, 0,
			"it is not kept by pam-auth-update (there is no such file, "
			"or no %s/%s). \"pam-auth-update --force\" writes it anew",
			managed->state, name);
	else
		line = block_check(current, name, lines);
	if (line < 0)
		pam_findings_add(
			findings, PAM_ERROR, path, 0,
			"the comments are gone by which pam-auth-update finds its "
			"blocks, so it changes nothing. \"pam-auth-update --force\" "
			"writes the file anew, without what was added by hand");
	if (line > 0)
		pam_findings_add(
			findings, PAM_ERROR, path, (unsigned)line,
			"edited by hand within a block of pam-auth-update, which "
			"therefore changes nothing. Move the line above or below "
			"all of its blocks; or \"pam-auth-update --force\" writes "
			"the file anew, without it");
	if (current)
		(void)fclose(current);
}

void pam_managed_check(const struct pam_managed *managed, struct pam_findings *findings)
{
	for (size_t i = 0; i < PAM_MANAGED_FILES; i++)
		file_check(managed, pam_managed_files[i], findings);
}
