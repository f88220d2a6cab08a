/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service files into stacks; see pam_stack.h.
 */
#include "pam_stack.h"

#include "libhygie/error_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LEVEL_MAX 16 /* Linux-PAM's own limit */
#define FILE_MAX ((off_t)256 * 1024)

const struct pam_place pam_place_system = { { "/etc/pam.d", "/usr/lib/pam.d" } };

struct reading {
	const struct pam_place *place;
	const char *service;
	enum pam_kind kind;
	struct pam_findings *findings;
	struct pam_stack *stack;
};

/* -EACCES: the file cannot be read, which is told. -ENOMEM. */
static int file_load(struct reading *reading, const char *path, unsigned depth,
		     unsigned level);

char *pam_place_file(const struct pam_place *place, const char *service)
{
	struct stat st;

	if (strchr(service, '/'))
		return service[0] == '/' ? strdup(service) : NULL;
	for (size_t i = 0; i < PAM_FOLDERS_MAX && place->folder[i]; i++) {
		char *path = NULL;

		if (asprintf(&path, "%s/%s", place->folder[i], service) < 0)
			return NULL;
		if (stat(path, &st) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* The text of a file, malloc'ed. 0 or a negative errno. */
static int text_read(const char *path, char **ret_text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *text = NULL;
	size_t used = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (used < (size_t)st.st_size &&
	       (n = read(fd, text + used, (size_t)st.st_size - used)) != 0) {
		if (n < 0)
			return -errno;
		used += (size_t)n;
	}
	*ret_text = text;
	text = NULL;
	return 0;
}

#ifdef __GNUC__
/* gcc 12 loses sight of an array that reallocarray moved. */
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
#endif
static int stack_add(struct pam_stack *stack, const struct pam_line *line)
{
	struct pam_line copy, *more;
	int r = pam_line_copy(line, &copy);

	if (r < 0)
		return r;
	more = reallocarray(stack->line, stack->count + 1, sizeof(*more));
	if (!more) {
		pam_line_clear(&copy);
		return -ENOMEM;
	}
	stack->line = more;
	stack->line[stack->count++] = copy;
	return 0;
}
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

/* "@include" that fails ends the service; the others leave a line that refuses. */
static int line_lost(struct reading *reading, struct pam_line *line, const char *why)
{
	pam_findings_add(reading->findings, PAM_ERROR, line->file, line->line,
			 "%s: %s, so whoever comes here is refused", line->module, why);
	if (line->what == PAM_LINE_INCLUDE_ALL) {
		reading->stack->broken = true;
		return 0;
	}
	line->what = PAM_LINE_BROKEN;
	return stack_add(reading->stack, line);
}

/* Goes into another file, which a line includes. */
/* NOLINTNEXTLINE(misc-no-recursion): LEVEL_MAX deep at most */
static int line_follow(struct reading *reading, struct pam_line *line, unsigned depth)
{
	cleanup_free char *path = pam_place_file(reading->place, line->module);
	bool deeper = line->what == PAM_LINE_SUBSTACK;
	int r;

	if (!path)
		return line_lost(reading, line, "there is no such file to include");
	if (depth + 1 >= LEVEL_MAX)
		return line_lost(reading, line, "files include each other without end");
	r = deeper ? stack_add(reading->stack, line) : 0;
	if (r == 0)
		r = file_load(reading, path, depth + 1, line->level + deeper);
	return r == -EACCES ? line_lost(reading, line, "cannot be read") : r;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static int line_take(struct reading *reading, struct pam_line *line, unsigned depth)
{
	if (line->what == PAM_LINE_BROKEN) {
		pam_findings_add(reading->findings, PAM_ERROR, line->file, line->line,
				 "Linux-PAM does not understand this line: %s",
				 line->wrong);
		return line->kind == reading->kind ? stack_add(reading->stack, line) : 0;
	}
	if (line->what == PAM_LINE_INCLUDE_ALL)
		return line_follow(reading, line, depth);
	if (line->kind != reading->kind)
		return 0;
	return line->what == PAM_LINE_MODULE ? stack_add(reading->stack, line)
					     : line_follow(reading, line, depth);
}

/* Cuts the comment and blanks off the end; whether the line goes on with the next. */
static bool line_trim(char *line)
{
	size_t length = strcspn(line, "#");

	while (length > 0 && strchr(" \t\r\n", line[length - 1]))
		length--;
	line[length] = '\0';
	if (length == 0 || line[length - 1] != '\\')
		return false;
	line[length - 1] = ' ';
	return true;
}

/* Joins the lines that go on, from *text; *text moves on. NULL at the end. */
static char *line_assemble(char **text, unsigned *number, unsigned *ret_first)
{
	char *first = *text, *to = NULL;

	if (*first == '\0')
		return NULL;
	*ret_first = *number + 1;
	for (bool goes_on = true; goes_on && **text != '\0';) {
		char *line = *text;
		size_t length = strcspn(line, "\n");

		*text = line + length + (line[length] == '\n');
		line[length] = '\0';
		(*number)++;
		goes_on = line_trim(line);
		length = strlen(line);
		if (to)
			memmove(to, line, length + 1);
		to = (to ? to : line) + length;
	}
	return first;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static int file_load(struct reading *reading, const char *path, unsigned depth,
		     unsigned level)
{
	cleanup_free char *text = NULL;
	unsigned number = 0, first = 0;
	int r = text_read(path, &text);
	char *cursor = text, *assembled;

	if (r < 0 && r != -ENOMEM) {
		pam_findings_add(reading->findings, PAM_ERROR, path, 0,
				 "cannot be read: %s", error_text(-r));
		return -EACCES;
	}
	while (r >= 0 && cursor &&
	       (assembled = line_assemble(&cursor, &number, &first)) != NULL) {
		struct pam_line line;

		r = pam_line_parse(assembled, &line);
		if (r <= 0)
			continue;
		line.level = level;
		line.line = first;
		line.file = strdup(path);
		r = line.file ? line_take(reading, &line, depth) : -ENOMEM;
		pam_line_clear(&line);
	}
	return r < 0 ? r : 0;
}

int pam_stack_read(const struct pam_place *place, const char *service, enum pam_kind kind,
		   struct pam_findings *findings, struct pam_stack *ret_stack)
{
	cleanup_pam_stack struct pam_stack stack = { 0 };
	struct reading reading = { place, service, kind, findings, &stack };
	cleanup_free char *own = pam_place_file(place, service);
	cleanup_free char *other = pam_place_file(place, "other");
	int r = 0;

	if (!own && !other)
		return -ENOENT;
	if (own)
		r = file_load(&reading, own, 0, 0);
	if (r == 0 && stack.count == 0 && !stack.broken) {
		stack.is_other = true;
		r = other ? file_load(&reading, other, 0, 0) : 0;
	}
	if (r == -EACCES)
		stack.broken = true;
	else if (r < 0)
		return r;
	*ret_stack = stack;
	stack = (struct pam_stack){ 0 };
	return 0;
}

void pam_stack_free(struct pam_stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		pam_line_clear(&stack->line[i]);
	free(stack->line);
	*stack = (struct pam_stack){ 0 };
}
